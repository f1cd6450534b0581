"""For tests: the pytest plugin with its fixtures, on any backend."""

from lab.testing.cluster import LabCluster
from lab.testing.faults import Faults

__all__ = ["Faults", "LabCluster"]
