"""A lesson beside the live picture of its cluster: its text task by task, and what the checks said."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from lab.errors import LabError, SpecError
from lab.learning import progress
from lab.learning.attempt import PATIENCE, opened
from lab.learning.blocks import blocks
from lab.learning.report import state
from lab.learning.text import AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend
    from lab.learning.attempt import Attempt
    from lab.learning.lesson import Task
    from lab.learning.progress import LessonProgress
    from lab.page.watch import Look

AGAIN_SECONDS = 5.0
"""After which a lesson that could not be read is read again."""

SHOWN = {"green": "done", "solved": "done", "red": "failed", "open": "open"}
"""The states of a task as the page calls them, by those of `report.state`."""


class LessonPanel:
    """The panel of the live page (`lab.page.routes.Panel`) with the lesson of the cluster; empty where it has none."""

    def __init__(self, backend: Backend, suffix: str = "") -> None:
        """Shows lessons of a cluster.

        Args:
            backend: of the cluster.
            suffix: options that say which cluster, for the shown commands.
        """
        self._backend, self._suffix = backend, suffix
        self._attempt: Attempt | None = None
        self._of: tuple[object, ...] = ()
        self._read = 0.0
        self._error: LabError | None = None
        self._shown: tuple[LessonProgress, Mapping[str, Any]] | None = None
        self._acting = threading.Lock()

    def lesson(self, look: Look) -> Mapping[str, Any]:
        """What is shown, by what the engine has: the cluster's nodes, and the notes of how far the lesson is."""
        name = progress.current_of(look.notes)
        if not name or not look.existing.nodes:
            self._attempt, self._of = None, ()
            return {}
        current = self._current(name, look)
        done = progress.all_noted(look.notes).get(name, progress.LessonProgress(name))
        if self._shown is None or self._shown[0] != done:
            self._shown = done, self._content(current, done)
        return self._shown[1]

    def _content(self, current: Attempt, done: LessonProgress) -> Mapping[str, Any]:
        tasks = current.lesson.data.tasks
        following = next((task for task in tasks if done.of(task.id).green is None), None)
        shown: dict[str, Any] = {
            "title": f"Part {current.lesson.data.part}: {current.lesson.data.title}",
            "text": blocks(_body(current.text("intro"))),
            "tasks": [_task(current, task, done, task is following) for task in tasks],
            "actions": self._actions(following),
        }
        if following is None:
            shown["after"] = [
                {
                    "id": each,
                    "says": current.lesson.text.sections[each].title,
                    "text": blocks(_body(current.text(each))),
                }
                for each in AFTER
            ]
        return shown

    def act(self, verb: str, values: Mapping[str, str]) -> str:
        """Does one of the actions to the open task, or to that of `values`; one at a time.

        Raises:
            SpecError: there is no such action or task, no lesson, or another action is under way.
        """
        acts: dict[str, Callable[[Attempt, Task], str]] = {"check": _checked, "hint": _hinted}
        if verb not in acts:
            raise SpecError(f"there is no action '{verb}'")
        if not self._acting.acquire(blocking=False):
            raise SpecError("a check is under way", next_step="wait for its answer")
        try:
            current = opened(self._backend)
            task = current.lesson.task(values["task"]) if values.get("task") else current.next
            if task is None:
                return "all tasks are green"
            return acts[verb](current, task)
        finally:
            self._acting.release()

    def _current(self, name: str, look: Look) -> Attempt:
        """The lesson on the cluster that exists; read again where either is another one.

        Raises:
            LabError: it can't be read, or the cluster was changed since it began.
        """
        of = (name, look.existing.network, *(node.name for node in look.existing.nodes))
        if of == self._of and self._error is not None and time.monotonic() < self._read + AGAIN_SECONDS:
            raise self._error
        if self._attempt is None or of != self._of:
            self._of, self._read, self._error = of, time.monotonic(), None
            self._attempt = self._shown = None
            try:
                self._attempt = opened(self._backend)
            except LabError as error:
                self._error = error
                raise
        return self._attempt

    def _actions(self, task: Task | None) -> list[dict[str, str]]:
        if task is None:
            return []
        labels = {"check": "Check", "hint": "Hint"}
        return [
            {"verb": verb, "label": label, "command": " ".join(filter(None, ("lab learn", verb, self._suffix)))}
            for verb, label in labels.items()
        ]


def _body(text: str) -> str:
    """A section without its heading, which the page shows itself."""
    first, _, rest = text.partition("\n")
    return rest if first.startswith("#") else text


def _task(current: Attempt, task: Task, done: LessonProgress, following: bool) -> dict[str, Any]:  # noqa: FBT001
    of = done.of(task.id)
    shown = SHOWN[state(of)]
    entry: dict[str, Any] = {
        "id": task.id,
        "says": task.title,
        "state": "unknown" if shown == "failed" and of.reason == "unknown" else shown,
        "next": following,
        "text": blocks(_body(current.text(task.id))),
    }
    if of.says:
        entry["figure"] = f"{of.says} ({of.figure})" if of.figure not in of.says else of.says
    if following:
        reason = current.reason_hint(task, of.reason)
        steps = current.hints(task)[: of.hints]
        entry["hints"] = [blocks(text) for text in filter(None, (reason, *steps))]
    return entry


def _checked(current: Attempt, task: Task) -> str:
    outcome = current.check(task, min(task.within, PATIENCE))
    return f"{task.title}: {outcome.colour.value}"


def _hinted(current: Attempt, task: Task) -> str:
    shown = len(current.hint(task))
    return f"hint {shown} of {len(task.hints.steps)} to: {task.title}"
