"""What the cluster did, measured from its client: load, probes, a ledger of what was acknowledged, and verdicts."""

from lab.clock import REAL
from lab.evidence.asking import Stream
from lab.evidence.ledger import Judgement, Ledger, Verdict
from lab.evidence.load import Answer, Load
from lab.evidence.probes import Probes, outages
from lab.evidence.register import Register

until = REAL.until
"""Waits with limits of this machine's processor; `cluster.until` with those of the nodes'."""

__all__ = ["Answer", "Judgement", "Ledger", "Load", "Probes", "Register", "Stream", "Verdict", "outages", "until"]
