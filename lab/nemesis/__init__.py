"""The nemesis of the MySQL cluster: rounds of random faults under load; all copies are compared after each round."""
