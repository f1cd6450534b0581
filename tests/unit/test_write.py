"""The sessions that write to a database: what is sent, and what each transaction's row says."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

from lab_node import write
from lab_node.database_url import READ_ONLY

if TYPE_CHECKING:
    import pytest


class RefusedError(Exception):
    """An error of the database."""


class Server:
    """A database of which each connection notes what it is sent."""

    MySQLError = RefusedError

    def __init__(self, *failures: Exception | None) -> None:
        self.sent: list[str] = []
        self.connections = 0
        self._failures = list(failures)
        self.ended = threading.Event()

    def connect(self, **_: object) -> Server:
        self.connections += 1
        return self

    def cursor(self) -> Server:
        return self

    def __enter__(self) -> Server:  # noqa: PYI034  one class stands for all three
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def execute(self, statement: str) -> None:
        self.sent.append(statement)
        if statement == "COMMIT" or statement.startswith("ALONE"):
            failure = self._failures.pop(0)
            if not self._failures:
                self.ended.set()
            if failure:
                raise failure


def _rows(server: Server, statements: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    monkeypatch.setattr(write, "pymysql", server)
    out = io.StringIO()
    session = write.Session({"name": "one", "pause": 0, "statements": statements}, {}, out, server.ended)
    session.run()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_list_of_statements_is_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(None, None)
    rows = _rows(server, [["INSERT {n}", "UPDATE {turn}"]], monkeypatch)
    assert server.sent == [
        *("START TRANSACTION", "INSERT 0", "UPDATE 0", "COMMIT"),
        *("START TRANSACTION", "INSERT 1", "UPDATE 1", "COMMIT"),
    ]
    assert [(row[0], row[1], row[4]) for row in rows] == [("one", 0, "acknowledged"), ("one", 1, "acknowledged")]
    assert server.connections == 1


def test_transactions_come_in_turns_and_apart_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(None, None)
    _rows(server, [["ALONE {n}"], ["-- apart", "CREATE {n}", "ALONE {n}"]], monkeypatch)
    assert server.sent == ["ALONE 0", "CREATE 1", "ALONE 1"]


def test_what_became_of_a_transaction_is_unknown_unless_the_database_refused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(RefusedError(READ_ONLY, "read only"), OSError("cut"), AttributeError("closed"), None)
    rows = _rows(server, [["ALONE"]], monkeypatch)
    assert [row[4] for row in rows] == ["failed", "unknown", "unknown", "acknowledged"]
    assert "cut" in rows[1][5]
    assert server.connections == 4, "after an error it connects anew"


def test_what_is_not_answered_until_the_end_has_one_row() -> None:
    out = io.StringIO()
    session = write.Session({"name": "one", "pause": 0, "statements": []}, {}, out, threading.Event())
    session.written("unknown", "nothing was sent")
    assert out.getvalue() == ""
    session._sending = 4, 1000.0  # noqa: SLF001  as in the middle of a transaction
    session.written("unknown", "not answered until the end")
    session.written("acknowledged", "")
    assert [json.loads(line)[1:5:3] for line in out.getvalue().splitlines()] == [[4, "unknown"]]
