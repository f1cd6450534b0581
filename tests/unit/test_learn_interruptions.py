"""Lessons that are interrupted, or caught up with where they were started: nothing that was noted is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.faults import present
from lab.learning import progress, starting
from lab.learning.library import lesson
from lab.lifecycle.up import up
from lab.progress import Silent
from tests.unit.backends import NeverReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.plan import NodePlan, Plan


class Interrupted(MemoryBackend):
    """Is interrupted, as by Ctrl-C: before it creates a node, or after it removed the notes and before the data."""

    at = ""

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        if self.at == "create":
            raise KeyboardInterrupt
        super().create(plan, node, files)

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> Sequence[str]:
        left = super().clear(volumes=volumes, keep=keep)
        if self.at == "clear":
            self._data = True
            raise KeyboardInterrupt
        return left


@pytest.fixture
def begun() -> Interrupted:
    """An engine with the lesson 8 on it, and the progress of the lesson 1."""
    backend = Interrupted("golden")
    first = starting.start(lesson(1), backend, Silent())
    progress.keep(backend, first.progress.changed("php", tries=3))
    starting.start(lesson(8), backend, Silent())
    return backend


@pytest.mark.parametrize(
    "verb",
    [
        lambda backend: starting.start(lesson(3), backend, Silent()),
        lambda backend: starting.catch_up(2, backend, Silent()),
        lambda backend: starting.reset(backend, Silent()),
    ],
    ids=["start", "catch-up", "reset"],
)
def test_an_interrupted_removal_loses_no_progress_and_can_be_repeated(
    begun: Interrupted, verb: Callable[[Interrupted], object]
) -> None:
    begun.at = "clear"
    with pytest.raises(KeyboardInterrupt):
        verb(begun)
    assert progress.read(begun, "01-web-server").of("php").tries == 3
    assert progress.current(begun) == "08-tcp-lb", "what is left is still the lesson's"
    begun.at = ""
    verb(begun)
    assert progress.read(begun, "01-web-server").of("php").tries == 3
    assert progress.current(begun) != "08-tcp-lb"


def test_an_interrupted_catch_up_is_continued() -> None:
    backend = Interrupted("golden")
    backend.at = "create"
    with pytest.raises(KeyboardInterrupt):
        starting.catch_up(2, backend, Silent())
    assert progress.current(backend) == "01-web-server"
    backend.at = ""
    assert starting.catch_up(2, backend, Silent()).number == 1
    assert backend.observe().nodes


def test_catch_up_where_that_lesson_was_started_reverts_faults_and_begins_with_empty_nodes() -> None:
    backend = MemoryBackend("golden")
    attempt = starting.start(lesson(1), backend, Silent())
    progress.keep(backend, replace(attempt.progress, broken=True))
    backend.stop("web1")
    fault = {"kind": "stop", "nodes": ["web1"]}
    backend.note("fault-12345678", json.dumps({"fault": fault, "begun": 1.0, "facts": {}, "proof": ""}))
    assert [injected.mark for injected in present(backend)] == ["12345678"]
    backend.done.clear()
    starting.catch_up(2, backend, Silent())
    assert present(backend) == []
    assert backend.done.index("start web1") < backend.done.index("remove web1"), "the fault was reverted first"
    assert "clear volumes=True" in backend.done
    assert not progress.read(backend, "01-web-server").broken


def test_a_lesson_stays_noted_where_up_falls_back_to_another_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "up", partial(up, seconds=1))
    backend = NeverReady("golden")
    starting.start(lesson(8), backend, Silent())
    assert backend.observe().family == "debian"
    assert "clear volumes=True" in backend.done
    assert progress.current(backend) == "08-tcp-lb"
