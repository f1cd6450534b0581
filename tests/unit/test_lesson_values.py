"""Values of lessons that differ by the cluster's name: one learner's answers are not green for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.learning.attempt import attempt
from lab.learning.library import lessons
from lab.learning.values import filled, individual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.learning.library import Lesson

LESSONS = lessons()
TOLD = {"url", "says", "good"}
"""Parameters that say what is asked or printed, not what is demanded."""


def _demanded(one: Lesson, known: Mapping[str, object]) -> list[object]:
    """What the checks of a lesson demand of a learner."""
    checks = [parameters for task in one.data.tasks for _, parameters in task.checks]
    return [filled({name: value for name, value in check.items() if name not in TOLD}, known) for check in checks]


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_the_checks_of_two_learners_differ(one: Lesson) -> None:
    """On nodes of the same addresses, so that the lesson's own values make the difference."""
    known = attempt(one, MemoryBackend("class-01")).known
    others = dict(known)
    for name, value in one.data.values.items():
        choices = (individual(f"class-{number:02}", one.name, name, value) for number in range(2, 99))
        others[name] = next(choice for choice in choices if choice != known[name])
    assert _demanded(one, known) != _demanded(one, others)
