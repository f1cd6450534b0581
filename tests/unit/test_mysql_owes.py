"""A node whose log was put back by a copy votes as a member for whoever has what it owes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import rules
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from pathlib import Path

OWED = 20


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """A replica at 10 that had 20."""
    made = PlainNode(tmp_path, monkeypatch)
    made.promise.keep(owes=OWED)
    made.wait()
    return made


@pytest.mark.parametrize(("position", "counts"), [(OWED - 1, False), (OWED, True), (OWED + 1, True)])
def test_its_vote_counts_for_whom_it_could_elect_with_its_own_log(
    node: PlainNode,
    position: int,
    counts: bool,  # noqa: FBT001
) -> None:
    answer = node.vote(epoch=5, position=position, candidate="mysql3", agreed=0)
    assert (answer["granted"], answer["member"]) == (True, counts)


@pytest.mark.parametrize(("position", "stands"), [(OWED - 1, False), (OWED, True)])
def test_two_of_three_elect_while_one_runs_on_its_copy(node: PlainNode, position: int, stands: bool) -> None:  # noqa: FBT001
    """The third, with all that was acknowledged, could not be elected while the primary was lost."""
    told = node.me()
    assert (told.member, told.owes) == (False, OWED)
    third = rules.View("mysql3", rules.Role.REPLICA, promised=1, position=position, member=True)
    assert rules.may_stand(third, [told], [{"mysql1", "mysql2", "mysql3"}]) is stands


def test_what_is_owed_is_over_when_the_log_is_as_long(node: PlainNode) -> None:
    node.position = OWED
    told = node.me()
    assert (told.member, told.owes) == (True, 0)
