"""How long a person needed for each task, and for a lesson: by the times that are noted."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.errors import NotReady
from lab.evidence import outcomes
from lab.evidence.outcomes import green
from lab.learning import progress, report, starting
from lab.learning.library import lesson
from lab.learning.progress import LessonProgress, TaskProgress
from lab.lifecycle import up
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.memory import MemoryBackend

BEGUN = 1_700_000_000


class Watch:
    """The time, as the test has it."""

    now = float(BEGUN)

    def pass_(self, minutes: float) -> None:
        """Time goes by."""
        self.now += minutes * 60


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """The clock of the notes; creating nodes takes ten minutes of it."""
    made = Watch()
    monkeypatch.setattr("lab.learning.progress.time", SimpleNamespace(time=lambda: made.now))
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: green("good"))

    def slow(*given: object, **more: object) -> object:
        made.pass_(10)
        return up.up(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(starting, "up", slow)
    return made


@pytest.fixture
def done(memory: MemoryBackend, watch: Watch) -> Callable[..., LessonProgress]:
    """Starts the first lesson and makes its first tasks green after these minutes each."""

    def call(*minutes: float) -> LessonProgress:
        current = starting.start(lesson(1), memory, Silent())
        for task, each in zip(current.lesson.data.tasks, minutes, strict=False):
            watch.pass_(each)
            current.check(task, 0)
        return current.progress

    return call


def test_a_task_has_the_minutes_since_the_one_before(done: Callable[..., LessonProgress]) -> None:
    ids = [task.id for task in lesson(1).data.tasks]
    assert done(3, 4.5, 0).minutes == dict(zip(ids, (3.0, 4.5, 0.0), strict=False))


def test_reports_have_them(done: Callable[..., LessonProgress]) -> None:
    one = lesson(1)
    table = report.rows("class-01", [(one, done(3, 4.5))])
    assert [row["minutes"] for row in table] == [3.0, 4.5, None, None, None]
    written = {form: report.written(form, table) for form in ("json", "csv", "junit")}
    assert json.loads(written["json"])[2]["minutes"] is None
    assert [row["minutes"] for row in csv.DictReader(io.StringIO(written["csv"]))] == ["3.0", "4.5", "", "", ""]
    cases = ET.fromstring(written["junit"])[0].findall("testcase")  # noqa: S314  own
    assert [case.get("time") for case in cases] == ["180", "270", None, None, None]
    both = [*table, *report.rows("class-02", [(one, LessonProgress(one.name, begun=BEGUN))])]
    page = report.written("page", both)
    assert "<th>minutes</th></tr>" in page
    assert "<td>3</td><td>7.5</td></tr>" in page, "three tasks are open, and the others took that long"
    assert "<td>4.5</td>" in page


def test_a_lesson_that_begins_again_has_new_minutes(
    done: Callable[..., LessonProgress], memory: MemoryBackend, watch: Watch
) -> None:
    done(3, 4)
    starting.start(lesson(8), memory, Silent())
    watch.pass_(600)
    assert done(2).minutes == {"first-page": 2.0}


def test_a_start_that_goes_on_does_not_begin_the_time_again(
    done: Callable[..., LessonProgress], memory: MemoryBackend, watch: Watch
) -> None:
    begun = done().begun
    watch.pass_(5)
    assert starting.start(lesson(1), memory, Silent()).progress.begun == begun


def test_a_start_that_failed_is_no_time_of_the_person(
    memory: MemoryBackend, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*given: object, **more: object) -> object:
        up.up(*given, **more)  # type: ignore[arg-type]
        raise NotReady("web1 is not ready")

    with monkeypatch.context() as patched:
        patched.setattr(starting, "up", late)
        with pytest.raises(NotReady):
            starting.start(lesson(1), memory, Silent())
    watch.pass_(5)
    assert starting.start(lesson(1), memory, Silent()).progress.begun == int(watch.now)


def test_a_task_that_is_green_again_counts_since_the_last_one_before_it() -> None:
    tasks = {name: TaskProgress(green=BEGUN + 60 * at) for name, at in {"one": 9, "two": 4, "three": 7}.items()}
    noted = LessonProgress("42", begun=BEGUN, tasks=tasks)
    assert noted.minutes == {"two": 4.0, "three": 3.0, "one": 2.0}
    assert replace(noted, begun=BEGUN + 3600).minutes == {}, "the clock was set since"
    assert progress.LessonProgress("42", tasks=tasks).minutes == {"three": 3.0, "one": 2.0}, "it is not noted"
