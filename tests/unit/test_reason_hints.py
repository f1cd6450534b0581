"""The hint for a check's reason, which nearly tells the answer: when it is due, and when a person looks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.evidence import outcomes
from lab.evidence.outcomes import CheckOutcome, green, red, unknown
from lab.learning import progress, starting
from lab.learning.attempt import HINT_STEPS
from lab.learning.library import lesson, lessons
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.memory import MemoryBackend
    from lab.learning.attempt import Attempt

REFUSED, OTHER = red("refused", "nothing answers"), red("status", "it answers 503")


@pytest.fixture
def begun(memory: MemoryBackend) -> Attempt:
    """The first lesson, just begun."""
    return starting.start(lesson(1), memory, Silent())


@pytest.fixture
def due(begun: Attempt, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bool]]:
    """Makes checks of the first task with these answers; whether the hint for the reason was due after each."""
    task = begun.lesson.data.tasks[0]

    def ask(*answers: CheckOutcome, repeated: bool = False) -> list[bool]:
        shown = []
        for answer in answers:
            monkeypatch.setattr(outcomes.Question, "ask", lambda *_, answer=answer: answer)
            begun.check(task, 0, repeated=repeated)
            shown.append(bool(begun.shown_reason(task)))
        return shown

    return ask


def test_it_is_due_when_the_same_reason_comes_again(due: Callable[..., list[bool]]) -> None:
    assert due(REFUSED, OTHER, REFUSED, REFUSED, OTHER) == [False, False, False, True, False]
    assert due(green("good"), OTHER, green("good"), OTHER) == [False] * 4, "it was green between"


def test_checks_of_a_watch_are_one(due: Callable[..., list[bool]]) -> None:
    """Which repeats every other second, whether a person has changed something or not."""
    assert due(REFUSED) + due(REFUSED, REFUSED, repeated=True) == [False] * 3
    assert due(REFUSED) == [True]


def test_it_is_due_after_all_steps(due: Callable[..., list[bool]], begun: Attempt) -> None:
    assert due(REFUSED) == [False]
    task = begun.lesson.data.tasks[0]
    shown = []
    for _ in range(HINT_STEPS):
        begun.hint(task)
        shown.append(bool(begun.shown_reason(task)))
    assert shown == [False, False, True]


@pytest.mark.parametrize("reason", ["not-running", "restarting", "not-restarted"])
def test_it_is_due_at_once_for_what_a_daemon_has_not_done(due: Callable[..., list[bool]], reason: str) -> None:
    """No other answer means anything before the daemon runs, by the file that it has read."""
    assert due(red(reason, "httpd")) == [True]


def test_it_is_due_at_once_by_the_words_of_the_lesson_too(begun: Attempt) -> None:
    """A check of a service may give its reasons other words, so that each daemon has its own hint."""
    renamed = 0
    for each in lessons():
        for task in each.data.tasks:
            words = {word for kind, of in task.checks if kind == "service" for word in of.get("renamed", {}).values()}
            subject = begun.__class__(each, begun.scene, begun.known)
            for word in words:
                done = progress.TaskProgress(tries=1, colour="red", reason=word, same=1)
                assert subject.shown_reason(task, done) == subject.reason_hint(task, word) != ""
                renamed += 1
    assert renamed


def test_unknown_hides_nothing(due: Callable[..., list[bool]], begun: Attempt) -> None:
    task = begun.lesson.data.tasks[0]
    assert due(unknown("no answer", reason="refused")) == [True]
    begun.check(task, 0)
    progress.keep(begun.backend, begun.progress.opened_again([task.id]))
    assert begun.shown_reason(task) == ""
