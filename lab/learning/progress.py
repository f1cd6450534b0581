"""How far a person is: notes in the engine, with the cluster, and nowhere else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from lab.backends.base import LASTING
from lab.backends.optional import noted, notes
from lab.evidence.outcomes import Colour
from lab.lifecycle import origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lab.backends.base import Backend
    from lab.evidence.outcomes import CheckOutcome

PREFIX = f"{LASTING}lesson-"
OPEN = "open"


@dataclass(frozen=True)
class TaskProgress:
    """How far one task is.

    Attributes:
        tries: checks so far.
        hints: steps of its hints that were shown.
        green: Unix seconds of the first green check; None before.
        solved: whether the lab carried out the solution, or wrote a file of it before the task was green.
        colour: of the last check; `open` where what it saw is gone since; empty before the first one, and in notes of
            earlier versions.
        reason: of the last check, with what it said.
        same: checks in a row with that reason, those of one `check --watch` as one.
    """

    tries: int = 0
    hints: int = 0
    green: int | None = None
    solved: bool = False
    colour: str = ""
    reason: str = ""
    says: str = ""
    figure: str = ""
    same: int = 0

    @property
    def last(self) -> str:
        """The colour of the last check: `green`, `red` or `unknown`, and `open` without one."""
        if self.colour:
            return self.colour
        if self.reason:
            return self.reason if self.reason == Colour.UNKNOWN else Colour.RED
        return OPEN if self.green is None else Colour.GREEN

    @property
    def was_green(self) -> int | None:
        """When it was green first, where its last check is not (Unix seconds)."""
        return None if self.last == Colour.GREEN else self.green


@dataclass(frozen=True)
class LessonProgress:
    """How far one lesson is.

    Attributes:
        begun: Unix seconds at which its cluster was ready for it; 0 before.
        broken: whether what a repair lesson breaks was broken.
        tasks: by their ids.
        written: the files that solutions of the lab have written, as `node:path`, each with the SHA-256 of its content.
    """

    lesson: str
    begun: int = 0
    broken: bool = False
    tasks: dict[str, TaskProgress] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def of(self, task: str) -> TaskProgress:
        """That of one task."""
        return self.tasks.get(task, TaskProgress())

    def changed(self, task: str, **values: Any) -> LessonProgress:
        """The same with one task changed."""
        return replace(self, tasks={**self.tasks, task: replace(self.of(task), **values)})

    def checked(
        self, task: str, outcome: CheckOutcome, files: Iterable[tuple[str, str]] = (), *, repeated: bool = False
    ) -> LessonProgress:
        """The same after a check.

        A task that becomes green while one of `files` is the lab's counts as solved.

        Args:
            task: its id.
            outcome: the answer of the check.
            files: node and path of those in the task's solution.
            repeated: whether `check --watch` made it again.
        """
        before = self.of(task)
        same = before.same + (not repeated) if outcome.reason == before.reason else 1
        when = before.green or (int(time.time()) if outcome.green else None)
        return self.changed(
            task,
            tries=before.tries + 1,
            solved=before.solved or (outcome.green and before.last != Colour.GREEN and self.has_written(files)),
            green=when,
            colour=outcome.colour.value,
            reason=outcome.reason,
            says=outcome.says,
            figure=outcome.figure,
            same=same if outcome.reason else 0,
        )

    def has_written(self, files: Iterable[tuple[str, str]]) -> bool:
        """Whether a solution of the lab has written one of these files (node and path)."""
        return any(_key(*file) in self.written for file in files)

    def after_writing(self, node: str, contents: Mapping[str, bytes]) -> LessonProgress:
        """The same after a solution of the lab has written files of a node; `contents` by path."""
        sums = {_key(node, path): _sum(content) for path, content in contents.items()}
        return replace(self, written={**self.written, **sums})

    def is_written(self, node: str, path: str, content: bytes) -> bool:
        """Whether a file is as the last solution of the lab left it."""
        return self.written.get(_key(node, path)) == _sum(content)

    def without_node(self, node: str) -> LessonProgress:
        """The same after the files of a node are gone."""
        return replace(self, written={key: of for key, of in self.written.items() if key.partition(":")[0] != node})

    def begun_again(self) -> LessonProgress:
        """The same on new nodes: nothing is broken, solved or coloured; tries and hints stay counted."""
        undone = reduce(lambda done, task: done.changed(task, solved=False), self.tasks, self)
        return replace(undone.opened_again(self.tasks), begun=0, broken=False, written={})

    def begun_now(self) -> LessonProgress:
        """The same with the time of a person beginning from now."""
        return replace(self, begun=int(time.time()))

    @property
    def minutes(self) -> dict[str, float]:
        """Minutes for each task that was green: since the green before it, of the first one since the lesson began.

        A task whose first green check was before that, as by another clock, is left out.
        """
        before, spans = self.begun, {}
        times = [(name, task.green) for name, task in self.tasks.items() if task.green]
        for name, at in sorted(times, key=itemgetter(1)):
            if 0 < before <= at:
                spans[name] = round((at - before) / 60, 1)
            before = max(before, at)
        return spans

    def opened_again(self, tasks: Iterable[str]) -> LessonProgress:
        """The same with these tasks open, as what their checks saw is gone; tries and hints stay counted."""
        return reduce(
            lambda done, task: done.changed(task, green=None, colour=OPEN, reason="", says="", figure="", same=0),
            tasks,
            self,
        )


def _key(node: str, path: str) -> str:
    return f"{node}:{path}"


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def current(backend: Backend) -> str:
    """The name of the lesson that the cluster was made for; empty for none, or after `up` of another topology."""
    return current_of(noted(backend))


def current_of(noted_texts: Mapping[str, str]) -> str:
    """The same, by notes that were read."""
    return origin.lesson(noted_texts)


def begin(backend: Backend, lesson: str, source: str) -> LessonProgress:
    """Notes that a lesson was started; what was done of it before is kept. `source`: that of its topology."""
    origin.keep(notes(backend), lesson, source)
    before = read(backend, lesson)
    return keep(backend, before)


def read(backend: Backend, lesson: str) -> LessonProgress:
    """How far a lesson is on this cluster."""
    return all_of(backend).get(lesson, LessonProgress(lesson))


def all_of(backend: Backend) -> dict[str, LessonProgress]:
    """How far each lesson is that was started on this cluster."""
    return all_noted(noted(backend))


def all_noted(noted_texts: Mapping[str, str]) -> dict[str, LessonProgress]:
    """The same, by notes that were read."""
    lessons = {}
    for key, text in noted_texts.items():
        if key.startswith(PREFIX):
            record = json.loads(text)
            tasks = {name: TaskProgress(**task) for name, task in record["tasks"].items()}
            lessons[record["lesson"]] = LessonProgress(
                record["lesson"], record["begun"], record["broken"], tasks, record.get("written", {})
            )
    return lessons


def keep(backend: Backend, progress: LessonProgress) -> LessonProgress:
    """Notes how far a lesson is."""
    notes(backend).note(PREFIX + progress.lesson, json.dumps(asdict(progress), separators=(",", ":")))
    return progress


@contextlib.contextmanager
def preserved(backend: Backend) -> Iterator[None]:
    """Writes back what is lost inside of the lessons' notes, after an interruption too."""
    before = {key: text for key, text in noted(backend).items() if key == origin.LESSON or key.startswith(PREFIX)}
    try:
        yield
    finally:
        after = noted(backend)
        for key, text in before.items():
            if key not in after:
                notes(backend).note(key, text)


def forget(backend: Backend, lesson: str) -> None:
    """Forgets how far a lesson is."""
    notes(backend).note(PREFIX + lesson, None)


def end(backend: Backend) -> None:
    """Forgets that a cluster was made for a lesson, after the cluster was removed."""
    notes(backend).note(origin.LESSON, None)
