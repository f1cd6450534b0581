"""While nodes have different times, one that has answered a primary elects no other before that one is left alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import promise
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from pathlib import Path

LONG = 20.0


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    """A replica of epoch 1, which has answered nobody for long."""
    made = PlainNode(tmp_path, monkeypatch)
    made.clock += 100
    return made


def test_a_primary_with_longer_times_is_not_replaced_before_they_are_over(node: PlainNode) -> None:
    node.heard(leads=1, silence=LONG)
    node.wait()
    assert not node.promises(2)
    node.clock += LONG - node.settings.silence - 0.1
    assert not node.promises(2)
    node.clock += 0.2
    assert node.promises(2)


@pytest.mark.parametrize("told", [0.0, 0.5], ids=["an older primary", "shorter times"])
def test_its_own_times_are_the_least_that_a_node_waits(node: PlainNode, told: float) -> None:
    node.heard(leads=1, silence=told)
    node.clock += node.settings.silence - 0.1
    assert not node.promises(2)
    node.clock += 0.2
    assert node.promises(2)


def test_the_times_of_the_last_primary_count(node: PlainNode) -> None:
    node.heard(leads=1, silence=LONG)
    node.heard(leads=0, silence=2 * LONG)  # no primary: by its answer nobody leads
    node.heard(leads=2, silence=1.0)
    node.wait()
    assert node.promises(3)


def test_a_primary_whose_database_ended_is_not_waited_for(node: PlainNode) -> None:
    node.heard(leads=1, silence=LONG)
    node.heard(released=1, silence=LONG)
    assert node.promises(2)


def test_a_restart_with_shorter_times_forgets_nothing(
    node: PlainNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom it answered before the restart may have the longer ones still, and never be heard again."""
    node.heard(leads=1, silence=LONG)
    restarted = PlainNode(tmp_path, monkeypatch)
    restarted.wait()
    assert not restarted.promises(2)
    restarted.clock += LONG
    assert restarted.promises(2)


@pytest.mark.parametrize("silence", [-1.0, float("nan"), float("inf"), 1e9])
def test_what_is_no_time_is_refused(node: PlainNode, silence: float) -> None:
    with pytest.raises(ValueError, match="silence"):
        node.heard(leads=1, silence=silence)
    assert node.promises(2), "it was not answered"


def test_what_is_kept_at_the_same_time_is_all_kept(tmp_path: Path) -> None:
    """A primary is answered while the node acts."""
    kept = promise.Promise(tmp_path / "keeper.json", "replication")

    def acts() -> None:
        for epoch in range(1, 40):
            kept.keep(epoch=epoch)

    def answers() -> None:
        for seconds in range(1, 40):
            kept.keep(silence=float(seconds))

    threads = [threading.Thread(target=acts), threading.Thread(target=answers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in (kept, promise.Promise(tmp_path / "keeper.json", "replication")):
        assert (one.epoch, one.silence) == (39, 39.0)
