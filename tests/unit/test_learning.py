"""Lessons on an engine of plain values: start, check, hint, solve, compare, reset, reports, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, SpecError
from lab.evidence.outcomes import KINDS, CheckInput, CheckOutcome, Colour, Scene, green, kind, kinds, red, unknown
from lab.learning import library, page, progress, report, starting
from lab.learning.attempt import Attempt, opened
from lab.learning.lesson import IndividualValue
from lab.learning.library import lesson, read
from lab.learning.listing import rows
from lab.learning.text import LessonText, folded
from lab.learning.values import filled, individual
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import load, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HTTPD = "/etc/lab/httpd.conf"
ANSWERS: dict[str, CheckOutcome] = {}


class Told(CheckInput):
    """What the check of these tests is told."""

    says: str


@pytest.fixture
def own_lesson(tmp_path: Path) -> Iterator[library.Lesson]:
    """A lesson of two tasks, whose checks answer what the test says."""
    ANSWERS.clear()

    @kind("played", Told, ("bad",))
    def played(_scene: Scene, told: Told) -> CheckOutcome:
        if told.says == "engine":
            raise BackendError("web1 is not running", where="web1")
        return ANSWERS.get(told.says, red("bad", f"{told.says} is bad"))

    folder = tmp_path / "42-played"
    (folder / "wrong").mkdir(parents=True)
    (folder / "topology.yaml").write_text("web: {count: 1}\nby-hand: [web1]\n", encoding="utf-8")
    (folder / "lesson.yaml").write_text(
        """
part: 1
title: Played
minutes: 5
values: {word: {of: [amber, birch, cedar]}}
tasks:
  - id: one
    title: The first
    check: {played: {says: "one {{ word }}"}}
    hints: {where: look, what: see, command: "`lab status`", reasons: {bad: "it is bad: {{ word }}"}}
    solution: [{node: web1, files: [/etc/lab/httpd.conf], run: "echo {{ word }}"}]
  - id: two
    title: The second
    check: [{played: {says: two}}, {played: {says: engine}}]
    hints: {where: look, what: see, command: "`lab status`"}
    solution: [{node: web1, run: "true"}]
