"""The lab's own solutions meet what the lessons ask for in seconds, on emulated processors too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED, REAL
from lab.evidence import written
from lab.evidence.outcomes import question
from lab.evidence.promises import promise
from lab.learning import bounds, starting
from lab.learning.library import Lesson, lesson, lessons
from lab.learning.values import filled
from lab.lifecycle import resolve
from lab.progress import Silent
from lab.topology import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.clock import Clock
    from lab.learning.attempt import Attempt

VOLUME = "/bricks/glusterd/vols/www/info"
ASKED = [one for one in lessons() if any(put.get("asks") for task in one.data.tasks for _, put in task.checks)]
CLOCKS = pytest.mark.parametrize("clock", [REAL, EMULATED], ids=["real", "emulated"])


def _solved(one: Lesson, clock: Clock) -> Attempt:
    """A lesson whose nodes have the files of all its solutions, and what GlusterFS notes of the volume."""
    backend = MemoryBackend("golden", Capabilities("memory", frozenset({"fuse"})))
    backend.clock = clock
    begun = starting.start(one, backend, Silent())
    for task in one.data.tasks:
        begun.solve(task)
    storage = begun.scene.cluster.storage
    if storage:
        setting = f"network.ping-timeout={storage.ping_timeout}\n"
        backend.put("storage1", {VOLUME: (setting.encode(), 0o600)})
    return begun


def _bounds(made: Attempt) -> Iterator[tuple[str, float, float]]:
    """Each bound by the values of the solutions: the task, the bound, what is asked for."""
    for task in made.lesson.data.tasks:
        for kind, parameters in task.checks:
            told: Any = question(kind, filled(parameters, made.known)).parameters
            if kind == "promise" and told.asks:
                values = written.read(made.backend, told.reads)
                bound = promise(told.promise).bound(made.scene.cluster, values)
                assert bound is not None
                yield task.id, bound, told.asks
            elif kind in ("outage", "file-writes") and told.formula:
                allowed = written.allowed(told.formula, written.read(made.backend, told.reads))
                assert allowed is not None, f"{task.id}: a value is missing"
                yield task.id, allowed, told.asks


@CLOCKS
@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.name)
def test_a_solution_meets_what_its_lesson_asks_for(one: Lesson, clock: Clock) -> None:
    for task, bound, asked in _bounds(_solved(one, clock)):
        assert bound < asked, f"{task} of {one.name}: {bound} s, asked for {asked} s"


def test_there_are_bounds_of_each_kind() -> None:
    found = {(one.name, task) for one in ASKED for task, *_ in _bounds(_solved(one, REAL))}
    assert {("03-http-lb", "dies"), ("03-http-lb", "unnoticed"), ("02-shared-filesystem", "hangs")} < found
    assert {("08-tcp-lb", "moves"), ("14-two-holders", "moves"), ("11-believes-every-check", "soon")} < found


def test_the_timers_of_slow_nodes_would_be_above_what_is_asked_for() -> None:
    """What the lesson's topology keeps them from; all other options have them."""
    one, backend = lesson(3), MemoryBackend("golden")
    backend.clock = EMULATED
    kept = resolve.timers(one.cluster("golden"), backend)
    gentle = resolve.timers(load(one.topology, name="golden"), backend)
    assert kept.http_lb is not None
    assert gentle.http_lb is not None
    leaves = promise("web-node-leaves")
    assert (leaves.bound(kept), leaves.bound(gentle)) == (2.2, 17.0)
    assert kept.http_lb.answer_timeout == gentle.http_lb.answer_timeout == 10
    assert bounds.options(lesson(12).data) == []
