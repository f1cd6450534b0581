"""A node of a lesson that does not run: what a check and a start say, and what is advised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.errors import BackendError, SpecError
from lab.evidence import outcomes
from lab.evidence.outcomes import red
from lab.learning import starting
from lab.learning.library import lesson
from lab.lifecycle import hand
from lab.lifecycle.endings import Endings
from lab.progress import Silent
from tests.unit import command

if TYPE_CHECKING:
    from lab.backends.memory import MemoryBackend
    from lab.learning.attempt import Attempt


@pytest.fixture
def begun(memory: MemoryBackend) -> Attempt:
    """The first lesson, whose web1 is by hand."""
    return starting.start(lesson(1), memory, Silent())


@pytest.mark.parametrize("verb", ["kill", "stop", "pause"])
def test_a_node_that_a_person_stopped_is_started_and_not_created_again(
    begun: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """As the sixth lesson asks for: what is written on the node is all that was done so far."""
    getattr(memory, verb)("web1")
    with pytest.raises(SpecError) as caught:
        begun.check(begun.lesson.data.tasks[0])
    assert caught.value.next_step.startswith("'lab start web1' ")
    assert "boot" not in str(caught.value)
    assert ("reset" in caught.value.next_step) is (verb != "pause")
    assert ("\n    | " in caught.value.what) is (verb != "pause"), "the last lines, of one that has ended"
    assert caught.value.exit_code == 2
    Endings(memory.observe(), memory).start("web1")
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: red("refused", "nothing answers"))
    assert begun.check(begun.lesson.data.tasks[0], 0).reason == "refused"


def test_a_node_of_the_lab_that_is_stopped_is_started(begun: Attempt, memory: MemoryBackend) -> None:
    memory.stop("client")
    with pytest.raises(SpecError, match="client does not run") as caught:
        begun.check(begun.lesson.data.tasks[0])
    assert caught.value.next_step == "'lab start client' starts it"


def test_a_node_that_does_not_exist_is_created(begun: Attempt, memory: MemoryBackend) -> None:
    memory.remove("client")
    with pytest.raises(SpecError, match="client does not exist") as caught:
        begun.check(begun.lesson.data.tasks[0])
    assert caught.value.next_step == "'lab up' creates it"


def test_a_node_that_ends_again_is_said_with_its_last_lines(
    begun: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand, "BOOT_SECONDS", 0.2)
    monkeypatch.setattr(memory, "start", memory.kill)
    with pytest.raises(BackendError, match=r"web1, which is by hand, does not boot\n    \| ") as caught:
        Endings(memory.observe(), memory).start("web1")
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: red("refused", "nothing answers"))
    assert caught.value.next_step == "'lab learn reset web1' creates it again, without what was written on it"
    with pytest.raises(SpecError, match=r"web1 does not run\n    \| ") as refused:
        begun.check(begun.lesson.data.tasks[0])
    assert "only where it ends again: 'lab learn reset web1'" in refused.value.next_step


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_start_says_what_it_waited_for(
    begun: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    assert begun.lesson.number == 1
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    memory.answers["ready"] = (1, "httpd does not answer")
    done = command.lab(verb, "web1", "-n", "golden")
    assert (done.returncode, done.stdout) == (0, "web1: has booted; it is by hand, and its services are not awaited\n")
    monkeypatch.setattr(hand, "BOOT_SECONDS", 0.2)
    memory.stop("web1")
    memory.answers["test"] = (1, "")
    done = command.lab(verb, "web1", "-n", "golden")
    assert (done.returncode, "web1, which is by hand, does not boot" in done.stderr) == (1, True), done.stderr
    assert "'lab learn reset web1 -n golden' creates it again" in done.stderr
