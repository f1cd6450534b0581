"""What a repair lesson tells: no title and no text of a task before its turn, since they name what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.backends.optional import noted
from lab.evidence import outcomes
from lab.evidence.outcomes import green
from lab.learning import page, starting
from lab.learning.library import lesson, lessons
from lab.learning.panel import LessonPanel
from lab.learning.text import AFTER
from lab.page.watch import Look
from lab.progress import Silent

if TYPE_CHECKING:
    from lab.learning.attempt import Attempt

REPAIRS = [one.number for one in lessons() if one.data.broken]


@pytest.fixture(params=REPAIRS)
def begun(request: pytest.FixtureRequest) -> Attempt:
    """A repair lesson, just begun."""
    memory = MemoryBackend("golden", Capabilities("memory", frozenset({"fuse"})))
    return starting.start(lesson(request.param), memory, Silent())


def _titles(begun: Attempt) -> tuple[list[str], list[bool]]:
    """What the panel shows of each task: its title, and whether it has a text."""
    look = Look(1.0, begun.backend.observe(), notes=dict(noted(begun.backend)))
    tasks = LessonPanel(begun.backend).lesson(look)["tasks"]
    return [task["says"] for task in tasks], [bool(task["text"]) for task in tasks]


def test_tasks_are_told_one_by_one(begun: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: green("good"))
    tasks = begun.lesson.data.tasks
    for count in range(1, len(tasks) + 1):
        hidden = [f"Task {number}" for number in range(count + 1, len(tasks) + 1)]
        titles, texts = _titles(begun)
        assert titles == [task.title for task in tasks[:count]] + hidden
        assert texts == [True] * count + [False] * len(hidden)
        made = page.page(begun)
        assert all(f">{name}: open</li>" in made for name in hidden)
        assert not [task.title for task in tasks[count:] if task.title in made]
        assert begun.lesson.text.sections[AFTER[0]].title not in made, "what was learnt names it too"
        begun.check(tasks[count - 1], 0)
    assert _titles(begun)[1] == [True] * len(tasks)
    assert all(begun.lesson.text.sections[name].title in page.page(begun) for name in AFTER)


def test_a_lesson_that_builds_shows_all_tasks() -> None:
    memory = MemoryBackend("golden")
    begun = starting.start(lesson(1), memory, Silent())
    titles, texts = _titles(begun)
    assert titles == [task.title for task in begun.lesson.data.tasks]
    assert all(texts)
