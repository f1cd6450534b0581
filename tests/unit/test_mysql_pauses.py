"""A replica that was paused shows nothing until it has what it missed."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.unit.mysql_replica import PATIENCE, PlainReplica, primary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainReplica:
    """A replica that has everything."""
    made = PlainReplica(tmp_path, monkeypatch)
    assert made.look()
    return made


def test_a_replica_that_was_paused_is_not_read_from_before_it_looks(node: PlainReplica) -> None:
    node.pause(PATIENCE + 1)
    assert node.lagging == 0.0
    assert not node.fresh


def test_it_is_read_from_when_it_has_what_it_missed(node: PlainReplica) -> None:
    """What it hears first may have been said before the pause; what replication says of its lag is of before, too."""
    node.pause(PATIENCE + 1)
    assert not node.look()
    node.later(PATIENCE)
    node.primary = primary(15)
    assert not node.look()
    node.applied = 14
    assert not node.look()
    node.applied = 15
    assert node.look()
    node.primary = primary(99)
    assert node.look(), "later on its lag alone counts"


def test_a_short_break_is_no_pause(node: PlainReplica) -> None:
    node.pause(PATIENCE / 2)
    assert node.fresh
    assert node.look()


def test_what_it_said_is_old_when_it_does_not_look(node: PlainReplica, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    monkeypatch.setattr("lab_node.keeper.node.time", SimpleNamespace(monotonic=lambda: begun + PATIENCE + 0.1))
    assert not node.fresh
