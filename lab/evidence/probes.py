"""Probes: requests to every address of the cluster at 20 Hz, each on a new connection, and their analysis.

Open loop, as the load: a hanging probe does not delay the next, so outages are measured to one interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.evidence.load_run import LONGEST_SECONDS, LoadRun, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.backends.base import Backend
    from lab.evidence.load_run import Row

RATE = 20.0  # per second and address
PATIENCE = 1.0  # timeout of a probe, in seconds
LATE = 0.3  # seconds; a later answer indicates a hang
SITE, VIP, MYSQL, REPLICAS = "site", "vip", "mysql-write", "mysql-read"
OK = range(200, 400)


@dataclass(frozen=True)
class Span:
    """An interval, in Unix seconds, with a value."""

    begun: float
    ended: float
    value: str = ""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.begun


class Probes:
    """A context manager that probes the cluster; `rows` holds the answers by probe afterwards."""

    def __init__(self, backend: Backend, streams: Sequence[Stream], seconds: float = LONGEST_SECONDS) -> None:
        self.load_run = LoadRun(backend, streams, seconds=seconds, patience=PATIENCE)
        self.rows: dict[str, list[Row]] = {}

    def __enter__(self) -> Self:
        self.load_run.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.load_run.__exit__(*exc_info)
        self.rows = self.load_run.rows


def good(row: Row) -> bool:
    """Whether a probe got the expected answer."""
    return row.status in OK


def outages(rows: Sequence[Row], late: float = LATE) -> list[Span]:
    """The intervals without an answer: from the due time of the first bad or late probe to the next answer.

    An answer after more than `late` seconds was delayed by a hang: its probe is part of an outage, which the answer
    ends.
    """
    spans: list[Span] = []
    for index, row in enumerate(rows):
        if (spans and row.due <= spans[-1].ended) or (good(row) and row.seconds <= late):
            continue
        arrivals = (later.due + later.seconds for later in rows[index:] if good(later))
        why = "late" if good(row) else row.error or f"status {row.status}"
        spans.append(Span(row.due, min(arrivals, default=rows[-1].due), why))
    return spans


def lane(rows: Sequence[Row]) -> list[Span]:
    """Values over time, as intervals of equal value; bad answers are excluded, and end an interval."""
    spans: list[Span] = []
    for row in rows:
        value = row.value.strip() if good(row) else ""
        if spans and spans[-1].value == value:
            spans[-1] = Span(spans[-1].begun, row.due, value)
        else:
            if spans:
                spans[-1] = Span(spans[-1].begun, row.due, spans[-1].value)
            spans.append(Span(row.due, row.due, value))
    return [span for span in spans if span.value]


def members(value: str) -> set[str]:
    """Members of a balancer's pool, from an answer such as `web1=1 web2=0`."""
    return {name for name, _, state in (word.partition("=") for word in value.split()) if state == "1"}


def first(rows: Iterable[Row], since: float, expected: bool) -> float | None:  # noqa: FBT001
    """Due time of the first good (or bad) probe at `since` or later."""
    return next((row.due for row in rows if row.due >= since and good(row) is expected), None)
