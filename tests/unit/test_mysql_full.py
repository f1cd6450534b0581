"""A full data disk: the primary gives way if others can take over, and a full node is preferred nowhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import rules, wire
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from pathlib import Path

NODES = {f"mysql{number}": f"10.90.0.{50 + number}" for number in (1, 2, 3)}


def _replica(name: str, *, full: bool = False, member: bool = True, position: int = 10) -> rules.View:
    return rules.View(name, rules.Role.REPLICA, promised=1, position=position, member=member, full=full)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """mysql2, one of three, whose data disk has 1,000 bytes left."""
    made = PlainNode(tmp_path, monkeypatch, NODES)
    made.because = ""
    _left(1000, monkeypatch)
    return made


def _left(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_bavail=free, f_frsize=1)
    monkeypatch.setattr("lab_node.keeper.node.os", SimpleNamespace(statvfs=lambda _: disk))


@pytest.mark.parametrize("role", [rules.Role.PRIMARY, rules.Role.PROMOTING])
def test_a_leading_node_steps_down_if_the_others_can_elect_one(node: PlainNode, role: rules.Role) -> None:
    node.role, node.epoch = role, 1
    assert node.gives_way(_replica("mysql1"), _replica("mysql3"))
    assert node.falls == ["its data disk is full"]


@pytest.mark.parametrize(
    "third",
    [_replica("mysql3", full=True), _replica("mysql3", member=False), rules.View("mysql3", rules.Role.DOWN), None],
    ids=["full too", "new", "down", "not heard"],
)
def test_it_leads_on_if_they_can_not(node: PlainNode, third: rules.View | None) -> None:
    node.role, node.epoch = rules.Role.PRIMARY, 1
    assert not node.gives_way(_replica("mysql1"), *([third] if third else []))
    assert node.falls == []
    assert node.state()["because"] == "its data disk is full"


def test_with_space_nothing_is_changed(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    _left(2 << 20, monkeypatch)
    node.role, node.epoch = rules.Role.PRIMARY, 1
    assert not node.gives_way(_replica("mysql1"), _replica("mysql3"))
    assert node.state()["because"] != "its data disk is full"


def test_a_full_replica_is_not_read_from(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """It receives nothing more, and says that it has applied all that it has."""
    node.asked_at = node.clock + 0.1
    assert not any(node.look() for _ in range(3))
    _left(2 << 20, monkeypatch)
    assert any(node.look() for _ in range(3))


def test_it_starts_no_database_until_there_is_space(node: PlainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    started = node.starts()
    assert started == []
    assert "mariadbd starts when there is space" in node.state()["because"]
    _left(2 << 20, monkeypatch)
    assert node.starts() == ["mariadbd"]


def test_the_one_with_space_is_preferred_unless_its_log_is_shorter() -> None:
    full, free = _replica("mysql1", full=True), _replica("mysql3")
    assert (rules.rank(full, [free]), rules.rank(free, [full])) == (1, 0)
    shorter = _replica("mysql3", position=9)
    assert (rules.rank(full, [shorter]), rules.rank(shorter, [full])) == (0, 1)


def test_others_are_told_of_it_and_an_older_version_says_nothing(node: PlainNode) -> None:
    state = node.state()
    assert wire.view(state).full
    del state["full"]
    assert not wire.view(state).full
