"""Solutions: what counts as solved after one of them, and the person's own files, of which copies are kept."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError
from lab.evidence import outcomes
from lab.evidence.outcomes import green, red
from lab.learning import progress, report, starting
from lab.learning.attempt import Attempt, opened
from lab.learning.library import lesson
from lab.learning.listing import rows
from lab.progress import Silent
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.evidence.outcomes import CheckOutcome

HAPROXY = "/etc/lab/haproxy.cfg"
COPY = "/etc/lab/.haproxy.cfg.mine"
OWN = b"# my own\n"


class WithCopies(MemoryBackend):
    """Nodes that copy a file by `cp -p`; a solution's script appends a line to the files of `scripted`.

    Attributes:
        scripted: node and path.
        full: whether nothing can be copied.
    """

    scripted: tuple[tuple[str, str], ...] = ()
    full = False

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        if argv[:2] == ["cp", "-p"]:
            if self.full:
                return Result(node, tuple(argv), 1, "", "cp: No space left on device")
            self.put(node, {argv[3]: (self.files[node][argv[2]], self.modes[node][argv[2]])})
        for changed, path in self.scripted:
            if argv[0] == "sh" and changed == node:
                self.put(node, {path: (self.files[node][path] + b"word\n", self.modes[node][path])})
        return done


@pytest.fixture
def memory() -> WithCopies:
    return WithCopies("golden")


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[CheckOutcome], None]:
    """Decides what each check answers from now on."""
    monkeypatch.setattr("lab.learning.attempt.PATIENCE", 0.0)
    return lambda outcome: monkeypatch.setattr(outcomes.Question, "ask", lambda *_: outcome)


@pytest.fixture
def three(memory: WithCopies) -> Attempt:
    """The lesson of the HTTP balancer: one file for all its tasks."""
    return starting.start(lesson(3), memory, Silent())


def _states(attempt: Attempt) -> dict[str, str]:
    return {task.id: report.state(attempt.progress.of(task.id)) for task in attempt.lesson.data.tasks}


def test_tasks_with_a_file_of_a_solved_one_count_as_solved(three: Attempt, say: Callable[[CheckOutcome], None]) -> None:
    say(green("good"))
    first, *others = three.lesson.data.tasks
    three.solve(first)
    assert set(_states(three).values()) == {"open"}, "nothing is done before it is checked"
    assert three.also_solved(first) == others
    for task in three.lesson.data.tasks:
        three.check(task, 0)
    assert set(_states(three).values()) == {"solved"}
    assert three.also_solved(first) == []
    found = [(three.lesson, three.progress)]
    said = {name: report.written(name, report.rows("golden", found)) for name in ("json", "csv", "junit", "page")}
    assert {(row["state"], row["solved"]) for row in json.loads(said["json"])} == {("solved", True)}
    lines = list(csv.DictReader(io.StringIO(said["csv"])))
    assert {(line["state"], line["solved"]) for line in lines} == {("solved", "True")}
    cases = ET.fromstring(said["junit"]).iter("system-out")  # noqa: S314  own
    assert all("solved by the lab: True" in str(case.text) for case in cases)
    assert said["page"].count("<td>solved</td>") == len(lines)
    listed = rows([three.lesson], {three.lesson.name: three.progress}, three.lesson.name)[0]
    assert {task["state"] for task in listed["tasks"]} == {"solved"}


def test_a_task_that_was_green_before_stays_the_persons_own(
    three: Attempt, say: Callable[[CheckOutcome], None]
) -> None:
    say(green("good"))
    first, second, third, *_ = three.lesson.data.tasks
    three.check(first, 0)
    three.check(second, 0)
    three.solve(third)
    for task in (first, second, third):
        three.check(task, 0)
    assert [report.state(three.progress.of(task.id)) for task in (first, second, third)] == ["green", "green", "solved"]
    say(red("status", "503"))
    three.check(second, 0)
    say(green("good"))
    three.check(second, 0)
    assert report.state(three.progress.of(second.id)) == "solved", "the lab's file made it green again"


def test_a_task_without_a_common_file_stays_the_persons_own(
    memory: WithCopies, say: Callable[[CheckOutcome], None]
) -> None:
    begun = starting.start(lesson(6), memory, Silent())
    say(green("good"))
    begun.solve(begun.lesson.task("first-node"))
    for task in begun.lesson.data.tasks:
        begun.check(task, 0)
    assert [name for name, state in _states(begun).items() if state == "solved"] == ["first-node"]


def test_after_reset_of_the_node_the_tasks_are_the_persons_own_again(
    three: Attempt, memory: WithCopies, say: Callable[[CheckOutcome], None]
) -> None:
    say(green("good"))
    first, second, *_ = three.lesson.data.tasks
    three.solve(first)
    three.check(first, 0)
    starting.reset_node("http-lb1", memory, Silent())
    now = opened(memory)
    now.check(second, 0)
    assert report.state(now.progress.of(second.id)) == "green"


def test_a_solution_keeps_a_copy_of_the_persons_file(three: Attempt, memory: WithCopies) -> None:
    first, second, *_ = three.lesson.data.tasks
    memory.put("http-lb1", {HAPROXY: (OWN, 0o640)})
    (kept,) = three.solve(first)
    assert (kept.node, kept.path, kept.copy) == ("http-lb1", HAPROXY, COPY)
    assert (memory.files["http-lb1"][COPY], memory.modes["http-lb1"][COPY]) == (OWN, 0o640)
    assert memory.files["http-lb1"][HAPROXY] != OWN
    assert three.solve(second) == [], "the file is the lab's own"
    memory.put("http-lb1", {HAPROXY: (OWN, 0o640)})
    assert [file.copy for file in three.solve(second)] == [COPY], "one copy of one content"
    memory.put("http-lb1", {HAPROXY: (b"# another\n", 0o640)})
    assert [file.copy for file in three.solve(second)] == [f"{COPY}2"]
    assert memory.files["http-lb1"][COPY] == OWN, "no copy is overwritten"


def test_a_file_that_a_solutions_script_changed_is_the_labs_own(memory: WithCopies) -> None:
    begun = starting.start(lesson(8), memory, Silent())
    memory.scripted = (("tcp-lb1", "/etc/lab/keepalived.conf"),)
    for task in begun.lesson.data.tasks:
        assert begun.solve(task) == []
    assert memory.files["tcp-lb1"]["/etc/lab/keepalived.conf"].endswith(b"word\n")
    assert not [path for path in memory.files["tcp-lb1"] if path.endswith(".mine")]


def test_a_file_is_the_labs_own_after_a_script_that_failed(memory: WithCopies, three: Attempt) -> None:
    memory.scripted = (("http-lb1", HAPROXY),)
    memory.answers["sh"] = (1, "haproxy: ERROR")
    first = three.lesson.data.tasks[0]
    for _ in range(2):
        with pytest.raises(BackendError, match="haproxy: ERROR"):
            three.solve(first)
    assert COPY not in memory.files["http-lb1"]
    assert not three.progress.of(first.id).solved


def test_a_file_that_can_not_be_kept_is_not_replaced(three: Attempt, memory: WithCopies) -> None:
    memory.put("http-lb1", {HAPROXY: (OWN, 0o640)})
    memory.full = True
    with pytest.raises(BackendError, match=r"can't be copied to /etc/lab/\.haproxy\.cfg\.mine: cp: No space left"):
        three.solve(three.lesson.data.tasks[0])
    assert memory.files["http-lb1"][HAPROXY] == OWN


def test_the_screen_names_the_copy_and_the_other_tasks(
    three: Attempt,
    memory: WithCopies,
    say: Callable[[CheckOutcome], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    say(green("good"))
    memory.put("http-lb1", {HAPROXY: (OWN, 0o640)})
    done = command.lab("learn", "solve")
    said = done.stdout
    assert f"{HAPROXY} of http-lb1, as it was, is kept as {COPY}\n" in done.stderr
    others = ", ".join(task.id for task in three.lesson.data.tasks[1:])
    assert f"other tasks have a file of this solution in theirs, and will count as solved too: {others}" in said
    assert (
        f"{HAPROXY} on http-lb1, as it was before the solution, is kept as {COPY}\n"
        in command.lab("learn", "compare").stdout
    )
    again = command.lab("learn", "solve")
    assert "kept as" not in again.stdout + again.stderr
    memory.put("http-lb1", {HAPROXY: (b"# another\n", 0o640)})
    memory.answers["sh"] = (1, "haproxy: ERROR")
    failed = command.lab("learn", "solve", "tls")
    assert failed.returncode == 1
    assert f"is kept as {COPY}2\n" in failed.stderr, "also where its script fails"


@pytest.mark.usefixtures("three")
def test_notes_of_an_earlier_version_name_no_file_of_the_labs(memory: WithCopies) -> None:
    note = {"lesson": "03-http-lb", "begun": 1, "broken": True, "tasks": {"answers": {"solved": True, "green": 5}}}
    memory.note(f"{progress.PREFIX}03-http-lb", json.dumps(note))
    assert progress.read(memory, "03-http-lb").written == {}
