"""Load on the site at a constant rate, measured as visitors see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.load_run import LONGEST_SECONDS, LoadRun

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.evidence.load_run import Row, Stream

SERVER_ERRORS = 500
MORE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: the time when it was due (Unix seconds of the nodes), its duration, and its response.

    `status` is None without a response; `error` is the reason then.
    """

    sent: float
    seconds: float
    status: int | None
    node: str | None
    error: str

    @property
    def failed(self) -> bool:
        """Whether a visitor saw an error."""
        return self.status is None or self.status >= SERVER_ERRORS


class Load:
    """A context manager that sends load; `answers` holds every request afterwards.

    Open loop: each request has its own due time, from which its latency counts, independent of other requests.
    """

    def __init__(self, backend: Backend, stream: Stream, seconds: float = LONGEST_SECONDS) -> None:
        self._backend, self._name = backend, stream.name
        self.load_run = LoadRun(backend, [stream], seconds=seconds)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self.load_run.__enter__()
        self.more(1)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.load_run.__exit__(*exc_info)
        self.answers = [answer(row) for row in self.load_run.rows[self._name]]
        if not self.answers:
            raise BackendError("the load sent no request", where="client")

    def more(self, count: int, seconds: float = MORE_SECONDS) -> None:
        """Waits until `count` more requests have been answered or have failed."""
        begun = self.load_run.count()
        what = f"{count} more answers"
        self._backend.clock.until(what, seconds, self.load_run.count, lambda now: now >= begun + count)

    @property
    def failed(self) -> list[Answer]:
        """The requests that failed for a visitor."""
        return [answer for answer in self.answers if answer.failed]

    def served(self, since: float = 0, until: float = float("inf")) -> set[str]:
        """The nodes that answered requests due in a span of time (Unix seconds of the nodes)."""
        return {answer.node for answer in self.answers if answer.node and since <= answer.sent <= until}


def answer(row: Row) -> Answer:
    """A row of a load run as a visitor's request."""
    return Answer(row.due, row.seconds, row.status or None, row.value or None, row.error)
