"""What the cluster did, measured from its client: load with a record of every request, and waits on conditions."""

from lab.evidence.load import Answer, Load
from lab.evidence.waiting import until

__all__ = ["Answer", "Load", "until"]
