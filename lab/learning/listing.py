"""The lessons as a list, and how far each is. The JSON form is a contract; see docs/status.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.learning.progress import LessonProgress, TaskProgress
from lab.learning.report import colour, state, was_green

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.learning.lesson import Task
    from lab.learning.library import Lesson


def rows(lessons: Iterable[Lesson], done: Mapping[str, LessonProgress], started: str) -> list[dict[str, Any]]:
    """A row for each lesson; `started`: the one that the cluster was made for."""
    return [_row(lesson, done.get(lesson.name, LessonProgress(lesson.name)), started) for lesson in lessons]


def _row(lesson: Lesson, done: LessonProgress, started: str) -> dict[str, Any]:
    tasks = [_task(task, done.of(task.id)) for task in lesson.data.tasks]
    cluster = lesson.cluster()
    return {
        "number": lesson.number,
        "name": lesson.name,
        "part": lesson.data.part,
        "title": lesson.data.title,
        "kind": lesson.data.kind,
        "minutes": lesson.data.minutes,
        "nodes": sum(options.count for options in cluster.roles().values()),
        "by_hand": sorted(cluster.by_hand),
        "started": lesson.name == started,
        "green": sum(done.of(task.id).green is not None for task in lesson.data.tasks),
        "tasks": tasks,
    }


def _task(task: Task, done: TaskProgress) -> dict[str, Any]:
    last = {"state": state(done), "colour": colour(done), "was_green": was_green(done)}
    return {"id": task.id, "title": task.title} | last
