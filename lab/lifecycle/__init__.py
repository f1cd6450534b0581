"""What is made of a plan and a backend: up, down, reconcile, ready, status."""
