"""What was seen of a run, and what that says of a promise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.evidence.probes import RATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.clock import Clock
    from lab.evidence.asking import Row
    from lab.evidence.ledger import Judgement
    from lab.evidence.load import Answer
    from lab.plan import Plan

SLACK = 2.5
"""Seconds added to every bound: the machine is shared, and each look at the cluster is a process of its own."""


class Result(StrEnum):
    """Whether a promise was kept; of writes, how it was not."""

    HOLDS = "holds"
    BROKEN = "broken"
    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Happened:
    """A fault of a run, in Unix seconds: when it was begun, proven, taken back, and when that had taken effect."""

    kind: str
    text: str
    nodes: tuple[str, ...]
    begun: float
    bitten: float
    mending: float
    mended: float


@dataclass(frozen=True)
class Seen:
    """All that was seen of a run.

    Attributes:
        rows: the probes' answers by probe.
        clock: the nodes' time.
        holders: who held the VIP at the end, as the nodes themselves say.
    """

    plan: Plan
    answers: Sequence[Answer]
    rows: Mapping[str, Sequence[Row]]
    faults: Sequence[Happened]
    judgements: Mapping[str, Judgement]
    clock: Clock
    begun: float
    ended: float
    holders: Sequence[str] = ()

    @property
    def interval(self) -> float:
        """Seconds between two probes of one address."""
        return self.clock.limit(1 / RATE)

    @property
    def slack(self) -> float:
        """Seconds added to every bound."""
        return self.clock.limit(SLACK)


@dataclass(frozen=True)
class Judged:
    """A promise after a run: the figure beside its bound, both in seconds where they are times.

    Attributes:
        figure: what was seen, for a person; `seconds` where it is a time.
        allowed: bound and slack; None where there is no bound.
    """

    promise: str
    result: Result
    figure: str
    seconds: float | None = None
    bound: float | None = None
    allowed: float | None = None
    formula: str = ""
    says: str = ""
    event: str = ""
    ids: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Only what was tested and kept."""
        return self.result is Result.HOLDS
