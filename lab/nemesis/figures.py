"""What rounds say together: how many of each kind, and for how long nobody took writes."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nemesis.judging import FailedCheck


@dataclass(frozen=True)
class Played:
    """A round that was played.

    Attributes:
        kind: see `rounds.KINDS`.
        did: what was done to whom, in words.
        seconds: how long the whole round took.
        outage: seconds of the longest stretch in which no write was taken; None where there was none.
        acknowledged: how many writes were.
        skipped: why its fault could not be done; "" where it was.
    """

    number: int
    kind: str
    did: str
    seconds: float
    outage: float | None
    acknowledged: int
    failures: tuple[FailedCheck, ...] = ()
    skipped: str = ""


@dataclass(frozen=True)
class Figure:
    """All rounds of a kind: outages in seconds, of those rounds that had one."""

    kind: str
    rounds: int
    failed: int
    skipped: int
    outages: int
    least: float | None
    median: float | None
    most: float | None
    seconds: float


def by_kind(played: Sequence[Played]) -> list[Figure]:
    """A figure for each kind that was played, by name; and one for all."""
    kinds = sorted({one.kind for one in played})
    parts = [(kind, [one for one in played if one.kind == kind]) for kind in kinds]
    return [_figure(kind, part) for kind, part in [*parts, ("all", list(played))] if part]


def _figure(kind: str, played: Sequence[Played]) -> Figure:
    outages = [one.outage for one in played if one.outage is not None]
    return Figure(
        kind,
        len(played),
        sum(bool(one.failures) for one in played),
        sum(bool(one.skipped) for one in played),
        len(outages),
        min(outages, default=None),
        median(outages) if outages else None,
        max(outages, default=None),
        median(one.seconds for one in played),
    )