""",
        encoding="utf-8",
    )
    (folder / "lesson.md").write_text(
        "# Played\n\nfor {{ cluster }}\n\n## One {#one}\n\n{{ word }}\n\n## Two {#two}\n\nb\n\n## L {#learnt}\n\nl\n\n"
        "## R {#real-sites}\n\nr\n\n## Q {#questions}\n\n<details><summary>Why?</summary>\n\nSo.\n\n</details>\n",
        encoding="utf-8",
    )
    yield read(folder)
    KINDS.pop("played")


@pytest.fixture
def known(own_lesson: library.Lesson, monkeypatch: pytest.MonkeyPatch) -> library.Lesson:
    """The same, found by its name and number."""
    monkeypatch.setattr("lab.assets.lessons", lambda: {own_lesson.name: own_lesson.folder})
    return own_lesson


@pytest.fixture
def begun(known: library.Lesson, memory: MemoryBackend) -> Attempt:
    """The lesson, started."""
    return starting.start(known, memory, Silent())


def _word(made: Attempt) -> str:
    return str(made.known["word"])


def test_start_makes_the_cluster_and_a_second_start_keeps_it(begun: Attempt, memory: MemoryBackend) -> None:
    assert HTTPD not in memory.files["web1"]
    begun.check(begun.lesson.task("one"))
    memory.done.clear()
    starting.start(begun.lesson, memory, Silent())
    assert not [entry for entry in memory.done if entry.startswith(("create", "remove"))]
    assert opened(memory).progress.of("one").tries == 1


def test_a_red_check_has_its_reason_and_the_hint_for_it(begun: Attempt) -> None:
    task = begun.lesson.task("one")
    outcome = begun.check(task)
    assert (outcome.colour, outcome.reason) == (Colour.RED, "bad")
    assert begun.reason_hint(task, outcome.reason) == f"it is bad: {_word(begun)}"
    assert begun.progress.of("one").green is None
    assert begun.next == task


def test_unknown_is_never_green(begun: Attempt) -> None:
    ANSWERS["two"] = green("good")
    outcome = begun.check(begun.lesson.task("two"))
    assert (outcome.colour, outcome.green, outcome.says) == (Colour.UNKNOWN, False, "web1 is not running")
    assert begun.progress.of("two").green is None
    assert not unknown("").green


def test_hints_come_one_by_one(begun: Attempt) -> None:
    task = begun.lesson.task("one")
    assert begun.hint(task) == ["look"]
    begun.check(task)
    assert begun.hint(task) == ["look", "see"]
    assert [len(begun.hint(task)), len(begun.hint(task))] == [3, 3]
    assert begun.progress.of("one").hints == 3


def test_solve_puts_the_labs_own_file_there_and_compare_shows_what_differs(
    begun: Attempt, memory: MemoryBackend
) -> None:
    task = begun.lesson.task("one")
    with pytest.raises(SpecError, match="not green yet"):
        begun.compare(task)
    begun.solve(task)
    text = memory.files["web1"][HTTPD].decode()
    assert "ServerName web1" in text
    ANSWERS[f"one {_word(begun)}"] = green("good")
    assert begun.check(task).green
    assert begun.progress.of("one").solved
    assert [file.diff for file in begun.compare(task)] == [""]
    memory.put("web1", {HTTPD: (text.replace("KeepAlive On", "KeepAlive Off").encode(), 0o644)})
    assert "-KeepAlive On" in begun.compare(task)[0].diff
    with pytest.raises(SpecError, match="not green yet"):
        begun.compare(begun.lesson.task("two"))


def test_a_script_that_fails_says_so(begun: Attempt, memory: MemoryBackend) -> None:
    memory.answers["sh"] = (1, "no")
    with pytest.raises(BackendError, match="the solution of one failed on web1: no"):
        begun.solve(begun.lesson.task("one"))


def test_reset_leaves_nothing(begun: Attempt, memory: MemoryBackend) -> None:
    begun.check(begun.lesson.task("one"))
    assert starting.reset(memory, Silent()) == "42-played"
    assert memory.observe().nodes == ()
    assert dict(memory.notes()) == {}
    with pytest.raises(SpecError, match="no lesson was started"):
        starting.reset(memory, Silent())


def test_reset_of_a_node_creates_it_again_without_what_was_written(begun: Attempt, memory: MemoryBackend) -> None:
    begun.solve(begun.lesson.task("one"))
    starting.reset_node("web1", memory, Silent())
    assert HTTPD not in memory.files["web1"]
    assert opened(memory).progress.of("one").solved
    with pytest.raises(SpecError, match="has no node 'web7'; did you mean 'web1'"):
        starting.reset_node("web7", memory, Silent())


def test_a_check_before_start_is_refused(memory: MemoryBackend) -> None:
    with pytest.raises(SpecError, match="no lesson was started on the cluster 'golden'") as caught:
        opened(memory)
    assert "lab learn start 1" in caught.value.next_step


def test_a_lesson_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SpecError, match="there is no lesson '99'") as caught:
        lesson(99)
    assert "lab learn list" in caught.value.next_step
    with pytest.raises(SpecError, match="did you mean '01-web-server'"):
        lesson("web-server")


def test_a_cluster_that_no_lesson_made_is_refused(known: library.Lesson, memory: MemoryBackend) -> None:
    up(load(known.topology, name="golden"), memory, Silent())
    with pytest.raises(SpecError, match="was made by 'lab up', not by a lesson") as caught:
        starting.start(known, memory, Silent())
    assert caught.value.exit_code == 2
    assert "'export LAB_NAME=learn'" in caught.value.next_step


def test_the_refusal_names_another_cluster_than_the_refused_one(known: library.Lesson) -> None:
    backend = MemoryBackend("learn")
    up(load(known.topology, name="learn"), backend, Silent())
    with pytest.raises(SpecError, match="the cluster 'learn' was made by 'lab up'") as caught:
        starting.start(known, backend, Silent())
    assert "'export LAB_NAME=learn2'" in caught.value.next_step
    assert "'-n learn2' with each command" in caught.value.next_step, "a name that is typed precedes the variable"


@pytest.fixture
def own_cluster(begun: Attempt, memory: MemoryBackend) -> MemoryBackend:
    """A cluster of another topology, made after 'lab down' of the lesson's."""
    assert progress.current(memory) == begun.lesson.name
    down(memory, Silent())
    up(parse("name: golden\nweb: {count: 2}\n"), memory, Silent())
    memory.done.clear()
    return memory


