"""Runs of plain values: what probes, load and faults would have seen of the default cluster."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.clock import REAL
from lab.evidence.load import Answer
from lab.evidence.load_run import Row
from lab.evidence.verdicts import FaultEvent, RunData, Timed
from lab.plan import plan
from lab.topology import parse
from tests.unit.conftest import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.evidence.ledger import Judgement
    from lab.evidence.stalls import Stall

BEGUN = 1_700_000_000.0
STEP = 0.05
_RAN = {"lab": "1", "python": "3", "machine": "m", "backend": "memory", "engine": "e", "family": "debian"}
VERSIONS = {**_RAN, "images": {"web1": "image"}}


def rows(value: Callable[[float], str | None], seconds: float = 20.0) -> list[Row]:
    """A probe's answers at 20 Hz: `value` of the seconds since the beginning, None for no answer."""
    found = []
    for number in range(round(seconds / STEP)):
        said = value(number * STEP)
        status, error = (0, "timeout") if said is None else (200, "")
        found.append(Row(number, BEGUN + number * STEP, 1.0 if said is None else 0.003, status, said or "", error))
    return found


def load(fails: Callable[[float], bool] = lambda _: False, rate: float = 50, seconds: float = 20.0) -> list[Answer]:
    """Answers at a constant rate, served by the web nodes in turn."""
    found = []
    for number in range(round(seconds * rate)):
        at = number / rate
        bad = fails(at)
        took = 0.004 + 0.003 * math.sin(at) ** 2
        found.append(Answer(BEGUN + at, took, None if bad else 200, None if bad else f"web{number % 3 + 1}", ""))
    return found


def happened(kind: str, node: str, at: float = 5.0, mending: float = 12.0) -> FaultEvent:
    """A fault that took half a second to be proven, and as long to be mended."""
    return FaultEvent(
        kind, f"{kind} {node}", (node,), BEGUN + at, BEGUN + at + 0.5, BEGUN + mending, BEGUN + mending + 0.5
    )


def seen(  # noqa: PLR0913  what a test leaves out is as on any day
    probed: Mapping[str, Sequence[Row]],
    faults: Sequence[FaultEvent] = (),
    answers: Sequence[Answer] | None = None,
    judgements: Mapping[str, Judgement] | None = None,
    *,
    holders: Sequence[str] = ("tcp-lb1",),
    seconds: float = 20,
    stalls: Sequence[Stall] = (),
    measured: Mapping[str, Sequence[Timed]] | None = None,
    plan_of: str = FULL,
) -> RunData:
    """A run of the default cluster."""
    made = plan(parse(plan_of), "debian")
    said = load() if answers is None else answers
    return RunData(
        made, said, probed, faults, judgements or {}, REAL, BEGUN, BEGUN + seconds, holders, stalls, measured or {}
    )
