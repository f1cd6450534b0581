"""The life cycle of a cluster: up, down, reconcile, ready, status."""
