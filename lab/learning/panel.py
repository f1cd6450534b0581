"""A lesson beside the live picture of its cluster: its text task by task, and what the checks said."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from lab.errors import LabError, SpecError
from lab.learning import progress
from lab.learning.attempt import PATIENCE, opened
from lab.learning.blocks import blocks
from lab.learning.ending import TITLE, ending
from lab.learning.report import state
from lab.learning.text import AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend
    from lab.learning.attempt import Attempt
    from lab.learning.blocks import Block
    from lab.learning.lesson import Task
    from lab.learning.progress import LessonProgress
    from lab.page.watch import Look

    class Named(Protocol):
        """Adds the options that say which cluster."""

        def text(self, text: str) -> str:
            """To each command of a text."""

        def command(self, line: str) -> str:
            """To one command."""


AGAIN_SECONDS = 5.0
"""After which a lesson that could not be read is read again."""

LABELS = {"check": "Check", "hint": "Hint"}
SHOWN = {"green": "done", "solved": "done", "red": "failed", "unknown": "unknown", "open": "open"}
"""The states of a task as the page calls them, by those of `report.state`."""


class LessonPanel:
    """The panel of the live page (`lab.page.routes.Panel`) with the lesson of the cluster; empty where it has none."""

    def __init__(self, backend: Backend, suffix: str = "", named: Named | None = None) -> None:
        """Shows lessons of a cluster.

        Args:
            backend: of the cluster.
            suffix: options that say which cluster, for the shown commands.
            named: adds such options to the commands of the texts, and to those that take not all of them.
        """
        self._backend, self._suffix, self._named = backend, suffix, named
        self._start = ""
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
        self._start = self._command(f"lab learn start {current.lesson.number}")
        done = progress.all_noted(look.notes).get(name, progress.LessonProgress(name))
        if self._shown is None or self._shown[0] != done:
            self._shown = done, self._content(current, done)
        return self._shown[1]

    def again(self) -> str:
        """The command that makes the cluster of the lesson again; empty before one was shown."""
        return self._start

    def _content(self, current: Attempt, done: LessonProgress) -> Mapping[str, Any]:
        tasks = current.lesson.data.tasks
        following = next((task for task in tasks if done.of(task.id).green is None), None)
        shown: dict[str, Any] = {
            "title": f"Part {current.lesson.data.part}: {current.lesson.data.title}",
            "text": self._blocks(_body(current.text("intro"))),
            "tasks": [self._task(current, task, done, task is following) for task in tasks],
            "actions": self._actions("") if following else [],
        }
        if following is None:
            shown["after"] = [
                {
                    "id": each,
                    "says": current.lesson.text.sections[each].title,
                    "text": self._blocks(_body(current.text(each))),
                }
                for each in AFTER
            ]
            shown["after"].append({"id": "next", "says": TITLE, "text": self._blocks(ending(current.lesson))})
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
                return _all_green(current)
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

    def _task(self, current: Attempt, task: Task, done: LessonProgress, following: bool) -> dict[str, Any]:  # noqa: FBT001
        of = done.of(task.id)
        is_visible = task in current.visible_tasks(done)
        entry: dict[str, Any] = {
            "id": task.id,
            "says": task.title if is_visible else f"Task {current.lesson.data.tasks.index(task) + 1}",
            "state": SHOWN[state(of)],
            "next": following,
            "text": self._blocks(_body(current.text(task.id))) if is_visible else [],
        }
        if of.says:
            entry["figure"] = f"{of.says} ({of.figure})" if of.figure not in of.says else of.says
        if of.was_green:
            entry["wasGreen"] = of.was_green
        if of.green is not None:
            entry["actions"] = self._actions(task.id)
        if following or of.was_green:
            texts = (*current.hints(task)[: of.hints], current.shown_reason(task, of))
            entry["hints"] = [self._blocks(text) for text in filter(None, texts)]
        return entry

    def _actions(self, task: str) -> list[dict[str, str]]:
        """What can be done to the open task, or to that of an id."""
        return [
            {"verb": verb, "label": label, "command": self._command(" ".join(filter(None, ("lab learn", verb, task))))}
            for verb, label in LABELS.items()
        ]

    def _command(self, line: str) -> str:
        return self._named.command(line) if self._named else " ".join(filter(None, (line, self._suffix)))

    def _blocks(self, text: str) -> list[Block]:
        return blocks(self._named.text(text) if self._named else text)


def _body(text: str) -> str:
    """A section without its heading, which the page shows itself."""
    first, _, rest = text.partition("\n")
    return rest if first.startswith("#") else text


def _all_green(current: Attempt) -> str:
    others = ", ".join(task.title for task in current.not_green)
    return f"all tasks were green; by the last check not any more: {others}" if others else "all tasks are green"


def _checked(current: Attempt, task: Task) -> str:
    outcome = current.check(task, min(task.within, PATIENCE))
    return f"{task.title}: {outcome.colour.value}"


def _hinted(current: Attempt, task: Task) -> str:
    if current.all_hinted(task):
        return f"there are no more hints to: {task.title}"
    shown = len(current.hint(task))
    return f"hint {shown} of {len(task.hints.steps)} to: {task.title}"
