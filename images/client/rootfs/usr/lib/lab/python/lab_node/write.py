"""lab_node.write PLAN OUT: sessions that write to a database, each one transaction after the other, a line for each.

Closed loop, unlike `ask`: a session keeps its connection, waits for each answer, and goes on after a pause; after an
error it makes a new connection. SIGTERM, or the end of its time, ends it once what was sent is answered or timed out.

PLAN, JSON: {"url": "mysql://USER@HOST:PORT/DATABASE", "timeout": seconds, "seconds": of the whole,
  "sessions": [SESSION, ...]}; a SESSION is
  {"name": NAME, "pause": seconds between two transactions, "statements": [[STATEMENT, ...], ...]}: the transactions in
  turns. A list of more than one statement is one transaction unless it begins with "-- apart". In a statement {n} is
  the transaction's number, {turn} that number modulo 7.
OUT: for every transaction that was sent a JSON list
  [session, n, begun in Unix seconds, latency in seconds, "acknowledged" | "failed" | "unknown", error]
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pymysql

from .database_url import READ_ONLY, place

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTHORITY = "/etc/lab/ca.crt"
APART = "-- apart"
TURNS = 7


class Session(threading.Thread):
    """One connection after the other."""

    def __init__(self, entry: dict[str, Any], where: dict[str, Any], out: TextIO, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._entry, self._where, self._out, self._ended = entry, where, out, ended
        self._connection: Any = None
        self._sending: tuple[int, float] | None = None  # number and begin of the transaction that has no row yet
        self._lock = threading.Lock()

    def run(self) -> None:
        """Writes until it is told to end."""
        number = 0
        while not self._ended.is_set():
            turns = self._entry["statements"]
            if self._connected():
                self._transaction(number, turns[number % len(turns)])
                number += 1
            self._ended.wait(self._entry["pause"])
        self._close()

    def _connected(self) -> bool:
        if self._connection is None:
            try:
                self._connection = pymysql.connect(**self._where)
            except (pymysql.MySQLError, OSError):
                return False
        return True

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self._connection.close()
            self._connection = None

    def _transaction(self, number: int, statements: Sequence[str]) -> None:
        self._sending = number, time.time()
        outcome, error = "acknowledged", ""
        try:
            self._sent([one.replace("{n}", str(number)).replace("{turn}", str(number % TURNS)) for one in statements])
        except (pymysql.MySQLError, OSError, AttributeError) as caught:  # AttributeError: closed while it was read
            code = caught.args[0] if caught.args else 0
            outcome, error = ("failed" if code == READ_ONLY else "unknown"), str(caught)
            self._close()
        self.written(outcome, error)

    def written(self, outcome: str, error: str) -> None:
        """The row of the transaction that was sent, once."""
        with self._lock:
            if self._sending:
                number, begun = self._sending
                self._sending = None
                row = [self._entry["name"], number, begun, time.time() - begun, outcome, error]
                self._out.write(json.dumps(row) + "\n")

    def _sent(self, statements: Sequence[str]) -> None:
        together = len(statements) > 1 and statements[0] != APART
        with self._connection.cursor() as cursor:
            if together:
                cursor.execute("START TRANSACTION")
            for statement in statements:
                if statement != APART:
                    cursor.execute(statement)
            if together:
                cursor.execute("COMMIT")


def main(plan: str, path: str) -> None:
    """Writes what the plan says."""
    document = json.loads(Path(plan).read_text(encoding="utf-8"))
    where = place(document["url"], AUTHORITY, document["timeout"]) | {"charset": "utf8mb4"}
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with Path(path).open("w", buffering=1, encoding="utf-8") as out:
        sessions = [Session(one, where, out, ended) for one in document["sessions"]]
        for session in sessions:
            session.start()
        ended.wait(document["seconds"])
        ended.set()
        last = time.monotonic() + document["timeout"]
        for session in sessions:
            session.join(max(0.0, last + 1 - time.monotonic()))
            session.written("unknown", "not answered until the end")


if __name__ == "__main__":
    main(*sys.argv[1:])
