"""Each lesson on real nodes: fresh all red, solved all green, each mistake red with its hint, nothing left.

A mistake has to be red until its task's limit, which is waited for at night. At every change some hints are awaited.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest

from lab.backends import backend
from lab.evidence.outcomes import Colour
from lab.learning import starting
from lab.learning.library import Lesson, lessons
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing.plugin import place
from lab.testing.rounds import repeated
from lab.topology.changes import ported
from lab.topology.ports import OFF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.evidence.outcomes import CheckOutcome
    from lab.learning.attempt import Attempt
    from lab.learning.lesson import Task

pytestmark = pytest.mark.lesson
BY_TURNS = 3
ANSWERS_BY_TURNS = 4
ALL = lessons()
CHOSEN = "LAB_TEST_LESSONS"
"""Numbers of lessons, such as `1,8`, or `all`; unset: three by turns, by the day, with some of their wrong answers."""

QUARTER = "LAB_TEST_ANSWERS"
"""The quarter of the wrong answers, 0 to 3; unset: that of the day, or with chosen lessons all of them."""

TODAY = datetime.now(UTC).toordinal()
T = TypeVar("T")


def by_turns(day: int, names: list[str], count: int = BY_TURNS) -> list[str]:
    """The lessons of a day: each comes once in as many days as it takes.

    Far apart in the list: the middle ones have the most wrong answers.
    """
    days = _days(len(names), count)
    return names[day % days :: days]


def mistakes(day: int, wrong: Sequence[T], number: int = len(ALL)) -> Sequence[T]:
    """The wrong answers that are tried on a day: a quarter of them, each in every fourth turn of its lesson.

    `number`: of all lessons.
    """
    return _quarter(day // _days(number, BY_TURNS), wrong)


def _quarter(turn: int, wrong: Sequence[T]) -> Sequence[T]:
    return wrong[turn % ANSWERS_BY_TURNS :: ANSWERS_BY_TURNS]


def _days(number: int, count: int) -> int:
    return -(-number // count)


def _chosen() -> list[str]:
    said = os.environ.get(CHOSEN, "")
    names = [one.name for one in ALL]
    if said and said != "all":
        return [one.name for one in ALL if str(one.number) in said.split(",")]
    return names if said else by_turns(TODAY, names)


def _tried(wrong: Sequence[T], *, thorough: bool) -> Sequence[T]:
    """The wrong answers of a run."""
    if not thorough and (quarter := os.environ.get(QUARTER)):
        return _quarter(range(ANSWERS_BY_TURNS)[int(quarter)], wrong)
    return wrong if thorough or os.environ.get(CHOSEN) else mistakes(TODAY, wrong)


def _marked(one: Lesson) -> object:
    """A lesson as a parameter: one that is not of today's is nightly."""
    marks = [] if one.name in _chosen() else [pytest.mark.nightly("lessons by turns: three a day in 'make test'")]
    return pytest.param(one, id=one.name, marks=marks)


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Iterator[Attempt]:
    """A lesson, started on a cluster of its own."""
    one: Lesson = request.param
    made = backend(place(request.config), f"lesson{os.getpid()}")
    names = one.cluster().ports.by_name()
    cluster = ported(
        one.cluster(made.cluster, family=request.config.getoption("--family")), [f"{n}={OFF}" for n in names]
    )
    try:
        yield starting.start(one, made, Silent(), cluster)
    finally:
        down(made, Silent(), volumes=True)


def _judged(attempt: Attempt, task: Task) -> CheckOutcome:
    """The outcome of a check, which stalls of the machine may hide: it is made again then. Skips if they always did."""
    check = partial(attempt.check, task)
    return repeated(attempt.backend.clock, check, lambda one: f"{task.id}: {one}" if one.excused else "")


def _mistaken(attempt: Attempt, task: Task, hint: str, *, thorough: bool) -> CheckOutcome:
    """The outcome of a wrong answer: the first that is red with its hint; `thorough`: the one at the task's limit.

    Raises:
        NotReady: the hint was not given within that limit.
    """
    if thorough:
        return _judged(attempt, task)
    ask = partial(attempt.check, task, within=0)
    return attempt.backend.clock.until(
        f"the hint '{hint}'", task.within, ask, lambda one: (one.colour, one.reason) == (Colour.RED, hint)
    )


@pytest.mark.parametrize("begun", [_marked(one) for one in ALL], indirect=True)
def test_a_lesson(begun: Attempt, request: pytest.FixtureRequest) -> None:
    one, thorough = begun.lesson, bool(request.node.get_closest_marker("nightly"))
    answers = _tried(one.wrong, thorough=thorough)
    for task in one.data.tasks:
        fresh = begun.check(task, within=0)
        assert fresh.colour is Colour.RED, f"{task.id} of a fresh lesson: {fresh}"
        assert fresh.reason, f"{task.id} gives no reason: {fresh}"
    for task in one.data.tasks:
        for answer in (each for each in answers if each.task == task.id):
            begun.give_wrong(answer)
            wrong = _mistaken(begun, task, answer.hint, thorough=thorough)
            assert (wrong.colour, wrong.reason) == (Colour.RED, answer.hint), f"{answer.name}: {wrong}"
            assert begun.reason_hint(task, wrong.reason), answer.name
        begun.solve(task)
        done = _judged(begun, task)
        assert done.green, f"{task.id} after its solution: {done}"
        if task.has_files:
            begun.compare(task)
    for task in one.data.tasks:
        assert begun.progress.of(task.id).green
    starting.reset(begun.backend, Silent())
    assert not begun.backend.observe().nodes
    assert not begun.backend.observe().data


def test_each_lesson_has_its_turn() -> None:
    names = [str(number) for number in range(12)]
    assert {name for day in range(4) for name in by_turns(day, names)} == set(names)
    assert len(by_turns(0, names)) == BY_TURNS
    assert by_turns(5, ["one"]) == ["one"]


def test_each_wrong_answer_has_its_turn() -> None:
    numbers = list(range(14))
    for first in range(4):  # a lesson has its turn each fourth day
        assert sorted(number for day in (0, 4, 8, 12) for number in mistakes(first + day, numbers, 12)) == numbers


def test_a_quarter_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = list(range(14))
    monkeypatch.setenv(CHOSEN, "13")
    monkeypatch.delenv(QUARTER, raising=False)
    assert _tried(numbers, thorough=False) == numbers
    monkeypatch.setenv(QUARTER, "3")
    assert _tried(numbers, thorough=False) == [3, 7, 11]
    assert _tried(numbers, thorough=True) == numbers
