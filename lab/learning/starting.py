"""Start, catch-up and reset: the cluster of a lesson is made, and removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.backends.optional import notes
from lab.errors import LabError, SpecError
from lab.faults import heal
from lab.hints import nearest
from lab.learning import progress
from lab.learning.admission import admit
from lab.learning.attempt import attempt, opened
from lab.learning.library import lessons
from lab.learning.progress import OPEN
from lab.lifecycle import hand
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.progress import Once
from lab.topology.ports import OFF

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.learning.attempt import Attempt
    from lab.learning.lesson import Task
    from lab.learning.library import Lesson
    from lab.progress import Report
    from lab.topology import Cluster

WIPE = 'for folder in "$@"; do find "$folder" -mindepth 1 -delete; done'


def start(lesson: Lesson, backend: Backend, report: Report, cluster: Cluster | None = None) -> Attempt:
    """Creates the cluster of a lesson, or continues with it; breaks it where it is a repair lesson.

    `cluster`: the topology with the command line's changes to it.

    Raises:
        SpecError: the cluster was made by no lesson.
    """
    notes(backend)  # refuses a backend that keeps none
    admit(backend)
    before = progress.current(backend)
    if before and before != lesson.name:
        report.say(f"removing the cluster of the lesson {before}; how far it is stays noted")
        _clear(backend, report)
    if _begins_again(lesson, backend):
        earlier = progress.read(backend, lesson.name)
        if any(task.last != OPEN for task in earlier.tasks.values()):
            report.say("the lesson begins again, on new nodes: its tasks are open; tries and hints stay counted")
        progress.keep(backend, earlier.begun_again())
    _bring_up(lesson, cluster or lesson.cluster(backend.cluster), backend, report)
    current = attempt(lesson, backend)
    if not current.progress.broken:
        for step in lesson.data.broken:
            current.do(step, f"the fault of the lesson {lesson.name}")
        progress.keep(backend, replace(current.progress, broken=True))
    if not current.progress.begun:  # what its cluster needed is no time of the person's
        progress.keep(backend, current.progress.begun_now())
    return current


def _begins_again(lesson: Lesson, backend: Backend) -> bool:
    """Whether nothing is left of what was done of a lesson: no node is there, or `catch_up` made those by hand."""
    existing = backend.observe()
    done = {node.name for node in existing.nodes if node.fixed.by_hand}
    planned = {node.name for node in attempt(lesson, backend).scene.plan.nodes if node.by_hand}
    return not existing.nodes or (bool(planned) and not planned & done)


def catch_up(number: int, backend: Backend, report: Report) -> Lesson:
    """Makes the cluster as it is after the lesson before a number: with nothing by hand and nothing broken.

    Raises:
        SpecError: there is no such lesson, or none before it.
    """
    known = {each.number: each for each in lessons()}
    if number not in known:
        raise SpecError(
            f"there is no lesson {number}; {nearest(str(number), list(map(str, known)), 'there are')}",
            next_step="'lab learn list' lists them",
        )
    before = [each for each in known.values() if each.number < number]
    if not before:
        raise SpecError(
            f"nothing comes before the lesson {number}", next_step=f"'lab learn start {number}' begins with it"
        )
    notes(backend)  # refuses a backend that keeps none
    admit(backend)
    last = before[-1]
    removed = progress.current(backend)
    if removed:
        report.say(f"removing the cluster of the lesson {removed}; how far it is stays noted")
        _healed(backend, report)
        _clear(backend, report)
    progress.keep(backend, replace(progress.read(backend, last.name), broken=False))
    _bring_up(last, last.cluster(backend.cluster).model_copy(update={"by_hand": {}}), backend, report)
    return last


def reset_node(name: str, backend: Backend, report: Report) -> list[Task]:
    """Creates a node of the lesson again, without what was written on it and on its volumes.

    Returns:
        The tasks that are open again: their checks concern that node, and were made.

    Raises:
        SpecError: the lesson has no such node.
    """
    current = opened(backend)
    planned = {node.name: node for node in current.scene.plan.nodes}
    if name not in planned:
        raise SpecError(f"the lesson {current.lesson.name} has no node '{name}'; {nearest(name, planned)}", where=name)
    cluster, report = _as_made(current), Once(report)
    progress.begin(backend, current.lesson.name, cluster.source)  # the lab may have moved since
    existing = backend.observe().node(name)
    if existing:
        if existing.state is State.RUNNING:
            backend.stop(name)
        backend.remove(name)
    again = _open_again(current, name)
    up(cluster, backend, report)
    folders = list(planned[name].volumes.values())
    if folders:
        hand.booted(backend, name)
        backend.run(name, ["sh", "-c", WIPE, "wipe", *folders])
        backend.stop(name)
        up(cluster, backend, report)
    return again


def _open_again(current: Attempt, node: str) -> list[Task]:
    """Opens the tasks whose checks saw a node that is removed."""
    done = current.progress
    again = [task for task in current.lesson.data.tasks if task.concerns(node) and done.of(task.id).last != OPEN]
    progress.keep(current.backend, done.without_node(node).opened_again(task.id for task in again))
    return again


def _as_made(current: Attempt) -> Cluster:
    """The lesson's topology with the family and the published ports of the cluster that exists."""
    existing = current.backend.observe()
    cluster = current.lesson.cluster(current.backend.cluster, family=existing.family)
    ports = {name: existing.ports.get(name, OFF) for name in cluster.ports.by_name()} if existing.nodes else {}
    return cluster.model_copy(update={"ports": cluster.ports.changed(ports)})


def reset(backend: Backend, report: Report) -> str:
    """Removes the lesson's cluster with its data, and what was noted of the lesson; returns the lesson's name.

    Raises:
        SpecError: no lesson was started, or no lesson made the cluster.
    """
    admit(backend)
    name = progress.current(backend)
    if not name:
        raise SpecError(
            f"no lesson was started on the cluster '{backend.cluster}'", next_step="'lab learn list' lists them"
        )
    _clear(backend, report)
    progress.forget(backend, name)
    return name


def _clear(backend: Backend, report: Report) -> None:
    """Removes the nodes and the data; how far lessons are stays noted. Can be repeated after an interruption."""
    with progress.preserved(backend):
        down(backend, report, volumes=True)
    progress.end(backend)


def _healed(backend: Backend, report: Report) -> None:
    """Reverts the active faults; one that can't be reverted goes with its node."""
    try:
        heal(backend)
    except LabError as error:
        report.warn(f"a fault was not reverted, and is removed with its node: {error.what}")


def _bring_up(lesson: Lesson, cluster: Cluster, backend: Backend, report: Report) -> None:
    """Creates the cluster of a lesson.

    It is noted first: an interrupted start is continued by the next one. `up` may remove a first attempt, and with it
    the notes.
    """
    progress.begin(backend, lesson.name, cluster.source)
    with progress.preserved(backend):
        up(cluster, backend, report)
