"""What a keeper does in its database while a session holds a lock there: it waits for seconds, then ends that."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.keeper import database, rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MySQLError(Exception):
    """As PyMySQL's."""


class Server:
    """A database with a lock that one session holds; each of its connections is this very object.

    Attributes:
        holders: the sessions of which any holds it.
        waits: the statement that waits for the lock, with the error when it is not released.
        done: the statements that succeeded.
    """

    def __init__(self, waits: str, code: int = database.LOCKED) -> None:
        self.holders, self.waits, self.code = {7}, waits, code
        self.done: list[str] = []
        self._rows: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Server]:
        yield self

    def execute(self, statement: str, values: tuple[object, ...] | None = None) -> None:
        if statement.startswith(self.waits) and self.holders:
            raise MySQLError(self.code, "Lock wait timeout exceeded")
        if statement.startswith("KILL CONNECTION"):
            self.holders.discard(int(statement.rpartition(" ")[2]))
        self._rows = [{"id": one} for one in self.holders] if "processlist" in statement else []
        self.done.append(statement % tuple(map(repr, values or ())))

    def fetchall(self) -> list[dict[str, Any]]:
        return self._rows

    def thread_id(self) -> int:
        return 1

    def close(self) -> None: ...


def _asked(monkeypatch: pytest.MonkeyPatch, server: Server) -> database.Database:
    errors = dict.fromkeys(("ProgrammingError", "DataError"), type("Wrong", (MySQLError,), {}))
    made = SimpleNamespace(MySQLError=MySQLError, **errors)
    monkeypatch.setattr(database, "pymysql", made)
    monkeypatch.setattr(database.Database, "connect", lambda *_: server)
    return database.Database(cast("Any", SimpleNamespace(patience=2.0, node="mysql2")))


def test_an_epoch_begins_when_the_session_that_locks_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("INSERT INTO lab.epochs")
    _asked(monkeypatch, server).begin_epoch(3, 10)
    assert server.done[-1] == "INSERT INTO lab.epochs (epoch, node, began_after) VALUES (3, 'mysql2', 10)"
    limited = f"SET SESSION lock_wait_timeout = {database.LOCK_SECONDS}, gtid_seq_no = {3 * rules.SPAN}"
    assert server.done.count(limited) == 2, "each try has a limit, and the epoch's number"
    assert "KILL CONNECTION 7" in server.done


def test_replicas_stay_connected_when_sessions_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them is to receive the epoch."""
    server = Server("INSERT INTO lab.epochs")
    _asked(monkeypatch, server).begin_epoch(3, 10)
    (sessions,) = [statement for statement in server.done if "processlist" in statement]
    assert "command <> 'Binlog Dump'" in sessions


def test_another_error_ends_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("INSERT INTO lab.epochs", code=2013)
    with pytest.raises(database.Trouble, match="epoch 3 could not be begun"):
        _asked(monkeypatch, server).begin_epoch(3, 10)
    assert server.holders == {7}


def test_a_copy_is_adopted_when_the_session_that_locks_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where replication goes on is in a table: it is tried again in the next step."""
    monkeypatch.setattr(database, "DATA", tmp_path)
    (tmp_path / database.ADOPT).write_text("0-1-10")
    server = Server("SET GLOBAL gtid_slave_pos")
    asked = _asked(monkeypatch, server)
    with pytest.raises(database.Trouble, match="who locks tables here is ended"):
        asked.adopt()
    asked.adopt()
    assert server.done[-1] == "SET GLOBAL gtid_slave_pos = '0-1-10'"
    assert not (tmp_path / database.ADOPT).exists()
