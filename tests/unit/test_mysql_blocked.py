"""A primary steps down whose commit waits for a replica that only a copy can mend: the copy waits for the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import rules
from tests.unit.mysql_replica import PATIENCE, PlainNode

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 2 * rules.SPAN
LASTS = 3 * PATIENCE


def _replica(position: int) -> rules.View:
    return rules.View("mysql1", rules.Role.REPLICA, promised=2, position=position, member=True)


WENT_ON, FOLLOWS = _replica(12), _replica(EPOCH)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """The primary of epoch 2, which began after 10; a commit waits."""
    made = PlainNode(tmp_path, monkeypatch)
    made.role, made.epoch, made.position = rules.Role.PRIMARY, 2, EPOCH
    made.history, made.waiting = ((1, 0), (2, 10)), True
    return made


def test_it_steps_down_when_this_lasts(node: PlainNode) -> None:
    for after, falls in ((0.0, 0), (LASTS, 0), (0.1, 1)):
        node.clock += after
        node.lead(WENT_ON)
        assert len(node.falls) == falls
    assert "waits for the only replica" in node.falls[0]


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
