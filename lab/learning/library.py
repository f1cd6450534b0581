"""The lessons that there are, and one of them as a whole: data, text, wrong answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import assets, reading
from lab.errors import SpecError
from lab.hints import nearest
from lab.learning import bounds
from lab.learning.lesson import LessonData
from lab.learning.text import LessonText
from lab.topology import load
from lab.topology.defaults import written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.learning.lesson import Task
    from lab.topology import Cluster

LESSON = reading.Document("lesson", "docs/teaching.md has a whole one", "docs/teaching.md says what is valid")
HEADER = re.compile(r"^# *(task|node|hint|from): *(\S+) *$", re.MULTILINE)


@dataclass(frozen=True)
class WrongAnswer:
    """A plausible mistake: a script that makes it on a node, and the reason that the check must give.

    Attributes:
        hint: the reason, by which the task's hints are kept.
        solved: whether it starts from the task's solution, else from the state before the task.
    """

    name: str
    task: str
    node: str
    hint: str
    script: str
    solved: bool = False


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        name: that of its folder, such as `01-web-server`.
    """

    name: str
    folder: Path
    data: LessonData
    text: LessonText
    wrong: tuple[WrongAnswer, ...]

    @property
    def number(self) -> int:
        """The number before its name, by which a person starts it."""
        return int(self.name[:2])

    def task(self, name: str) -> Task:
        """The task of an id, or of a number counted from 1.

        Raises:
            SpecError: there is none.
        """
        ids = [task.id for task in self.data.tasks]
        if name.isdecimal() and 0 < int(name) <= len(ids):
            return self.data.tasks[int(name) - 1]
        if name in ids:
            return self.data.tasks[ids.index(name)]
        raise SpecError(f"the lesson {self.name} has no task '{name}'; {nearest(name, ids)}")

    def cluster(self, cluster: str | None = None, **overrides: object) -> Cluster:
        """Its topology, by the name of a cluster, with the options written that its bounds depend on.

        Raises:
            SpecError: the topology is not valid.
        """
        return written(load(self.topology, name=cluster, **overrides), bounds.options(self.data))

    @property
    def topology(self) -> Path:
        """The file of its topology.

        Raises:
            SpecError: there is none.
        """
        name = self.data.topology
        path = assets.topologies().get(name, self.folder / name)
        if not path.is_file():
            hint = f"a file of {self.folder}, or one of {', '.join(assets.topologies())}"
            raise SpecError(f"the lesson {self.name} has no topology '{name}'", where=str(self.folder), next_step=hint)
        return path


def lesson(name: str | int) -> Lesson:
    """A lesson by its number or its folder's name.

    Raises:
        SpecError: there is none, or it is not valid.
    """
    folders = assets.lessons()
    text = str(name)
    matches = [key for key in folders if key == text or (text.isdecimal() and int(key[:2]) == int(text))]
    if not matches:
        hint = nearest(text, folders, "there are")
        raise SpecError(f"there is no lesson '{text}'; {hint}", next_step="'lab learn list' lists them")
    return read(folders[matches[0]])


def lessons() -> list[Lesson]:
    """All lessons, in their order.

    Raises:
        SpecError: one is not valid.
    """
    return [read(folder) for _, folder in sorted(assets.lessons().items())]


def next_number(number: int) -> int | None:
    """The number of the lesson after a number; None behind the last one. Reads none: one may be not valid."""
    return min((one for name in assets.lessons() if (one := int(name[:2])) > number), default=None)


def read(folder: Path) -> Lesson:
    """The lesson of a folder.

    Raises:
        SpecError: it is not valid.
    """
    path = folder / "lesson.yaml"
    data = reading.model(LessonData, reading.text(path, LESSON), LESSON, str(path))
    text = LessonText.read(reading.text(folder / "lesson.md", LESSON), str(folder / "lesson.md"))
    for task in data.tasks:
        if task.id not in text.sections:
            raise SpecError(
                f"the task '{task.id}' has no section",
                where=str(folder / "lesson.md"),
                next_step=f"add one: '## {task.title} {{#{task.id}}}'",
            )
    wrong = tuple(_wrong(path) for path in sorted((folder / "wrong").glob("*.sh")))
    loaded = Lesson(folder.name, folder, data, text, wrong)
    for answer in wrong:
        loaded.task(answer.task)
    return loaded


def _wrong(path: Path) -> WrongAnswer:
    text = reading.text(path, LESSON)
    header: Mapping[str, str] = dict(HEADER.findall(text))
    missing = [key for key in ("task", "node", "hint") if key not in header]
    if missing:
        raise SpecError(
            f"the wrong answer {path.name} does not say '{missing[0]}'",
            where=str(path),
            next_step="its first lines are '# task: ID', '# node: NODE' and '# hint: REASON'",
        )
    return WrongAnswer(path.stem, header["task"], header["node"], header["hint"], text, header.get("from") == "solved")
