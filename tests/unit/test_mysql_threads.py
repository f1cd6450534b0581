"""What may fail in any thread of a keeper, and ends no more than what that thread was about."""

from __future__ import annotations

import contextlib
import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from lab_node.keeper import acknowledging, database, replay, wire
from lab_node.keeper.rules import Role
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class MySQLError(Exception):
    """As PyMySQL's."""


class Connection:
    """As PyMySQL's: once it is closed, its parts are gone."""

    def __init__(self) -> None:
        self.reads: Any = SimpleNamespace(read=list)
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.error: Exception | None = None
        self.closed = 0

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Connection]:
        yield self

    def execute(self, *_: object) -> None:
        self.asked.set()
        assert self.go_on.wait(10)
        if self.error:
            raise self.error

    def fetchall(self) -> list[dict[str, Any]]:
        return list(self.reads.read())

    def close(self) -> None:
        self.closed += 1
        self.reads = None


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Those that were made."""
    made: list[Connection] = []

    def connect(*_: object, **__: object) -> Connection:
        made.append(Connection())
        return made[-1]

    errors = dict.fromkeys(("ProgrammingError", "DataError"), type("Wrong", (MySQLError,), {}))
    cursors = SimpleNamespace(DictCursor=None)
    server = SimpleNamespace(connect=connect, MySQLError=MySQLError, cursors=cursors, **errors)
    monkeypatch.setattr(database, "pymysql", server)
    return made


@pytest.fixture
def asked() -> database.Database:
    return database.Database(cast("Any", SimpleNamespace(patience=2.0)))


def test_a_connection_that_is_closed_while_it_is_waited_for_is_trouble(
    asked: database.Database, connections: list[Connection]
) -> None:
    """The database is ended by one thread while another one asks it, which must not end the keeper."""
    asked.ask("SELECT 1")
    (connection,) = connections
    connection.asked.clear()
    connection.go_on.clear()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            asked.ask("SELECT 1")
        except Exception as error:  # noqa: BLE001  which one is what is tested
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert connection.asked.wait(10)
    asked.forget()  # waits for no answer
    connection.go_on.set()
    thread.join(10)
    assert [type(error) for error in errors] == [database.Trouble]
    asked.ask("SELECT 1")
    assert len(connections) == 2


def test_an_error_that_no_other_thread_has_caused_is_not_hidden(
    asked: database.Database, connections: list[Connection]
) -> None:
    asked.ask("SELECT 1")
    connections[0].error = KeyError("of the program")
    with pytest.raises(KeyError):
        asked.ask("SELECT 1")


def test_connections_are_forgotten_while_others_are_made(
    asked: database.Database, connections: list[Connection]
) -> None:
    """A race that a thousand tries would show: each is closed once, and none is lost or used when it is closed."""
    ended = threading.Event()

    def forget() -> None:
        while not ended.is_set():
            asked.forget()

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        for number in range(2000):
            try:
                asked.ask("SELECT 1", seconds=number % 5)
            except database.Trouble:
                continue
    finally:
        ended.set()
        thread.join(10)
    asked.forget()
    assert {one.closed for one in connections} == {1}


def test_an_epoch_that_finds_no_database_is_trouble(
    asked: database.Database, connections: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    del connections

    def refused(_: float | None) -> NoReturn:
        raise MySQLError("Can't connect")

    monkeypatch.setattr(asked, "connect", refused)
    with pytest.raises(database.Trouble, match="epoch 3 could not be begun: Can't connect"):
        asked.begin_epoch(3, 10)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    return PlainNode(tmp_path, monkeypatch)


def _no_thread(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def test_a_step_that_can_begin_no_thread_is_tried_again(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_step", _no_thread)
    node.looks()
    assert node.because == "can't start new thread"


def test_a_promotion_that_can_begin_no_thread_ends(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the node would be in promotion for ever."""
    node.database.history = tuple  # type: ignore[method-assign]
    monkeypatch.setattr(threading, "Thread", _no_thread)
    node.is_elected(3)
    node.promoted()
    assert node.falls == ["can't start new thread"]


@pytest.mark.parametrize("error", [KeyError("Master_Log_File"), TypeError("None"), OverflowError("too large")])
def test_an_acknowledgement_that_can_not_be_said_ends_nothing(
    node: PlainNode, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def again(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(acknowledging, "again", again)
    node.acknowledges()


STATES = (b"[]", b"1", b"null", b'{"name": 1}', b'{"agreed": []}', b"\xff", b"{")


@pytest.mark.parametrize("body", STATES)
def test_a_state_that_is_none_is_no_answer(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = {"name": "a", "promised": 1, "position": 1, "member": True, "epoch": 1, "waiting": False, "agreed": []}
    for sent in (body, json.dumps(complete).encode()):
        assert _peers(monkeypatch, lambda sent=sent: sent) is None  # type: ignore[misc]


def _peers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bytes]) -> Any:  # noqa: ANN401
    """What a node takes from an answer of another one."""
    monkeypatch.setattr(wire.Peers, "renew", lambda _: None)
    config = SimpleNamespace(interval=0.2, silence=2.5, patience=2.0)
    peers = wire.Peers(cast("Any", config), {"mysql1": "10.90.0.51"}, wire.view, lambda: {"leads": 0})
    line = SimpleNamespace(ask=lambda *_: (200, answer()), close=lambda: None)
    return peers._state(cast("Any", line), {"leads": 0})  # noqa: SLF001  what its thread does with each answer


@pytest.mark.parametrize("body", [b"[1]", b"1", b"null", b"{"])
def test_an_answer_that_is_none_ends_no_question(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire.Peers, "renew", lambda _: None)
    response = SimpleNamespace(status=200, read=lambda: body)
    monkeypatch.setattr(wire.Peers, "_question", lambda *_: response)
    config = SimpleNamespace(interval=0.2, silence=2.5, patience=2.0)
    peers = wire.Peers(cast("Any", config), {"mysql1": "10.90.0.51"}, wire.view, lambda: {"leads": 0})
    assert peers.ask("mysql1", "/vote") is None


def test_a_damaged_list_of_relay_logs_is_damage(
    node: PlainNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is copied, and its keeper does not end at each start."""
    node.role = Role.DOWN
    (tmp_path / "relay.index").write_bytes(b"./relay.000001\n\xff\xfe")
    monkeypatch.setattr(replay, "DATA", tmp_path)
    node.database = cast("Any", SimpleNamespace(adopt=lambda: None, position=lambda: 10))
    assert not node.applies()
    assert "damaged" in node.wanted_copy
