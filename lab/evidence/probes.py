"""Probes: every address of the cluster, asked at 20 Hz by new connections, and what can be read from the answers.

Open loop as the load is: a probe that hangs does not hold up the next, so an outage is measured to one interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.evidence.asking import LONGEST_SECONDS, Asking, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.backends.base import Backend
    from lab.evidence.asking import Row

RATE = 20.0  # a second, of each probe
PATIENCE = 1.0  # seconds that a probe waits
LATE = 0.3  # seconds after which an answer tells that something hung
SITE, VIP, MYSQL, REPLICAS = "site", "vip", "mysql-write", "mysql-read"
OK = range(200, 400)


@dataclass(frozen=True)
class Span:
    """A stretch of time, Unix seconds, in which something was so."""

    begun: float
    ended: float
    value: str = ""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.begun


class Probes:
    """A context manager: the cluster is probed inside it; `rows` holds all of it afterwards, by probe."""

    def __init__(self, backend: Backend, streams: Sequence[Stream], seconds: float = LONGEST_SECONDS) -> None:
        self.asking = Asking(backend, streams, seconds=seconds, patience=PATIENCE)
        self.rows: dict[str, list[Row]] = {}

    def __enter__(self) -> Self:
        self.asking.__enter__()
        return self

    def __exit__(self, *said: object) -> None:
        self.asking.__exit__(*said)
        self.rows = self.asking.rows


def good(row: Row) -> bool:
    """Whether a probe was answered as it should be."""
    return row.status in OK


def outages(rows: Sequence[Row], late: float = LATE) -> list[Span]:
    """The stretches without an answer: from when the first bad or late probe was due, until an answer came again.

    A probe that is answered after more than `late` seconds was held up by something that hung: it is part of an outage,
    and tells by its answer when that was over.
    """
    found: list[Span] = []
    for index, row in enumerate(rows):
        if (found and row.due <= found[-1].ended) or (good(row) and row.seconds <= late):
            continue
        arrivals = (later.due + later.seconds for later in rows[index:] if good(later))
        why = "late" if good(row) else row.error or f"status {row.status}"
        found.append(Span(row.due, min(arrivals, default=rows[-1].due), why))
    return found


def lane(rows: Sequence[Row]) -> list[Span]:
    """What the answers said over time, as stretches of the same value; bad ones are left out, and end a stretch."""
    found: list[Span] = []
    for row in rows:
        value = row.value.strip() if good(row) else ""
        if found and found[-1].value == value:
            found[-1] = Span(found[-1].begun, row.due, value)
        else:
            if found:
                found[-1] = Span(found[-1].begun, row.due, found[-1].value)
            found.append(Span(row.due, row.due, value))
    return [span for span in found if span.value]


def members(value: str) -> set[str]:
    """The servers that a balancer sends to, of an answer such as `web1=1 web2=0`."""
    return {name for name, _, state in (word.partition("=") for word in value.split()) if state == "1"}


def first(rows: Iterable[Row], since: float, wanted: bool) -> float | None:  # noqa: FBT001  read with its name's sense
    """When the first probe due at `since` or later was good (or was not)."""
    return next((row.due for row in rows if row.due >= since and good(row) is wanted), None)
