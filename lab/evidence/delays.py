"""Delays that are not the cluster's own: stalls of a machine, and emulated processors.

They never extend a bound: a time that is above its bound, and may be so only because of them, is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.evidence.outcomes import red, unknown
from lab.evidence.stalls import stalled, window
from lab.evidence.verdicts import EMULATED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.clock import Clock
    from lab.evidence.outcomes import CheckOutcome
    from lab.evidence.stalls import Stall

MOST = 0.5
"""Of a time limit, which is several times as long as what is awaited takes: the other half is enough for it."""

ROUNDS = 3


def rounds_at_most(clock: Clock) -> int:
    """How often a round is run whose result stalls hide. An emulated processor stalls in each: there is one round."""
    return 1 if clock.emulated else ROUNDS


@dataclass(frozen=True)
class Delays:
    """The delays of a measurement.

    Attributes:
        stalls: of this machine and of the node that measures.
        clock: the nodes' clock.
    """

    stalls: Sequence[Stall]
    clock: Clock

    def hiding(self, begun: float, seconds: float, bound: float) -> str:
        """Why a time above its bound says nothing; empty where it is above it without these delays too.

        Args:
            begun: its start (Unix seconds).
            seconds: the time.
            bound: the longest time allowed, in seconds.
        """
        emulation = self.clock.limit(EMULATED_SECONDS) if self.clock.emulated else 0.0
        if seconds > window(self.stalls, begun, bound + emulation):
            return ""
        return self._reason(begun, begun + seconds)

    def preventing(self, begun: float, ended: float) -> str:
        """Why something that did not happen in a span says nothing; empty unless a machine was stalled for most of it.

        Args:
            begun: its start (Unix seconds).
            ended: its end.
        """
        still = stalled(self.stalls, begun, ended)
        return self._reason(begun, ended) if still > MOST * (ended - begun) else ""

    def _reason(self, begun: float, ended: float) -> str:
        emulated = "the nodes' processors are emulated, and " if self.clock.emulated else ""
        still = stalled(self.stalls, begun, ended)
        return f"{emulated}the machine was stalled for {still:.2f} of {ended - begun:.2f} s"


def judged_red(reason: str, says: str, figure: str = "", formula: str = "", *, excuse: str = "") -> CheckOutcome:
    """The answer of a check that is not passed; unknown with an excuse, which it names."""
    if excuse:
        outcome = unknown(f"it could not be judged: {says}; {excuse}", figure=figure, formula=formula)
        return replace(outcome, excused=True)
    return red(reason, says, figure, formula)
