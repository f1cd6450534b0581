"""A replica that was paused shows nothing until it has what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.mysql_replica import PATIENCE, PlainNode, primary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """A replica that has everything."""
    made = PlainNode(tmp_path, monkeypatch)
    made.asked_at += 0.1
    assert made.look()
    return made


def test_a_replica_that_was_paused_is_not_read_from_before_it_looks(node: PlainNode) -> None:
    """Its keeper, or its database alone: what replication said of its lag stands as it was."""
    node.clock += PATIENCE + 1
    assert node.lagging == 0.0
    assert not node.fresh


def test_it_is_read_from_when_it_has_what_it_missed(node: PlainNode) -> None:
    """What it hears first may have been said before the pause; what replication says of its lag is of before, too."""
    node.clock += PATIENCE + 1
    assert not node.look()
    node.primary = primary(15)
    assert not node.look(), "this was asked before"
    node.asked_at = node.clock
    assert not node.look()
    node.applied = 14
    assert not node.look()
    node.applied = 15
    assert node.look()
    node.primary = primary(99)
    assert node.look(), "later on its lag alone counts"


def test_a_short_break_is_no_pause(node: PlainNode) -> None:
    node.clock += PATIENCE / 2
    assert node.fresh
    assert node.look()


def test_one_that_has_just_connected_has_to_catch_up_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first event has come, replication says 0 seconds."""
    node = PlainNode(tmp_path, monkeypatch)
    assert not node.look()
    node.asked_at = node.clock
    assert node.look()


@pytest.mark.parametrize(("wanted", "said"), [("", ""), ("asked for", "cloning mysql1: asked for")])
def test_a_copy_that_was_begun_before_it_led_is_no_reason(node: PlainNode, wanted: str, said: str) -> None:
    """Its node was a primary meanwhile: it said for ever why no primary could be elected."""
    node.copies_since(wanted)
    assert node.look()
    assert node.because == said
