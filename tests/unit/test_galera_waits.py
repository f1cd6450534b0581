"""What a Galera node waits for without its lock: others are answered meanwhile."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.test_galera_node import NAMES, PlainGalera, _seat

from lab_node.keeper import wsrep  # isort: skip  after the libraries that stand in
from lab_node.keeper.rules import Role  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainGalera:
    """One whose database has ended, as those of the others."""
    monkeypatch.setattr(wsrep, "STATE", tmp_path / "grastate.dat")
    made = PlainGalera(tmp_path, monkeypatch)
    made.stops()
    made.views = [_seat(name, running=False, component=False, role=Role.DOWN, position=3) for name in NAMES[1:]]
    return made


def _answer(node: PlainGalera) -> str:
    """What a candidate hears in another thread; empty: it gets the vote."""
    heard: list[str] = []
    asking = threading.Thread(target=lambda: heard.append(node.refusal("mysql2")))
    asking.start()
    asking.join(10)
    assert heard, "no answer"
    return heard[0]


def test_a_vote_is_refused_and_not_waited_for_while_the_disk_is_read(
    node: PlainGalera, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def reads(_: str) -> tuple[str, int]:
        heard.append(_answer(node))
        return "uuid", 7

    monkeypatch.setattr(wsrep, "recovered", reads)
    node.forgets()
    node.step()
    assert heard == ["it has not read its disk yet"]
    assert node.runs == [], "what the others said is old by now"
    node.peers = cast("Any", _voters(node, lambda: None))
    node.step()
    assert node.runs == [["--wsrep-start-position=uuid:7", "--wsrep-new-cluster"]]


def test_a_node_that_votes_while_it_asks_for_votes_begins_nothing(node: PlainGalera) -> None:
    """Both could begin the same epoch otherwise."""
    heard: list[str] = []
    node.peers = cast("Any", _voters(node, lambda: heard.append(_answer(node))))
    node.step()
    assert heard == [""]
    assert (node.runs, node.promise.epoch) == ([], 3)
    assert "got this node's own vote" in node.because


def _voters(node: PlainGalera, meanwhile: Callable[[], None]) -> SimpleNamespace:
    """Both others, who vote for this node."""

    def ask_all(*_: object, **__: object) -> list[dict[str, object]]:
        meanwhile()
        return [{"name": name, "granted": True, "because": ""} for name in NAMES[1:]]

    return SimpleNamespace(states=lambda: node.views, ask_all=ask_all)
