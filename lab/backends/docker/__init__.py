"""The Docker backend: a node is a container, the cluster's subnet a bridge network. Only labels say what exists."""