@pytest.mark.parametrize("verb", ["start", "start another", "catch-up", "reset", "reset web1", "check, solve"])
def test_no_verb_changes_a_cluster_that_was_made_after_a_lesson(
    known: library.Lesson, own_cluster: MemoryBackend, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    folders = {known.name: known.folder, "43-another": known.folder}
    monkeypatch.setattr("lab.assets.lessons", lambda: folders)
    another = replace(known, name="43-another")
    monkeypatch.setattr(starting, "lessons", lambda: [known, another])
    calls: dict[str, Callable[[], object]] = {
        "start": lambda: starting.start(known, own_cluster, Silent()),
        "start another": lambda: starting.start(another, own_cluster, Silent()),
        "catch-up": lambda: starting.catch_up(43, own_cluster, Silent()),
        "reset": lambda: starting.reset(own_cluster, Silent()),
        "reset web1": lambda: starting.reset_node("web1", own_cluster, Silent()),
        "check, solve": lambda: opened(own_cluster),
    }
    with pytest.raises(SpecError, match="the cluster 'golden' was made by 'lab up', not by a lesson") as caught:
        calls[verb]()
    assert "lab down --volumes" in caught.value.next_step
    assert own_cluster.done == []
    assert known.name in progress.all_of(own_cluster), "the progress is kept"


def test_kept_data_of_a_cluster_that_no_lesson_made_is_refused(known: library.Lesson, memory: MemoryBackend) -> None:
    up(parse("name: golden\nweb: {count: 1}\nmysql: {count: 1}\n"), memory, Silent())
    down(memory, Silent())
    assert memory.observe().data
    refusal = "the data of the cluster 'golden', which was kept, was made by 'lab up'"
    with pytest.raises(SpecError, match=refusal):
        starting.start(known, memory, Silent())
    with pytest.raises(SpecError, match=refusal):
        starting.reset(memory, Silent())
    assert memory.observe().data


def test_a_lesson_goes_on_after_down_and_up_of_its_own_topology(begun: Attempt, memory: MemoryBackend) -> None:
    down(memory, Silent())
    up(begun.lesson.cluster("golden"), memory, Silent())
    assert opened(memory).lesson.name == begun.lesson.name
    assert starting.reset(memory, Silent()) == begun.lesson.name


def test_a_cluster_that_was_changed_since_is_refused(begun: Attempt, memory: MemoryBackend) -> None:
    up(begun.lesson.cluster("golden").model_copy(update={"by_hand": {}}), memory, Silent())
    with pytest.raises(SpecError, match="was changed since the lesson 42-played began: web1"):
        opened(memory)


def test_catch_up_makes_the_cluster_of_the_lesson_before(memory: MemoryBackend) -> None:
    last = starting.catch_up(7, memory, Silent())
    assert last.number < 7
    assert not any(node.fixed.by_hand for node in memory.observe().nodes)
    with pytest.raises(SpecError, match="nothing comes before the lesson 1"):
        starting.catch_up(1, memory, Silent())
    with pytest.raises(SpecError, match="there is no lesson 77"):
        starting.catch_up(77, memory, Silent())


def test_another_lesson_replaces_the_cluster_and_keeps_the_progress(memory: MemoryBackend) -> None:
    first = starting.start(lesson(1), memory, Silent())
    progress.keep(memory, first.progress.changed("php", tries=3))
    starting.start(lesson(8), memory, Silent())
    assert {node.name for node in memory.observe().nodes} == {"web1", "http-lb1", "tcp-lb1", "tcp-lb2", "client"}
    assert progress.current(memory) == "08-tcp-lb"
    assert progress.read(memory, "01-web-server").of("php").tries == 3


def test_reports_have_each_task(begun: Attempt) -> None:
    begun.check(begun.lesson.task("one"))
    found = [(begun.lesson, begun.progress)]
    table = report.rows("golden", found)
    assert [(row["task"], row["state"], row["tries"]) for row in table] == [("one", "red", 1), ("two", "open", 0)]
    said = {name: report.written(name, report.rows("golden", found)) for name in ("json", "csv", "junit", "page")}
    assert json.loads(said["json"]) == table
    assert [row["reason"] for row in csv.DictReader(io.StringIO(said["csv"]))] == ["bad", ""]
    suite = ET.fromstring(said["junit"])[0]  # noqa: S314  own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    assert "<td>red</td>" in said["page"]
    listed = rows([begun.lesson], {begun.lesson.name: begun.progress}, begun.lesson.name)[0]
    assert (listed["green"], listed["by_hand"], listed["started"], listed["nodes"]) == (0, ["web1"], True, 2)


def test_a_page_needs_nothing_else(begun: Attempt) -> None:
    made = page.page(begun)
    assert "<details>" in made
    assert "<svg" in made
    assert "http" not in made.replace("http://www.w3.org/", "").replace("httpd", "").partition("<main>")[0]
    assert page.written(begun).read_text(encoding="utf-8") == made


def test_values_differ_by_the_clusters_name() -> None:
    words = IndividualValue(of=[str(number) for number in range(100)])
    assert individual("www", "one", "word", words) == individual("www", "one", "word", words)
    assert len({individual(f"learner{number}", "one", "word", words) for number in range(20)}) > 10
    assert all(5 <= int(individual(f"l{n}", "x", "y", IndividualValue(least=5, most=9))) <= 9 for n in range(30))


def test_an_unknown_name_in_a_text_is_refused() -> None:
    with pytest.raises(SpecError, match="wrod"):
        filled("{{ wrod }}", {"word": "x"}, "here")


def test_a_terminal_shows_answers_only_on_demand() -> None:
    text = "<details><summary>Why?</summary>\n\nSo.\n\n</details>"
    assert "So." not in folded(text)
    assert "So." in folded(text, answers=True)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("lesson.yaml", "minutes: 5", "minutes: 50", "minutes"),
        ("lesson.yaml", "part: 1", "parts: 1", "unknown key 'parts'"),
        ("lesson.yaml", "id: two", "id: one", "two tasks have the id 'one'"),
        ("lesson.yaml", "id: two", "id: three", "the task 'three' has no section"),
        ("lesson.yaml", '[{node: web1, run: "true"}]', '[{run: "true"}]', "needs 'node'"),
        ("lesson.md", "{#questions}", "", "the section 'questions' is missing"),
        ("lesson.md", "{#two}", "{#one}", "two sections have the id 'one'"),
    ],
)
def test_a_lesson_that_is_not_valid_is_one_screen(
    own_lesson: library.Lesson, file: str, old: str, new: str, named: str
) -> None:
    path = own_lesson.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read(own_lesson.folder)
    assert named in str(caught.value)


def test_a_wrong_answer_without_its_hint_is_refused(own_lesson: library.Lesson) -> None:
    (own_lesson.folder / "wrong" / "bad.sh").write_text("# task: one\n# node: web1\ntrue\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"the wrong answer bad\.sh does not say 'hint'"):
        read(own_lesson.folder)


def test_kinds_of_checks_are_in_one_list() -> None:
    assert {"page", "file", "service", "port", "command", "spread", "outage", "promise", "holder"} <= set(kinds())


def test_the_text_of_a_lesson_has_its_sections() -> None:
    text = lesson(1).text
    assert isinstance(text, LessonText)
    assert list(text.sections)[-3:] == ["learnt", "real-sites", "questions"]
