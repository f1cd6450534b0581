"""Requests at constant rates from the client node, one row per answer. See lab_node.ask."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from lab.errors import BackendError
from lab.evidence.stalls import INTERVAL, SHORTEST, Meter, Stall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.backends.base import Backend

LONGEST_SECONDS = 3600  # limit of a run that nothing ends
ANSWER_SECONDS = 20.0  # timeout of a request
CLIENT = "client"
READS = 3  # attempts to count the answers: a very busy engine may lose a command's output
CLOCK_QUESTIONS = 3
BEGIN_SECONDS = 10.0
END_SECONDS = 10.0  # in addition to the timeout of the last request


@dataclass(frozen=True)
class Stream:
    """Requests of one kind.

    Attributes:
        rate: requests per second.
        keep: whether connections are reused; otherwise each request opens a new one.
        post: a form to send, with `{n}` for the request's number; to `mysql://USER@HOST:PORT/DATABASE` a statement.
        upload: form field of a file: a small picture, different for each request.
        value: recorded part of an answer: the node that served it, or its first line.
    """

    name: str
    url: str
    rate: float
    http: Literal["1.1", "2"] = "1.1"
    keep: bool = True
    post: str | None = None
    upload: str | None = None
    value: Literal["served", "body"] = "served"


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: the time when its request was due (Unix seconds of the nodes), and the seconds to the answer.

    `status` is 0 without an answer; `error` is the reason then.
    """

    number: int
    due: float
    seconds: float
    status: int
    value: str
    error: str


