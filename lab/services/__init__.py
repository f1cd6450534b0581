"""Operations on the services of a running cluster, and their ledgers and probes."""
