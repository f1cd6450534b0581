"""For tests: the pytest plugin with its fixtures, on any backend."""

from lab.testing.cluster import LabCluster
from lab.testing.faults import Faults
from lab.testing.rounds import Rounds

__all__ = ["Faults", "LabCluster", "Rounds"]
