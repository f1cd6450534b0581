"""What was seen of a run, and what that says of a promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.evidence.probes import RATE
from lab.evidence.stalls import stalled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.clock import Clock
    from lab.evidence.asking import Row
    from lab.evidence.ledger import Judgement
    from lab.evidence.load import Answer
    from lab.evidence.stalls import Stall
    from lab.plan import Plan


EMULATED_SECONDS = 2.5


class PromiseVerdict(StrEnum):
    """Whether a promise was kept; of writes, how it was not."""

    HOLDS = "holds"
    BROKEN = "broken"
    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FaultEvent:
    """A fault of a run, in Unix seconds: when it was begun, proven, reverted, and when the nodes were whole again."""

    kind: str
    text: str
    nodes: tuple[str, ...]
    begun: float
    bitten: float
    mending: float
    mended: float


@dataclass(frozen=True)
class Timed:
    """How long something took, and when it began (Unix seconds).

    Attributes:
        seen: whether its end was seen; if not, `seconds` is how long the run waited for it.
    """

    seconds: float
    begun: float
    seen: bool = True


@dataclass(frozen=True)
class RunData:
    """All that was seen of a run.

    Attributes:
        rows: the probes' answers by probe.
        clock: the nodes' time.
        holders: who held the VIP at the end, as the nodes themselves say.
        stalls: when the client node or this machine stood still.
        measured: by promise, the times that a test measured beside the probes.
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

    @property
    def interval(self) -> float:
        """Seconds between two probes of one address."""
        return self.clock.limit(1 / RATE)

    def stalled(self, begun: float, ended: float) -> float:
        """How many seconds of a span a machine stood still."""
        return stalled(self.stalls, begun, ended)

    def allowed(self, bound: float, begun: float) -> float:
        """The longest time allowed from `begun`: the bound, one probe interval, and the stalls in that window."""
        seconds = bound + self.interval
        return seconds + self.stalled(begun, begun + seconds)

    @property
    def emulation(self) -> float:
        """Seconds in which a late figure proves nothing where the nodes' processors are emulated.

        A node there may stand still while the client and this machine, which have meters, do not.
        """
        return self.clock.limit(EMULATED_SECONDS) if self.clock.emulated else 0.0


@dataclass(frozen=True)
class PromiseResult:
    """A promise after a run: the figure beside its bound, both in seconds where they are times.

    Attributes:
        figure: what was seen, for a person; `seconds` where it is a time.
        allowed: the bound and one interval of the probes; None where there is no bound.
        stalled: seconds that a machine stood still in the time of the figure.
        excused: whether it is unknown only because a machine stood still; the run can be repeated.
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

    @property
    def holds(self) -> bool:
        """Only what was tested and kept."""
        return self.result is PromiseVerdict.HOLDS
