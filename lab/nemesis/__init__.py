"""The nemesis of the MySQL cluster: rounds of faults by chance under load, each followed by a look at every copy."""
