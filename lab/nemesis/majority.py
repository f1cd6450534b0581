"""The times of a round without a connected majority of the mysql nodes: writes may fail in them, and in no others."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lab.evidence.probes import Span
from lab.nemesis.bounds import START_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.verdicts import FaultEvent

ACTIONS = ("switchover", "up")  # recorded beside the faults; they leave a majority
STARTS_DATABASE = ("kill", "crash")
"""Faults that end mariadbd: the node counts again one start of mariadbd after it runs."""


def helpless(happened: Sequence[FaultEvent], nodes: int) -> list[Span]:
    """The times in which faults leave fewer than a majority of so many nodes, in order.

    A node is absent from the injection of its fault until the engine has started, resumed or reconnected it, not until
    it is ready: a recovery is measured, not excused.
    """
    absent = [(name, span) for fault in happened if fault.kind not in ACTIONS for name, span in _absent(fault)]
    moments = sorted({moment for _, span in absent for moment in (span.begun, span.ended)})
    spans: list[Span] = []
    for begun, ended in pairwise(moments):
        away = {name for name, span in absent if span.begun <= begun and span.ended >= ended}
        if 2 * (nodes - len(away)) > nodes:
            continue
        if spans and spans[-1].ended == begun:
            begun = spans.pop().begun  # noqa: PLW2901  one span with the one before
        spans.append(Span(begun, ended))
    return spans


def _absent(fault: FaultEvent) -> list[tuple[str, Span]]:
    restored = fault.mended if fault.restored is None else fault.restored
    start = START_SECONDS if fault.kind in STARTS_DATABASE else 0.0
    return [(name, Span(fault.begun, restored + start)) for name in fault.nodes]
