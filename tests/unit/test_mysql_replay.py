"""What a node received and has not applied: every wait for it ends, also where a session or an error holds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.keeper import relay, replay
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST, LAST = 10, 20
RECEIVED = relay.Received("relay.000001", 4, LAST, ("relay.000001", 900))
ERROR = {"Slave_SQL_Running": "No", "Last_SQL_Errno": 1146, "Last_SQL_Error": "no such table"}
LOOK = 0.2


class Database:
    """A database at a position, and what it was told to do."""

    def __init__(self) -> None:
        self.at = FIRST
        self.status: dict[str, Any] = {"Slave_SQL_Running": "Yes"}
        self.cleared = 0
        self.started: list[relay.Received | None] = []
        self.ended = False

    def adopt(self) -> None: ...

    def position(self) -> int:
        return self.at

    def slave(self) -> dict[str, Any]:
        return self.status

    def apply_received(self, received: relay.Received) -> None:
        self.start_applying(received)

    def start_applying(self, received: relay.Received | None) -> None:
        self.started.append(received)

    def end_applying(self) -> None:
        self.ended = True

    def stop_receiving(self) -> None: ...

    def follow(self, address: str, *, acknowledging: bool) -> None: ...

    def clear_the_way(self) -> None:
        self.cleared += 1


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> PlainNode:
    """A node that has received up to `LAST` and applied up to `FIRST`."""
    monkeypatch.setattr(replay, "DATA", tmp_path)
    (tmp_path / "relay.index").write_text("relay.000001\n")
    (tmp_path / "relay.000001").touch()
    monkeypatch.setattr(relay, "received", lambda *_: RECEIVED)
    made = PlainNode(tmp_path, monkeypatch)
    made.database = cast("Any", database)
    made.position, made.applied, made.slave = LAST, FIRST, database.status
    return made


BOTH = pytest.mark.parametrize(
    "look", [PlainNode.applies, PlainNode.elects], ids=["after a start", "before an election"]
)


@BOTH
def test_a_session_that_blocks_it_is_ended(
    node: PlainNode, database: Database, look: Callable[[PlainNode, float], bool]
) -> None:
    assert not look(node, 0)
    assert not look(node, replay.BLOCKED_SECONDS)
    assert database.cleared == 0
    for times in (1, 2, 3):  # another one may have begun meanwhile
        assert not look(node, replay.BLOCKED_SECONDS + 0.1)
        assert database.cleared == times
    assert node.wanted_copy == ""


@BOTH
def test_a_session_stays_while_something_is_applied(
    node: PlainNode, database: Database, look: Callable[[PlainNode, float], bool]
) -> None:
    for at in range(FIRST, LAST):
        database.at = node.applied = at
        assert not look(node, replay.BLOCKED_SECONDS)
    assert database.cleared == 0


@BOTH
def test_a_copy_helps_where_nothing_is_applied_for_long(
    node: PlainNode, database: Database, look: Callable[[PlainNode, float], bool]
) -> None:
    assert not look(node, 0)
    assert not look(node, replay.STILL_SECONDS)
    assert node.wanted_copy == ""
    assert not look(node, 0.1)
    assert node.wanted_copy == replay.STILL
    before = database.cleared
    assert not look(node, replay.BLOCKED_SECONDS + 0.1)
    assert database.cleared == before + 1, "there may be no node to copy"
    database.at = node.applied = LAST
    assert look(node, LOOK)
    assert node.wanted_copy == "", "it is not needed any more"


def test_a_copy_that_is_not_made_does_not_keep_a_replica_that_has_applied_all(
    node: PlainNode, database: Database
) -> None:
    """The primary may have no space for it; sessions that block are ended meanwhile."""
    for seconds in (0, replay.STILL_SECONDS + 1, replay.BLOCKED_SECONDS + 0.1):
        assert node.joins(seconds) == ""
    assert (node.wanted_copy, database.cleared) == (replay.STILL, 2)
    node.applied = LAST
    assert node.joins(LOOK) == "mysql1 of epoch 1"
    assert node.wanted_copy == ""


@BOTH
def test_an_earlier_wait_does_not_count(
    node: PlainNode, database: Database, look: Callable[[PlainNode, float], bool]
) -> None:
    """It followed a primary in between, and what was applied then is where it had waited before."""
    assert not look(node, 0)
    database.at = node.applied = LAST
    assert look(node, LOOK)
    database.at = node.applied = FIRST
    assert not look(node, replay.STILL_SECONDS + 1)
    assert (node.wanted_copy, database.cleared) == ("", 0)


@BOTH
@pytest.mark.parametrize("status", [ERROR, {"Slave_SQL_Running": "No", "Last_SQL_Error": ""}], ids=["error", "stopped"])
def test_what_stopped_is_tried_again_and_then_copied(
    node: PlainNode, database: Database, look: Callable[[PlainNode, float], bool], status: dict[str, Any]
) -> None:
    look(node, 0)
    database.started.clear()
    database.status = node.slave = status
    begun, starts, copied = node.clock, list[float](), 0.0
    while node.clock < begun + 12:
        before = len(database.started)
        look(node, LOOK)
        starts += [round(node.clock - begun)] * (len(database.started) - before)
        copied = copied or (round(node.clock - begun) if node.wanted_copy else 0)
    assert starts[:4] == [0, 1, 3, 7], "0, 1, 2 and 4 seconds between them"
    assert copied == 11
    assert (status["Last_SQL_Error"] or "stopped") in node.wanted_copy
    assert database.cleared == 0, "no session is what stops it"


def test_each_start_ends_before_what_was_not_received_whole(node: PlainNode, database: Database) -> None:
    """A part of a group was never acknowledged; the primary sends all of it again."""
    node.applies()
    database.status = ERROR
    node.applies(LOOK)
    assert database.started == [RECEIVED, RECEIVED]


def test_replication_by_gtid_begins_when_all_is_applied(node: PlainNode, database: Database) -> None:
    assert not node.applies()
    database.at = LAST
    assert node.applies()
    assert database.ended


def test_damaged_files_are_read_once(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes as long as there is much, and the node answers nobody meanwhile."""
    reads: list[int] = []

    def received(*_: object) -> relay.Received:
        reads.append(1)
        raise relay.Damaged("relay.000001: the checksum of the event at 4 is wrong")

    monkeypatch.setattr(relay, "received", received)
    for _ in range(3):
        assert not node.applies(LOOK)
    assert len(reads) == 1
    assert "checksum" in node.wanted_copy
    node.dead()  # mariadbd starts once more
    node.applies()
    assert len(reads) == 2
