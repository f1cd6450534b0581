"""Measurements from the client node: load, probes, a ledger of acknowledged writes, and verdicts."""

from lab.clock import REAL
from lab.evidence.ledger import Judgement, Ledger, Verdict
from lab.evidence.load import Answer, Load
from lab.evidence.load_run import Stream
from lab.evidence.probes import Probes, outages
from lab.evidence.register import Register

until = REAL.until
"""Waits with limits of this machine's processor; `cluster.until` with those of the nodes'."""

__all__ = ["Answer", "Judgement", "Ledger", "Load", "Probes", "Register", "Stream", "Verdict", "outages", "until"]
