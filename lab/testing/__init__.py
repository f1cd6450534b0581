"""For tests: the pytest plugin with its `cluster` fixture, on any backend."""

from lab.testing.cluster import LabCluster

__all__ = ["LabCluster"]
