"""Load of a round: writers in the client node, and a counter that is written and read at constant rates.

`ask` and `write` run in parallel there, each started and stopped by one command, since a round takes seconds.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.ledger import Operation, Outcome
from lab.evidence.load_run import CLIENT, Row, Stream
from lab.evidence.probes import good
from lab.evidence.stalls import INTERVAL, SHORTEST, Meter, Stall
from lab.nemesis import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.plan import Plan

PATIENCE = 1.0  # limit of a request of the counter
ANSWER_SECONDS = 5.0  # limit of a writer's statement
END_SECONDS = 15.0  # above that
BEGIN_SECONDS = 20.0
TAKEN_SECONDS = 60.0  # until it is observed; the outage of writes is measured by the rows
LONGEST_SECONDS = 3600.0  # limit of the load, if nothing stops it
RATE, READ_RATE, SHOWN_RATE, SUM_RATE = 20.0, 10.0, 10.0, 2.0
BEAT, READ, SHOWN, SUM = "beat", "read", "shown", "sum"
STREAMS = (BEAT, READ, SHOWN, SUM)
WRITABLE, REPLICAS = 3306, 3307
BEGIN = """
setsid /usr/lib/lab/run lab_node.ask {0}.asked {0}.rows >{0}.err 2>&1 & echo $! >{0}.pids
setsid /usr/lib/lab/run lab_node.write {0}.writing {0}.done >>{0}.err 2>&1 & echo $! >>{0}.pids
until [ -s {0}.rows ] || [ -s {0}.err ]; do sleep 0.05; done
head -n 1 {0}.rows; cat {0}.err
"""
END = """
kill -TERM $(cat {0}.pids)
for pid in $(cat {0}.pids); do while kill -0 $pid 2>/dev/null; do sleep 0.05; done; done
cat {0}.err; echo ===; cat {0}.rows; echo ===; cat {0}.done; echo ===; cat {0}.rows.stalls
"""
FORGET = "kill -KILL $(cat {0}.pids) 2>/dev/null; rm -f {0}.*"


def address(plan: Plan, port: int = WRITABLE) -> str:
    """Address of the database, as seen by the client."""
    return f"mysql://{statements.USER}@{plan.vip or plan.role('mysql')[0].address}:{port}/{statements.DATABASE}"


class NemesisLoad:
    """A context manager that writes and reads; the results are available afterwards.

    Attributes:
        operations: all writes by table; those without a ledger under "".
        rows: answers of the counter and of the sum, by stream.
        stalls: of the client node and of this machine.
    """

    def __init__(self, backend: Backend, plan: Plan, number: int, skew: float, *, largest: bool) -> None:
        self.operations: dict[str, list[Operation]] = {table: [] for table in (*statements.LEDGERS, "")}
        self.rows: dict[str, list[Row]] = {name: [] for name in STREAMS}
        self.stalls: list[Stall] = []
        self._backend, self._plan, self._number, self._skew = backend, plan, number, skew
        self._base = number * statements.BASE
        self._file = f"/var/tmp/nemesis-{uuid.uuid4().hex[:8]}"  # noqa: S108  in the node, not here
        self._sessions = statements.sessions(number, largest=largest)
        self._began, self._read, self._meter = 0.0, 0, Meter(backend.clock)

    def __enter__(self) -> Self:
        plans = {".asked": self._probing(), ".writing": self._writing()}
        files = {self._file + end: (json.dumps(plan).encode(), 0o600) for end, plan in plans.items()}
        self._backend.put(CLIENT, files)
        head, _, errors = self._run(BEGIN, BEGIN_SECONDS).partition("\n")
        if errors.strip() or not head:
            self._run(FORGET, BEGIN_SECONDS)
            raise BackendError(f"the writers did not start: {errors.strip() or 'no output'}", where=CLIENT)
        self._began, self._read = json.loads(head)["unix"] - self._skew, len(head) + 1
        self._meter.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._meter.__exit__()
        try:
            parts = self._run(END, ANSWER_SECONDS + END_SECONDS).split("===\n")
        finally:
            self._run(FORGET, BEGIN_SECONDS)
        errors, answers, done, stalls = (
            [line for line in part.splitlines() if line] for part in (*parts, "", "", "")[:4]
        )
        if errors or not answers:
            raise BackendError(f"the writers failed: {errors or 'no output'}", where=CLIENT)
        for name, row in self._rows(answers[1:]):
            self.rows[name].append(row)
        for rows in self.rows.values():
            rows.sort(key=lambda row: row.due)
        self._operations(done)
        spans = [[value / 1e6 + self._began for value in json.loads(line)] for line in stalls]
        self.stalls = [*self._meter.stalls, *(Stall(CLIENT, at, at + last - self._began) for at, last in spans)]

    def written(self) -> list[tuple[int, Row]]:
        """The writes of the counter, with their values."""
        return [(self._base + row.number, row) for row in self.rows[BEAT]]

    def taken(self, since: float) -> None:
        """Waits until a write that was due after `since` succeeds.

        Raises:
            NotReady: none succeeded within a minute.
        """
        self._backend.clock.until("a write to be taken", TAKEN_SECONDS, lambda: self._fresh(since))

    def _fresh(self, since: float) -> bool:
        new = self._backend.run(CLIENT, ["tail", "-c", f"+{self._read + 1}", f"{self._file}.rows"]).stdout
        whole = new[: new.rfind("\n") + 1]
        self._read += len(whole.encode())
        return any(name == BEAT and row.due >= since and good(row) for name, row in self._rows(whole.splitlines()))

    def _rows(self, lines: Sequence[str]) -> list[tuple[str, Row]]:
        values = json.loads(f"[{','.join(lines)}]")
        return [
            (STREAMS[index], Row(number, self._began + due / 1e6, took / 1e6, status, value, error))
            for index, number, due, took, status, value, error in values
        ]

    def _operations(self, lines: Sequence[str]) -> None:
        tables = {one.name: one.table for one in self._sessions}
        for line in lines:
            name, number, begun, seconds, outcome, error = json.loads(line)
            at = begun - self._skew
            done = Operation(f"{self._number}-{name}-{number}", at, at + seconds, Outcome(outcome), error)
            self.operations[tables[name]].append(done)

    def _probing(self) -> dict[str, object]:
        clock = self._backend.clock
        queries = {
            BEAT: (WRITABLE, RATE, statements.BEAT.replace("{base}", str(self._base))),
            READ: (WRITABLE, READ_RATE, statements.READ),
            SHOWN: (REPLICAS, SHOWN_RATE, statements.LAST.replace("{number}", str(self._number))),
            SUM: (WRITABLE, SUM_RATE, statements.SUM),
        }
        streams = [
            Stream(name, address(self._plan, port), clock.rate(rate), keep=False, post=post, value="body")
            for name, (port, rate, post) in queries.items()
        ]
        times = {"seconds": LONGEST_SECONDS, "timeout": clock.limit(PATIENCE), "ca": "/etc/lab/ca.crt"}
        meter = {"meter": clock.limit(INTERVAL), "shortest": clock.limit(SHORTEST)}
        return {**times, **meter, "streams": [asdict(stream) for stream in streams]}

    def _writing(self) -> dict[str, object]:
        clock = self._backend.clock
        sessions = [asdict(one) | {"pause": clock.limit(one.pause)} for one in self._sessions]
        times = {"timeout": clock.limit(ANSWER_SECONDS), "seconds": LONGEST_SECONDS}
        return {"url": address(self._plan), **times, "sessions": sessions}

    def _run(self, script: str, seconds: float) -> str:
        return self._backend.run(CLIENT, ["sh", "-c", script.format(self._file)], seconds=seconds).stdout
