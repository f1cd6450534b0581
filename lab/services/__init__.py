"""What a person does to the services of a running cluster, and what is measured of them."""
