"""Statistics of rounds by kind: counts, and outages of writes."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nemesis.judging import FailedCheck


@dataclass(frozen=True)
class Played:
    """The result of a round.

    Attributes:
        kind: see `rounds.KINDS`.
        did: the actions, as text.
        seconds: duration of the whole round.
        outage: seconds of the longest time without a successful write; None without an outage.
        acknowledged: number of acknowledged writes.
        skipped: why the round was skipped; empty if it was not.
        unknown: the outage that is too long only by a stall; empty without one, and if a check failed.
        connected: seconds of the longest part of an outage in which a majority was connected; None without an outage.
    """

    number: int
    kind: str
    did: str
    seconds: float
    outage: float | None
    acknowledged: int
    failures: tuple[FailedCheck, ...] = ()
    skipped: str = ""
    unknown: str = ""
    connected: float | None = None


@dataclass(frozen=True)
class Figure:
    """Statistics of a kind: outages in seconds, of the rounds that had one; of unknown rounds they say nothing.

    Attributes:
        rounds: all that were played; one that is played again counts again.
    """

    kind: str
    rounds: int
    failed: int
    skipped: int
    unknown: int
    outages: int
    least: float | None
    median: float | None
    most: float | None
    seconds: float


def by_kind(played: Sequence[Played]) -> list[Figure]:
    """Statistics of each kind, by name, and of all rounds."""
    kinds = sorted({one.kind for one in played})
    parts = [(kind, [one for one in played if one.kind == kind]) for kind in kinds]
    return [_figure(kind, part) for kind, part in [*parts, ("all", list(played))] if part]


def _figure(kind: str, played: Sequence[Played]) -> Figure:
    outages = [one.outage for one in played if one.outage is not None and not one.unknown]
    return Figure(
        kind,
        len(played),
        sum(bool(one.failures) for one in played),
        sum(bool(one.skipped) for one in played),
        sum(bool(one.unknown) for one in played),
        len(outages),
        min(outages, default=None),
        median(outages) if outages else None,
        max(outages, default=None),
        median(one.seconds for one in played),
    )
