"""A database that does not start: its node is copied by itself, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.keeper import node as of_all
from lab_node.keeper import server
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    return PlainNode(tmp_path, monkeypatch)


def test_a_database_that_does_not_start_is_copied_after_three_tries(node: PlainNode) -> None:
    assert [node.dead(starts=starts) for starts in (1, 2, 3)] == ["", "", of_all.DEAD]
    assert node.because == "mariadbd does not start; it waits for a copy of another node's data"


def test_where_it_does_not_start_on_a_copy_either_no_other_is_made(node: PlainNode) -> None:
    """Data is not the cause, and a copy is a load on the primary."""
    node.dead(starts=3)
    node.gets_copy()
    assert node.dead(starts=9) == ""
    assert "nor does it on a copy" in node.because
    node.reclone()
    node.gets_copy()  # as a person wants, whatever that is good for
    assert node.dead(starts=3) == of_all.DEAD


def test_one_that_starts_after_all_wants_no_copy(node: PlainNode) -> None:
    """As where memory was short; and when it does not start again after that, its data may be the cause."""
    node.dead(starts=3)
    node.comes_back()
    assert node.dead(starts=2) == ""
    assert node.dead(starts=3) == of_all.DEAD


def test_a_copy_that_a_person_asked_for_stays_so(node: PlainNode) -> None:
    node.dead()
    node.reclone()
    assert node.dead(starts=3) == of_all.ASKED


def test_without_other_nodes_its_log_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = PlainNode(tmp_path, monkeypatch, {"mysql2": "10.90.0.52"})
    assert alone.dead(starts=3) == ""
    assert alone.because == "mariadbd does not start; its log has the reason"


@pytest.mark.parametrize(
    ("seconds", "answer", "failures"), [(3, "none", 3), (300, "none", 3), (3, "served", 3), (300, "served", 1)]
)
def test_a_start_has_failed_that_ended_soon_or_never_served(
    monkeypatch: pytest.MonkeyPatch, seconds: float, answer: str, failures: int
) -> None:
    """A recovery may take minutes, and fail."""
    clock = [1000.0]
    process = SimpleNamespace(poll=lambda: 1)
    monkeypatch.setattr("lab_node.keeper.server.subprocess", SimpleNamespace(Popen=lambda *_, **__: process))
    monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    mariadbd = server.Server(cast("Any", SimpleNamespace(binaries={"mariadbd": "mariadbd"})))
    for _ in range(3):
        mariadbd.run([])
        mariadbd.served = answer == "served"
        clock[0] += seconds
        assert mariadbd.ended()
    assert mariadbd.failures == failures