class LoadRun:
    """A context manager that sends requests; `rows` holds every answer, by stream, afterwards.

    Attributes:
        patience: timeout of a request, in seconds.
        meter: seconds that the stall meters sleep.
        stalls: of the client node and of this machine meanwhile.
    """

    def __init__(
        self,
        backend: Backend,
        streams: Sequence[Stream],
        *,
        seconds: float = LONGEST_SECONDS,
        patience: float = ANSWER_SECONDS,
        meter: float = INTERVAL,
    ) -> None:
        self.streams = tuple(streams)
        self.rows: dict[str, list[Row]] = {stream.name: [] for stream in streams}
        self.patience = patience
        self.stalls: list[Stall] = []
        self.meter = meter
        self._meter = Meter(backend.clock, meter)
        self._backend, self._seconds = backend, seconds
        self._file = f"/var/tmp/ask-{uuid.uuid4().hex[:8]}"  # noqa: S108  in the node, not here
        self._pid = ""
        self._skew = self._began = 0.0
        self._read = 0

    def __enter__(self) -> Self:
        self._skew = skew(self._backend)
        timeout = self._backend.clock.limit(self.patience)
        plan: dict[str, Any] = {"seconds": self._seconds, "timeout": timeout, "ca": "/etc/lab/ca.crt"}
        plan |= {"meter": self._backend.clock.limit(self.meter), "shortest": self._backend.clock.limit(SHORTEST)}
        plan["streams"] = [asdict(stream) for stream in self.streams]
        self._backend.put(CLIENT, {f"{self._file}.plan": (json.dumps(plan).encode(), 0o600)})
        command = f"/usr/lib/lab/run lab_node.ask {self._file}.plan {self._file}"
        self._pid = self._run("sh", "-c", f"setsid {command} >{self._file}.err 2>&1 & echo $!").strip()
        self._backend.clock.until("the first request", BEGIN_SECONDS, self._begun)
        self._meter.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end()
        finally:
            self._meter.__exit__()
            self._run("sh", "-c", f"kill -KILL {self._pid} 2>/dev/null; rm -f {self._file} {self._file}.*")

    def drop(self) -> None:
        """Ends the run at once, and leaves the answers that `fresh` has not returned."""
        try:
            self._run("sh", "-c", f"kill -KILL {self._pid} 2>/dev/null; rm -f {self._file} {self._file}.*")
        finally:
            self._meter.__exit__()

    def stalled_here(self) -> list[Stall]:
        """The stalls of this machine so far."""
        return list(self._meter.stalls)

    def end(self) -> None:
        """Stops the generator, waits for outstanding answers, and reads all answers."""
        self._run("sh", "-c", f"kill -TERM {self._pid} 2>/dev/null || true")
        running = lambda: self._backend.run(CLIENT, ["kill", "-0", self._pid]).ok  # noqa: E731  polled by `until`
        self._backend.clock.until("the last answers", self.patience + END_SECONDS, running, lambda on: not on)
        content = self._backend.get(CLIENT, self._file) or b""
        self.stalls = [*self._meter.stalls, *self._stalls()]
        output = self._run("cat", f"{self._file}.err").strip()
        if output or b"\n" not in content:
            raise BackendError(f"the load generator failed: {output or 'no output'}", where=CLIENT)
        self.rows = {stream.name: [] for stream in self.streams}
        for index, row in self._parse(content.decode().splitlines()[1:]):
            self.rows[self.streams[index].name].append(row)
        for rows in self.rows.values():
            rows.sort(key=lambda row: row.due)

    def fresh(self) -> list[tuple[str, Row]]:
        """The answers since the last call, with the names of their streams; for use during the run."""
        new = self._run("tail", "-c", f"+{self._read + 1}", self._file)
        whole = new[: new.rfind("\n") + 1]
        self._read += len(whole.encode())
        return [(self.streams[index].name, row) for index, row in self._parse(whole.splitlines())]

    def count(self) -> int:
        """Number of answers so far.

        Raises:
            BackendError: it cannot be read.
        """
        output = ""
        for _ in range(READS):
            output = self._run("sh", "-c", f"wc -l < {self._file}").strip()
            if output.isdecimal():
                return max(0, int(output) - 1)
        raise BackendError(f"cannot read the number of answers: 'wc' printed {output!r}", where=CLIENT)

    def processor_seconds(self) -> float:
        """Processor time of the generator so far, in seconds."""
        ticks = self._run("cut", "-d", " ", "-f", "14,15", f"/proc/{self._pid}/stat").split()
        return sum(map(int, ticks)) / int(self._run("getconf", "CLK_TCK"))

    def _parse(self, lines: Sequence[str]) -> Iterator[tuple[int, Row]]:
        for index, number, due, took, status, value, error in json.loads(f"[{','.join(lines)}]"):
            yield index, Row(number, self._began + due / 1e6, took / 1e6, status, value, error)

    def _stalls(self) -> Iterator[Stall]:
        for line in (self._backend.get(CLIENT, f"{self._file}.stalls") or b"").splitlines():
            begun, seconds = (value / 1e6 for value in json.loads(line))
            yield Stall(CLIENT, self._began + begun, self._began + begun + seconds)

    def _begun(self) -> bool:
        head = self._backend.run(CLIENT, ["head", "-n", "1", self._file])
        if not head.stdout.endswith("\n"):
            errors = self._backend.run(CLIENT, ["cat", f"{self._file}.err"]).stdout
            if errors.strip():
                raise BackendError(f"the load generator did not start: {errors.strip().splitlines()[-1]}", where=CLIENT)
            return False
        header: dict[str, Any] = json.loads(head.stdout)
        self._began, self._read = header["unix"] - self._skew, len(head.stdout)
        return True

    def _run(self, *argv: str) -> str:
        done = self._backend.run(CLIENT, argv)
        if not done.ok:
            raise BackendError(f"a command of the load generator failed: {done.last_line}", where=CLIENT)
        return done.stdout


def skew(backend: Backend, node: str = CLIENT) -> float:
    """Seconds that a node's clock is ahead of this machine's, by the quickest of a few readings."""
    readings = []
    for _ in range(CLOCK_QUESTIONS):
        before = backend.clock.now()
        done = backend.run(node, ["date", "+%s.%N"])
        after = backend.clock.now()
        if not done.ok:
            raise BackendError(f"cannot read the clock of {node}: {done.last_line}", where=node)
        readings.append((after - before, float(done.stdout) - (before + after) / 2))
    return min(readings)[1]
