"""The end of a lesson: what each verb says when all tasks are green, and what each command after it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.evidence import outcomes
from lab.evidence.outcomes import green
from lab.learning import progress, starting
from lab.learning.ending import ending
from lab.learning.library import lesson, next_number
from lab.progress import Silent
from tests.unit import command

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from lab.backends.memory import MemoryBackend
    from lab.learning.attempt import Attempt


@pytest.fixture
def done(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    """The first lesson with all tasks green but the last."""
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: green("good"))
    begun = starting.start(lesson(1), memory, Silent())
    for task in begun.lesson.data.tasks[:-1]:
        begun.check(task, 0)
    return begun


def _said(done: CompletedProcess[str]) -> str:
    return " ".join(done.stdout.split())


def test_the_last_green_task_says_what_comes_next(done: Attempt) -> None:
    said = command.lab("learn", "check", "-n", "golden")
    assert said.returncode == 0
    assert "'lab learn start 2 -n golden' begins the next lesson: it removes this cluster, and keeps" in _said(said)
    assert "'lab learn reset -n golden' removes this cluster and the progress of this lesson" in _said(said)
    assert "'lab down --volumes -n golden' removes this cluster and the progress of all lessons" in _said(said)
    assert not [line for line in said.stdout.splitlines() if len(line.rstrip()) > 80]
    assert _said(command.lab("learn", "read", "-n", "golden")) in _said(said), "'read' shows it again"
    assert done.next is None


def test_hint_and_solve_say_what_check_says_when_all_is_green(done: Attempt, memory: MemoryBackend) -> None:
    done.check(done.lesson.data.tasks[-1], 0)
    before = progress.read(memory, done.lesson.name)
    checked = command.lab("learn", "check")
    assert (checked.returncode, "all tasks of 01-web-server are green" in checked.stdout) == (0, True)
    for verb in ("hint", "solve"):
        said = command.lab("learn", verb)
        assert (said.returncode, said.stdout, said.stderr) == (0, checked.stdout, ""), verb
    assert progress.read(memory, done.lesson.name) == before, "nothing was tried, hinted or solved"
    assert "1." in command.lab("learn", "hint", "php").stdout.replace("1 ", "1."), "a named task has its hints"


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (("learn", "start", "8"), {"01-web-server", "02-shared-filesystem", "08-tcp-lb"}),
        (("learn", "reset"), {"02-shared-filesystem"}),
        (("down", "--volumes"), set()),
    ],
)
def test_each_command_keeps_the_progress_that_is_said(
    done: Attempt, memory: MemoryBackend, argv: tuple[str, ...], kept: set[str]
) -> None:
    progress.keep(memory, progress.LessonProgress("02-shared-filesystem").changed("volume", tries=1))
    said = command.lab(*argv)
    assert said.returncode == 0, said.stderr
    assert progress.all_of(memory).keys() == kept
    left = {node.name for node in memory.observe().nodes}
    assert ("tcp-lb1" in left) is (argv[-1] == "8")
    assert done.lesson.name == "01-web-server"


def test_the_last_lesson_has_no_next_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    last = lesson(14)
    assert (next_number(8), next_number(14)) == (11, None)
    assert "This is the last lesson." in ending(last)
    assert "lab learn start" not in ending(last)
    own = {"14-two-holders": last.folder, "20-my-cache": tmp_path}
    monkeypatch.setattr("lab.assets.lessons", lambda: own)
    assert "'lab learn start 20'" in ending(last), "a lesson of one's own, which need not be valid yet"
