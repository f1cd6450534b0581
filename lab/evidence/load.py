"""Constant load from the client node, with a record of every request. See images/client/rootfs/usr/lib/lab/load."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.waiting import until

if TYPE_CHECKING:
    from lab.backends.base import Backend

LONGEST_SECONDS = 600  # a load that nobody ends
ANSWER_SECONDS = 20.0  # how long a question waits for its answer
SERVER_ERRORS = 500


@dataclass(frozen=True)
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
    """A context manager: load runs inside it, and `answers` holds every request afterwards."""

    def __init__(self, backend: Backend, url: str, rate: float, client: str = "client") -> None:
        self._backend, self._url, self._rate, self._client = backend, url, rate, client
        self._file = f"/var/tmp/load-{uuid.uuid4().hex[:8]}.jsonl"  # noqa: S108  in the node, not here
        self._pid = ""
        self._skew = 0.0
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        before = time.time()
        there = float(self._run("date", "+%s.%N"))
        self._skew = there - (before + time.time()) / 2
        command = f"/usr/lib/lab/load '{self._url}' {self._rate} {LONGEST_SECONDS} {ANSWER_SECONDS} {self._file}"
        self._pid = self._run("sh", "-c", f"setsid {command} >{self._file}.err 2>&1 & echo $!").strip()
        until(
            "the load to begin",
            10 * self._backend.pace,
            lambda: self._backend.run(self._client, ["test", "-s", self._file]).ok,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._run("sh", "-c", f"kill -TERM {self._pid} 2>/dev/null || true")
        until(
            "the load's last answers",
            ANSWER_SECONDS + 5 * self._backend.pace,
            lambda: not self._backend.run(self._client, ["kill", "-0", self._pid]).ok,
        )
        rows = (self._backend.get(self._client, self._file) or b"").decode().splitlines()
        said = self._run("cat", f"{self._file}.err")
        self._run("rm", "-f", self._file, f"{self._file}.err")
        if not rows:
            raise BackendError(f"the load produced nothing: {said}", where=self._client)
        self.answers = sorted((self._answer(json.loads(row)) for row in rows), key=lambda answer: answer.sent)

    def more(self, count: int, seconds: float = 30) -> None:
        """Waits until `count` more requests have been answered or have failed."""
        begun = self._rows()
        until(f"{count} more answers", seconds * self._backend.pace, self._rows, lambda now: now >= begun + count)

    def _rows(self) -> int:
        return int(self._run("sh", "-c", f"wc -l < {self._file}"))

    @property
    def failed(self) -> list[Answer]:
        """The requests that a visitor would have seen fail."""
        return [answer for answer in self.answers if answer.failed]

    def served(self, since: float = 0, until: float = float("inf")) -> set[str]:
        """The nodes that answered requests which were due in a span of time (Unix seconds of this machine)."""
        return {answer.node for answer in self.answers if answer.node and since <= answer.sent <= until}

    def _answer(self, row: dict[str, object]) -> Answer:
        return Answer(**(row | {"sent": float(str(row["sent"])) - self._skew}))  # type: ignore[arg-type]

    def _run(self, *argv: str) -> str:
        done = self._backend.run(self._client, argv)
        if not done.ok:
            raise BackendError(f"the load can't be run: {done.said}", where=self._client)
        return done.stdout
