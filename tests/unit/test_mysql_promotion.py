"""A node in promotion that its replicas do not reach gives up, so that one which they reach is elected."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.keeper import database, rules
from tests.unit.mysql_replica import NODES, PATIENCE, PlainNode

if TYPE_CHECKING:
    from pathlib import Path

THREE = NODES | {"mysql3": "10.90.0.53"}
EPOCH, LASTS = 3, 3 * PATIENCE
FOLLOWS = rules.View("mysql1", rules.Role.REPLICA, promised=EPOCH, member=True, follows=f"mysql2 of epoch {EPOCH}")
PROMOTING, REPLICA = rules.Role.PROMOTING, rules.Role.REPLICA


class Database:
    """One that no replica has connected to, and what it was told."""

    def __init__(self) -> None:
        self.taken = threading.Event()
        self.asked = threading.Event()
        self.begun: list[int] = []
        self.acknowledges = True
        self.fails: Exception | None = None

    def waits(self) -> bool:
        return False

    def history(self) -> tuple[tuple[int, int], ...]:
        return ((1, 0),)

    def expect_replicas(self, *, alone: bool) -> None:
        assert not alone
        if self.fails:
            raise self.fails

    def can_be_taken(self, others: int) -> bool:
        """Answers when a replica connects, which may be when the node is none in promotion any more."""
        assert others == len(THREE) - 1
        self.asked.set()
        return self.taken.wait(20)

    def begin_epoch(self, epoch: int, after: int) -> None:
        del after
        self.begun.append(epoch)

    def set(self, **values: object) -> None:
        if self.fails:
            raise self.fails
        self.acknowledges = not values["rpl_semi_sync_master_enabled"]


@pytest.fixture
def server() -> Database:
    return Database()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Database) -> PlainNode:
    """A node that was elected, and that no replica has reached yet."""
    made = PlainNode(tmp_path, monkeypatch, THREE)
    made.database = cast("Any", server)
    made.promise.keep(epoch=EPOCH)
    made.promotes(EPOCH)
    return made


def test_it_gives_up_when_replicas_follow_it_for_long_and_do_not_reach_it(node: PlainNode, server: Database) -> None:
    for after, role in ((0.0, PROMOTING), (LASTS, PROMOTING), (0.1, REPLICA)):
        node.clock += after
        assert node.promoted(FOLLOWS) is role
    assert "do not reach this node's database" in node.because
    assert (node.epoch, node.falls, server.begun, server.acknowledges) == (0, [], [], True)


def test_the_others_stand_before_it_does(node: PlainNode) -> None:
    """The last of them waits for one and a half patience, and one that a node is missing to for one more half."""
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        node.promoted(FOLLOWS)
    longest = PATIENCE * (1 + (len(THREE) - 1) / 2)
    assert node.stands_from >= node.clock + longest + PATIENCE
    assert node.tells == {"leads": 0, "released": EPOCH}, "they need not wait for it"


@pytest.mark.parametrize(
    "other",
    [
        replace(FOLLOWS, follows=""),
        replace(FOLLOWS, follows="mysql2 of epoch 2"),
        replace(FOLLOWS, member=False),
        replace(FOLLOWS, role=rules.Role.DOWN),
    ],
    ids=["it applies something before, or is copied", "of an epoch before", "its disk is new", "it is down"],
)
def test_it_waits_for_replicas_that_could_not_follow_another_one_sooner(node: PlainNode, other: rules.View) -> None:
    for after in (0.0, LASTS + 0.1, 600):
        node.clock += after
        assert node.promoted(other) is PROMOTING


def test_a_replica_that_comes_and_goes_has_its_time_each_time(node: PlainNode) -> None:
    for seen in ([FOLLOWS], [], [FOLLOWS]):
        assert node.promoted(*seen) is PROMOTING
        node.clock += LASTS
    assert node.promoted(FOLLOWS) is PROMOTING


def test_it_does_not_give_up_what_may_be_written(node: PlainNode) -> None:
    """A replica has connected, and its epoch may be in its log."""
    begun = node.promotes(EPOCH)
    begun.deadline = node.clock + 100
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        assert node.promoted(FOLLOWS) is PROMOTING
    node.clock += 100
    node.promoted(FOLLOWS)
    assert len(node.falls) == 1


@pytest.mark.parametrize("gives_up", [True, False])
def test_an_epoch_that_was_given_up_is_never_written(node: PlainNode, server: Database, *, gives_up: bool) -> None:
    """A replica reaches it at last, when it is one itself."""
    thread = node.begins_epoch(EPOCH)
    assert server.asked.wait(10)
    if gives_up:
        for after in (0.0, LASTS + 0.1):
            node.clock += after
            node.promoted(FOLLOWS)
    server.taken.set()
    thread.join(10)
    assert not thread.is_alive()
    assert server.begun == ([] if gives_up else [EPOCH])


def test_its_database_is_ended_if_it_still_waits_for_replicas(node: PlainNode, server: Database) -> None:
    """What it applies as a replica would wait for ever."""
    server.fails = database.Trouble("no answer")
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        node.promoted(FOLLOWS)
    assert node.falls == ["no answer"]


def test_any_error_ends_the_promotion_and_not_the_keeper(node: PlainNode, server: Database) -> None:
    """The database may be ended, and its connections closed, while it is asked."""
    server.fails = KeyError(2.0)
    thread = node.begins_epoch(EPOCH)
    thread.join(10)
    node.promoted(FOLLOWS)
    assert node.falls == ["KeyError: 2.0"]
