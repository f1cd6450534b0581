"""The data of a run, and the result of a promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.evidence.probes import RATE
from lab.evidence.stalls import stalled, window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.clock import Clock
    from lab.evidence.ledger import Judgement
    from lab.evidence.load import Answer
    from lab.evidence.load_run import Row
    from lab.evidence.stalls import Stall
    from lab.plan import Plan


EMULATED_SECONDS = 2.5
"""Tolerance on emulated processors: a node may stall while the client and this machine, which have meters, do not."""


class PromiseVerdict(StrEnum):
    """Whether a promise holds; for writes, how it was broken."""

    HOLDS = "holds"
    BROKEN = "broken"
    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"
    UNKNOWN = "unknown"


class BrokenBy(StrEnum):
    """What broke a promise: each cause is mended differently.

    `NEVER`: what is promised was not observed at all. `ABOVE_BOUND`: it was, later than the formula allows.
    """

    NEVER = "never"
    ABOVE_BOUND = "above-bound"
    NOT_ONE_HOLDER = "not-one-holder"
    FAILED_REQUESTS = "failed-requests"
    STILL_FAILS = "still-fails"
    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"


@dataclass(frozen=True)
class FaultEvent:
    """A fault of a run. Unix seconds: start of injection, verified, start of reverting, reverted and nodes ready.

    Attributes:
        restored: reverted, with nodes that run and need not be ready; None where it is not measured.
    """

    kind: str
    text: str
    nodes: tuple[str, ...]
    begun: float
    bitten: float
    mending: float
    mended: float
    restored: float | None = None


@dataclass(frozen=True)
class Timed:
    """A measured duration, and its start (Unix seconds).

    Attributes:
        observed: whether its end was observed; if not, `seconds` is the time until the run stopped waiting.
    """

    seconds: float
    begun: float
    observed: bool = True


@dataclass(frozen=True)
class RunData:
    """All measurements of a run.

    Attributes:
        rows: answers by probe.
        clock: the nodes' clock.
        holders: the nodes that held the VIP at the end, as they report.
        stalls: of the client node and of this machine.
        measured: by promise, times measured by a test in addition to the probes.
        rate: probes per second of each address.
    """

    plan: Plan
    answers: Sequence[Answer]
    rows: Mapping[str, Sequence[Row]]
    faults: Sequence[FaultEvent]
    judgements: Mapping[str, Judgement]
    clock: Clock
    begun: float
    ended: float
    holders: Sequence[str] = ()
    stalls: Sequence[Stall] = ()
    measured: Mapping[str, Sequence[Timed]] = field(default_factory=dict)
    rate: float = RATE

    @property
    def interval(self) -> float:
        """Seconds between two probes of one address."""
        return self.clock.limit(1 / self.rate)

    def stalled(self, begun: float, ended: float) -> float:
        """Seconds of a span in which a machine was stalled."""
        return stalled(self.stalls, begun, ended)

    def allowed(self, bound: float, begun: float) -> float:
        """The longest time from `begun` that stalls explain: the bound, one probe interval, and the stalls in it."""
        return window(self.stalls, begun, bound + self.interval)


@dataclass(frozen=True)
class PromiseResult:
    """The result of a promise: its verdict, figure and bound.

    Attributes:
        figure: the observation as text; `seconds` if it is a time.
        allowed: the bound and one probe interval; None without a bound.
        stalled: seconds of the figure's time in which a machine was stalled.
        excused: whether the verdict is unknown only because a machine was stalled; the run can be repeated.
        broken_by: one of `BrokenBy`; empty unless the promise is broken.
    """

    promise: str
    result: PromiseVerdict
    figure: str
    seconds: float | None = None
    bound: float | None = None
    allowed: float | None = None
    stalled: float = 0.0
    formula: str = ""
    says: str = ""
    event: str = ""
    ids: tuple[str, ...] = ()
    excused: bool = False
    broken_by: str = ""

    @property
    def holds(self) -> bool:
        """Whether the promise was tested and holds."""
        return self.result is PromiseVerdict.HOLDS
