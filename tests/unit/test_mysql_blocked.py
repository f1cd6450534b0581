"""A primary steps down whose commit waits for a replica that only a copy can mend: the copy waits for the commit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import rules
from tests.unit.mysql_replica import NODES, PATIENCE, PlainNode

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 2 * rules.SPAN
LASTS = 3 * PATIENCE


def _replica(position: int) -> rules.View:
    return rules.View("mysql1", rules.Role.REPLICA, promised=2, position=position, member=True)


WENT_ON, FOLLOWS = _replica(12), _replica(EPOCH)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """The primary of epoch 2, which began after 10, of two nodes; a commit waits."""
    return _primary(PlainNode(tmp_path, monkeypatch))


def _primary(made: PlainNode) -> PlainNode:
    made.role, made.epoch, made.position = rules.Role.PRIMARY, 2, EPOCH
    made.history, made.waiting = ((1, 0), (2, 10)), True
    return made


def test_it_steps_down_when_this_lasts(node: PlainNode) -> None:
    for after, falls in ((0.0, 0), (LASTS, 0), (0.1, 1)):
        node.clock += after
        node.lead(WENT_ON)
        assert len(node.falls) == falls
    assert "waits for the only replica" in node.falls[0]


def test_it_steps_down_for_a_replica_that_the_log_does_not_bring_up(node: PlainNode) -> None:
    """The primary has removed the log from which that one would go on."""
    wants = dataclasses.replace(FOLLOWS, wants_copy=True)
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        node.lead(wants)
    assert len(node.falls) == 1


def test_one_in_promotion_does_not_wait_for_replicas_that_need_a_copy(node: PlainNode) -> None:
    """They had connected, and could not read the log on to the new epoch."""
    wants = dataclasses.replace(FOLLOWS, wants_copy=True)
    for after, falls in ((0.0, 0), (LASTS, 0), (0.1, 1)):
        node.clock += after
        node.begins(wants)
        assert len(node.falls) == falls


def test_one_in_promotion_waits_for_a_replica_that_follows(node: PlainNode) -> None:
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        node.begins(dataclasses.replace(FOLLOWS, wants_copy=True), FOLLOWS)
    assert node.falls == []


def test_it_stays_when_it_could_not_be_elected_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three, one is dead, and a new disk gives no vote that counts: the rows could be read no more."""
    node = _primary(PlainNode(tmp_path, monkeypatch, NODES | {"mysql3": "10.90.0.53"}))
    new = dataclasses.replace(FOLLOWS, wants_copy=True, member=False)
    for after in (0.0, LASTS + 0.1):
        node.clock += after
        node.lead(new)
    assert node.falls == []


@pytest.mark.parametrize("other", ["it follows", "no commit waits", "it hands over"])
def test_what_does_not_last_is_no_reason(node: PlainNode, other: str) -> None:
    node.lead(WENT_ON)
    node.clock += LASTS
    node.waiting, node.handing_over = other != "no commit waits", other == "it hands over"
    node.lead(FOLLOWS if other == "it follows" else WENT_ON)
    node.waiting, node.handing_over = True, False
    node.clock += 0.1
    node.lead(WENT_ON)
    assert node.falls == []
