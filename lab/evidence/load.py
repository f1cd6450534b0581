"""Constant load on the site, as visitors see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.asking import LONGEST_SECONDS, Asking

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.evidence.asking import Row, Stream

SERVER_ERRORS = 500
MORE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due (Unix seconds of this machine), how long it took, what came back.

    `status` is None when nothing came; `error` then says why.
    """

    sent: float
    seconds: float
    status: int | None
    node: str | None
    error: str

    @property
    def failed(self) -> bool:
        """Whether a visitor would have seen an error."""
        return self.status is None or self.status >= SERVER_ERRORS


class Load:
    """A context manager: load runs inside it, and `answers` holds every request afterwards.

    Open loop: every request has its own time, and its latency counts from that, whatever became of the others.
    """

    def __init__(self, backend: Backend, stream: Stream, seconds: float = LONGEST_SECONDS) -> None:
        self._backend, self._name = backend, stream.name
        self.asking = Asking(backend, [stream], seconds=seconds)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self.asking.__enter__()
        self.more(1)
        return self

    def __exit__(self, *said: object) -> None:
        self.asking.__exit__(*said)
        self.answers = [answer(row) for row in self.asking.rows[self._name]]
        if not self.answers:
            raise BackendError("the load asked nothing", where="client")

    def more(self, count: int, seconds: float = MORE_SECONDS) -> None:
        """Waits until `count` more requests have been answered or have failed."""
        begun = self.asking.count()
        what = f"{count} more answers"
        self._backend.clock.until(what, seconds, self.asking.count, lambda now: now >= begun + count)

    @property
    def failed(self) -> list[Answer]:
        """The requests that a visitor would have seen fail."""
        return [answer for answer in self.answers if answer.failed]

    def served(self, since: float = 0, until: float = float("inf")) -> set[str]:
        """The nodes that answered requests which were due in a span of time (Unix seconds of this machine)."""
        return {answer.node for answer in self.answers if answer.node and since <= answer.sent <= until}


def answer(row: Row) -> Answer:
    """A row of a load as a visitor's request."""
    return Answer(row.due, row.seconds, row.status or None, row.value or None, row.error)
