"""A task keeps when it was green first, and what its last check said: both are shown, and neither hides the other."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.backends.optional import noted
from lab.evidence import outcomes
from lab.evidence.outcomes import CheckOutcome, green, red, unknown
from lab.learning import page, progress, report, starting
from lab.learning.attempt import Attempt, opened
from lab.learning.library import lesson
from lab.learning.listing import rows
from lab.learning.panel import LessonPanel
from lab.page.watch import Look
from lab.progress import Silent
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Callable

FIVE = ["dump", "files", "repository", "schedule", "restore"]
GREEN_AT = 1_700_000_000


@pytest.fixture
def memory() -> MemoryBackend:
    """An engine whose kernel has what a shared filesystem needs."""
    return MemoryBackend("golden", Capabilities("memory", frozenset({"fuse"})))


@pytest.fixture
def begun(memory: MemoryBackend) -> Attempt:
    """The lesson of the backup, just begun."""
    return starting.start(lesson(5), memory, Silent())


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[CheckOutcome], None]:
    """Decides what each check answers from now on."""
    monkeypatch.setattr("lab.learning.attempt.PATIENCE", 0.0)
    monkeypatch.setattr("lab.learning.panel.PATIENCE", 0.0)
    monkeypatch.setattr("lab.learning.progress.time", SimpleNamespace(time=lambda: GREEN_AT))
    return lambda outcome: monkeypatch.setattr(outcomes.Question, "ask", lambda *_: outcome)


@pytest.fixture
def done(begun: Attempt, say: Callable[[CheckOutcome], None]) -> Attempt:
    """The same lesson with all tasks green."""
    say(green("good"))
    for task in begun.lesson.data.tasks:
        begun.check(task, 0)
    return begun


@pytest.fixture
def spoilt(done: Attempt, say: Callable[[CheckOutcome], None]) -> Attempt:
    """The same, and the last task red since."""
    say(red("other-count", "mysql1 answers something else", "0"))
    done.check(done.lesson.task("restore"), 0)
    return done


def test_a_task_that_was_green_keeps_its_time_and_shows_its_last_check(spoilt: Attempt) -> None:
    last = spoilt.progress.of("restore")
    assert (last.green, last.last, last.was_green) == (GREEN_AT, "red", GREEN_AT)
    assert spoilt.next is None, "it counts as progress"
    assert [task.id for task in spoilt.not_green] == ["restore"]
    assert [report.state(spoilt.progress.of(name)) for name in FIVE] == ["green"] * 4 + ["red"]


def test_reports_have_the_last_check_and_when_it_was_green(spoilt: Attempt) -> None:
    found = [(spoilt.lesson, spoilt.progress)]
    row = report.rows("golden", found)[-1]
    when = "2023-11-14T22:13:20+00:00"
    assert (row["state"], row["colour"], row["green"], row["was_green"]) == ("red", "red", when, when)
    said = {name: report.written(name, report.rows("golden", found)) for name in ("json", "csv", "junit", "page")}
    assert json.loads(said["json"])[-1]["says"] == "mysql1 answers something else"
    line = list(csv.DictReader(io.StringIO(said["csv"])))[-1]
    assert (line["state"], line["was_green"]) == ("red", when)
    suite = ET.fromstring(said["junit"])[0]  # noqa: S314  own
    assert suite.get("failures") == "1"
    failure = suite[-1].find("failure")
    assert failure is not None
    assert failure.get("message") == "mysql1 answers something else"
    assert "was green at 2023-11-14 22:13 UTC" in str(suite[-1].findtext("system-out"))
    assert "<td>red; was green at 2023-11-14 22:13 UTC</td>" in said["page"]
    assert "red; was green at 2023-11-14 22:13 UTC</li>" in page.page(spoilt)
    listed = rows([spoilt.lesson], {spoilt.lesson.name: spoilt.progress}, spoilt.lesson.name)[0]
    assert listed["green"] == 5, "tasks that were green once"
    assert listed["tasks"][-1] == {
        "id": "restore", "title": "Rows and files are back", "state": "red", "colour": "red", "was_green": when,
    }  # fmt: skip


def test_the_page_has_the_colour_of_the_last_check(spoilt: Attempt, memory: MemoryBackend) -> None:
    panel = LessonPanel(memory, "-n golden")
    shown = panel.lesson(Look(1.0, memory.observe(), notes=dict(noted(memory))))
    last = shown["tasks"][-1]
    assert (last["state"], last["wasGreen"], last["next"]) == ("failed", GREEN_AT, False)
    assert last["figure"] == "mysql1 answers something else (0)"
    assert last["hints"] == []
    assert "after" in shown
    assert [one["command"] for one in last["actions"]] == [
        "lab learn check restore -n golden",
        "lab learn hint restore -n golden",
    ]
    assert panel.act("check", {}) == "all tasks were green; by the last check not any more: Rows and files are back"
    assert panel.act("check", {"task": "restore"}) == "Rows and files are back: red"
    assert spoilt.progress.of("restore").tries == 3
    last = panel.lesson(Look(1.0, memory.observe(), notes=dict(noted(memory))))["tasks"][-1]
    assert "Drop the table" in json.dumps(last["hints"]), "the hint for its reason, though no task is open"


def test_unknown_is_not_the_green_of_before(
    done: Attempt, memory: MemoryBackend, say: Callable[[CheckOutcome], None]
) -> None:
    say(unknown("the node did not answer"))
    done.check(done.lesson.task("dump"), 0)
    shown = LessonPanel(memory).lesson(Look(1.0, memory.observe(), notes=dict(noted(memory))))
    assert shown["tasks"][0]["state"] == "unknown"
    row = report.rows("golden", [(done.lesson, done.progress)])[0]
    assert (row["state"], row["colour"]) == ("unknown", "unknown"), "no answer of the learner's was wrong"
    suite = ET.fromstring(report.written("junit", [row]))[0]  # noqa: S314  own
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    skipped = suite[0].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "the node did not answer"
    assert 'class="unknown"' in report.written("page", [row])
    assert 'class="unknown"' in page.page(done)
    say(green("good"))
    done.check(done.lesson.task("dump"), 0)
    assert done.progress.of("dump").was_green is None


def test_a_green_task_can_be_checked_from_the_page(done: Attempt, memory: MemoryBackend) -> None:
    shown = LessonPanel(memory).lesson(Look(1.0, memory.observe(), notes=dict(noted(memory))))
    assert shown["actions"] == []
    assert [task["actions"][0]["command"] for task in shown["tasks"]] == [f"lab learn check {name}" for name in FIVE]
    assert done.not_green == []


def test_the_terminal_says_which_tasks_are_not_green_any_more(
    spoilt: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    assert "5 of 5; not green now: restore" in command.lab("learn", "list", "-n", "golden").stdout
    said = command.lab("learn", "check", "-n", "golden")
    assert (said.returncode, "not any more: restore" in said.stdout) == (0, True)
    assert "'lab learn check restore -n golden' checks it again" in said.stdout
    assert "red; was green at 2023-11-14 22:13 UTC" in command.lab("learn", "report", "-n", "golden").stdout
    assert spoilt.progress.of("restore").tries == 2


def test_notes_of_an_earlier_version_are_read(memory: MemoryBackend, begun: Attempt) -> None:
    tasks = {
        "dump": {"tries": 1, "green": 5},
        "files": {"tries": 2, "reason": "differs", "says": "no"},
        "repository": {"tries": 2, "green": 7, "reason": "unknown", "says": "?"},
    }
    note = {"lesson": begun.lesson.name, "begun": 1, "broken": True, "tasks": tasks}
    memory.note(progress.PREFIX + begun.lesson.name, json.dumps(note))
    assert [begun.progress.of(name).last for name in FIVE[:4]] == ["green", "red", "unknown", "open"]


def test_reset_of_a_node_opens_the_tasks_whose_checks_saw_it(done: Attempt, memory: MemoryBackend) -> None:
    again = starting.reset_node("backup1", memory, Silent())
    assert [task.id for task in again] == FIVE == [task.id for task in done.lesson.data.tasks]
    now = opened(memory)
    assert now.next is not None
    assert now.next.id == "dump"
    first = now.progress.of("dump")
    assert (first.green, first.last, first.tries, first.says) == (None, "open", 1, "")
    assert starting.reset_node("backup1", memory, Silent()) == [], "open already"


def test_reset_of_another_node_leaves_the_tasks_that_do_not_see_it(
    memory: MemoryBackend, say: Callable[[CheckOutcome], None]
) -> None:
    say(green("good"))
    begun = starting.start(lesson(8), memory, Silent())
    for task in begun.lesson.data.tasks:
        begun.check(task, 0)
    starting.reset_node("tcp-lb2", memory, Silent())
    for task in begun.lesson.data.tasks:
        assert (opened(memory).progress.of(task.id).green is None) is task.concerns("tcp-lb2")
    assert not all(task.concerns("web1") for task in begun.lesson.data.tasks)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        self.lines.append(f"{subject}: {text}{done}")


def _elsewhere(memory: MemoryBackend) -> None:
    starting.start(lesson(8), memory, Silent())


def _caught_up(memory: MemoryBackend) -> None:
    """The finished cluster of the lesson itself, to look at."""
    starting.catch_up(6, memory, Silent())


@pytest.mark.parametrize("between", [_elsewhere, _caught_up])
def test_a_lesson_that_begins_again_has_no_colours_of_the_run_before(
    between: Callable[[MemoryBackend], None], spoilt: Attempt, memory: MemoryBackend
) -> None:
    progress.keep(memory, spoilt.progress.changed("dump", solved=True, hints=2))
    between(memory)
    kept = progress.read(memory, spoilt.lesson.name)
    assert (kept.of("dump").solved, kept.of("restore").last) == (True, "red"), "until then it stays noted"
    heard = Heard()
    now = starting.start(lesson(5), memory, heard)
    assert "the lesson begins again, on new nodes: its tasks are open; tries and hints stay counted" in heard.lines
    assert now.next is not None
    assert (now.next.id, now.not_green) == ("dump", [])
    first = now.progress.of("dump")
    assert (first.last, first.solved, first.tries, first.hints) == ("open", False, 1, 2)
    (row,) = rows([now.lesson], {now.lesson.name: now.progress}, now.lesson.name)
    assert [(task["state"], task["colour"], task["was_green"]) for task in row["tasks"]] == [("open", "", "")] * 5
    shown = LessonPanel(memory).lesson(Look(1.0, memory.observe(), notes=dict(noted(memory))))
    assert [(task["state"], "wasGreen" in task, "figure" in task) for task in shown["tasks"]] == [
        ("open", False, False)
    ] * 5


@pytest.mark.usefixtures("done")
def test_a_lesson_that_goes_on_keeps_its_colours(memory: MemoryBackend) -> None:
    heard = Heard()
    now = starting.start(lesson(5), memory, heard)
    assert [now.progress.of(name).last for name in FIVE] == ["green"] * 5
    assert not any("begins again" in line for line in heard.lines)


@pytest.mark.usefixtures("begun")
def test_reset_of_a_node_says_nothing_twice(memory: MemoryBackend) -> None:
    heard = Heard()
    starting.reset_node("backup1", memory, heard)
    assert "backup1: startingFalse" in heard.lines
    assert len(heard.lines) == len(set(heard.lines))
    assert memory.done.count("start backup1") == 3, "it was started twice, after the first start of the lesson"


def test_reset_names_what_is_open_again(done: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    said = command.lab("learn", "reset", "backup1", "-n", "golden").stdout
    assert f"open again: {', '.join(FIVE)}; 'lab learn check -n golden' checks the first" in said
    assert done.next is not None


def test_compare_of_a_script_shows_the_script(
    done: Attempt, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    said = command.lab("learn", "compare", "schedule")
    assert said.returncode == 0
    assert "its own solution is a script\non backup1:\n    cat > /var/lib/backup/schedule" in said.stdout
    assert done.compare(done.lesson.task("schedule")) == []
