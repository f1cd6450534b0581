"""A lesson beside the live picture: its text as blocks, the checks' colours, and what the buttons do."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.optional import noted
from lab.errors import SpecError
from lab.evidence import outcomes
from lab.evidence.outcomes import CheckOutcome, green, red, unknown
from lab.learning import starting
from lab.learning.blocks import TAGS, Block, blocks
from lab.learning.library import lesson, lessons
from lab.learning.panel import LessonPanel
from lab.lifecycle.down import down
from lab.page.watch import Look
from lab.progress import Silent
from tests.pages import TOKENS, served
from tests.unit.live_page import until

if TYPE_CHECKING:
    from lab.backends.memory import MemoryBackend
    from lab.learning.attempt import Attempt


def test_markdown_is_a_tree_and_no_html() -> None:
    text = "# T\n\nOne `a<b` **two**\nthree.\n\n- x\n\n<details><summary>Why `x`?</summary>\n\nSo.\n\n</details>\n"
    text += "\n```\n<p>\n```\n"
    assert blocks(text) == [
        ["h3", "T"],
        ["p", "One ", ["code", "a<b"], " ", ["strong", "two"], " ", "three."],
        ["ul", ["li", ["p", "x"]]],
        ["details", ["summary", "Why ", ["code", "x"], "?"], ["p", "So."]],
        ["pre", ["code", "<p>\n"]],
    ]
    hostile = "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![i](http://x/y)"
    assert _tags(blocks(hostile)) <= {"p"}
    assert "<script>alert(1)</script>" in json.dumps(blocks(hostile)), "shown as it is written"


def _tags(found: list[Block]) -> set[str]:
    lists = [one for one in found if isinstance(one, list)]
    return {str(one[0]) for one in lists}.union(*(_tags(one[1:]) for one in lists))


def _prose(block: Block) -> str:
    """The text of a block or of several, without code."""
    if isinstance(block, str):
        return block
    return "" if block[:1] in (["code"], ["pre"]) else " ".join(map(_prose, block))


def test_every_lesson_has_only_tags_that_the_page_draws() -> None:
    for one in lessons():
        parts = [one.text.intro, *(section.body for section in one.text.sections.values())]
        for text in parts:
            assert _tags(blocks(text)) <= TAGS
            assert "</" not in _prose(blocks(text)), f"{one.name}: HTML that no block has"


@pytest.fixture
def begun(memory: MemoryBackend) -> Attempt:
    """The first lesson, just begun."""
    return starting.start(lesson(1), memory, Silent())


@pytest.fixture
def panel(memory: MemoryBackend) -> LessonPanel:
    """Its panel."""
    return LessonPanel(memory, "-n golden")


def _look(memory: MemoryBackend) -> Look:
    return Look(1.0, memory.observe(), notes=dict(noted(memory)))


def _say(monkeypatch: pytest.MonkeyPatch, outcome: CheckOutcome) -> None:
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: outcome)
    monkeypatch.setattr("lab.learning.panel.PATIENCE", 0.0)


@pytest.mark.usefixtures("begun")
def test_the_tasks_have_the_colours_of_their_checks(
    memory: MemoryBackend, panel: LessonPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = panel.lesson(_look(memory))
    assert shown["title"] == "Part 1: A web server"
    assert [task["state"] for task in shown["tasks"]] == ["open"] * 5
    assert [task["next"] for task in shown["tasks"]] == [True, *[False] * 4]
    assert "ServerName" in json.dumps(shown["tasks"][0]["text"])
    assert [one["command"] for one in shown["actions"]] == ["lab learn check -n golden", "lab learn hint -n golden"]
    assert "after" not in shown, "what was learnt comes after the tasks"

    _say(monkeypatch, red("refused", "nothing answers", "curl: 7"))
    assert panel.act("check", {}) == "httpd answers: red"
    first = panel.lesson(_look(memory))["tasks"][0]
    assert (first["state"], first["figure"]) == ("failed", "nothing answers (curl: 7)")
    assert first["hints"] == [], "the figure, and not yet what mends it"
    assert panel.act("hint", {}) == "hint 1 of 3 to: httpd answers"
    assert len(panel.lesson(_look(memory))["tasks"][0]["hints"]) == 1
    assert panel.act("check", {}) == "httpd answers: red"
    hints = panel.lesson(_look(memory))["tasks"][0]["hints"]
    assert len(hints) == 2
    assert "Something runs, and not on port 80." in json.dumps(hints[-1]), "the same reason again"
    answers = [panel.act("hint", {}) for _ in range(3)]
    assert answers[1:] == ["hint 3 of 3 to: httpd answers", "there are no more hints to: httpd answers"]

    _say(monkeypatch, unknown("the node did not answer"))
    panel.act("check", {})
    assert panel.lesson(_look(memory))["tasks"][0]["state"] == "unknown", "never green, and not red either"

    _say(monkeypatch, green("good"))
    for _ in range(5):
        panel.act("check", {})
    shown = panel.lesson(_look(memory))
    assert [task["state"] for task in shown["tasks"]] == ["done"] * 5
    assert [one["id"] for one in shown["after"]] == ["learnt", "real-sites", "questions", "next"]
    assert shown["actions"] == []
    assert panel.act("check", {}) == "all tasks are green"


@pytest.mark.usefixtures("begun")
def test_a_text_is_made_once_for_each_change(memory: MemoryBackend, panel: LessonPanel) -> None:
    """The page asks each second."""
    shown = panel.lesson(_look(memory))
    assert panel.lesson(_look(memory)) is shown
    panel.act("hint", {})
    assert panel.lesson(_look(memory)) is not shown


@pytest.mark.usefixtures("begun")
def test_one_action_at_a_time(panel: LessonPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    def ask(*_: object) -> CheckOutcome:
        asked.set()
        assert answered.wait(10)
        return green("good")

    monkeypatch.setattr(outcomes.Question, "ask", ask)
    thread = threading.Thread(target=panel.act, args=("check", {}))
    thread.start()
    try:
        assert asked.wait(10)
        with pytest.raises(SpecError, match="under way"):
            panel.act("check", {})
    finally:
        answered.set()
        thread.join()
    with pytest.raises(SpecError, match="no action 'explode'"):
        panel.act("explode", {})
    with pytest.raises(SpecError, match="no task 'nine'"):
        panel.act("hint", {"task": "nine"})


def test_without_a_lesson_there_is_no_panel(memory: MemoryBackend, panel: LessonPanel) -> None:
    assert panel.lesson(_look(memory)) == {}
    starting.start(lesson(1), memory, Silent())
    assert panel.lesson(_look(memory))["title"] == "Part 1: A web server"
    starting.start(lesson(8), memory, Silent())
    assert panel.lesson(_look(memory))["title"].startswith("Part 8"), "another lesson's cluster"
    down(memory, Silent(), volumes=True)
    assert panel.lesson(_look(memory)) == {}


def test_a_changed_cluster_is_said_and_not_read_each_second(begun: Attempt, panel: LessonPanel) -> None:
    memory: Any = begun.backend
    memory.remove("web1")
    with pytest.raises(SpecError, match="changed since"):
        panel.lesson(_look(memory))
    with pytest.raises(SpecError, match="changed since"):
        panel.lesson(_look(memory))


@pytest.mark.usefixtures("begun")
def test_the_page_shows_the_lesson_and_checks_it(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    _say(monkeypatch, green("good"))
    one = lesson(1)
    with served(memory, one.cluster("golden"), panel=LessonPanel(memory), visitors=False) as page:
        until("the lesson", lambda: page.get("/lesson").json().get("title") == "Part 1: A web server")
        assert page.post("/lesson", {"verb": "check"}, TOKENS.read).status_code == 403
        assert page.post("/lesson", {"verb": "check"}).json() == {"said": "httpd answers: green"}
        until("its colour", lambda: page.get("/state").json()["lesson"]["tasks"][0]["state"] == "done")
        monkeypatch.setattr("lab.learning.attempt.Attempt.check", _refuses)
        answer = page.post("/lesson", {"verb": "check"})
        assert (answer.status_code, answer.json()["error"]) == (400, "web1 is not running")


def _refuses(*_: object) -> CheckOutcome:
    raise SpecError("web1 is not running")
