"""The next commands that are printed name the cluster as it was named to the command that prints them."""

from __future__ import annotations

import pytest

from lab.backends.base import Capabilities
from lab.cli.naming import Naming
from lab.learning import starting
from lab.learning.library import lesson
from lab.learning.panel import LessonPanel
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.page.watch import Look
from lab.progress import Silent
from lab.topology import parse
from tests.pages import served
from tests.unit import command
from tests.unit.live_page import CAN, Engine, until

OWN = {"name": "lrn5"}


@pytest.fixture
def memory() -> Engine:
    """An engine whose kernel has what a shared filesystem needs."""
    engine = Engine("golden", Capabilities("memory", CAN.kernel | {"fuse"}, sized_volumes=True))
    engine.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    return engine


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("lab learn check", "lab learn check -n lrn5"),
        ("lab learn start 5", "lab learn start 5 -n lrn5"),
        ("lab exec backup1 -- ls -l", "lab exec -n lrn5 backup1 -- ls -l"),
        ("lab logs web1 | grep error", "lab logs web1 -n lrn5 | grep error"),
        ("lab down --volumes", "lab down --volumes -n lrn5"),
        ("lab exec backup1 -- tail -n 3 x", "lab exec -n lrn5 backup1 -- tail -n 3 x"),
        ("lab up -n other", "lab up -n other"),
        ("lab images prune", "lab images prune"),
        ("lab chaos list", "lab chaos list"),
    ],
)
def test_an_option_is_where_its_verb_takes_it(line: str, named: str) -> None:
    assert Naming(command.verbs(), OWN).command(line) == named


def test_a_verb_without_a_file_is_given_the_name() -> None:
    naming = Naming(command.verbs(), {"file": "five.yaml"}, "five")
    assert naming.command("lab learn check") == "lab learn check -f five.yaml"
    assert naming.command("lab learn start 5") == "lab learn start 5 -n five"


@pytest.mark.parametrize("text", ["made by 'lab up', not by a lesson", "is busy with 'lab chaos run own' (process 7)"])
def test_what_ran_or_runs_is_left_as_it_is(text: str) -> None:
    assert Naming(command.verbs(), OWN).text(text) == text


def test_only_commands_of_a_text_are_changed() -> None:
    naming = Naming(command.verbs(), OWN)
    text = "the lab renders; 'lab heal' ends it, `lab open` opens it\n\n    lab status\n\n'export LAB_NAME=learn' too"
    assert naming.text(text) == (
        "the lab renders; 'lab heal -n lrn5' ends it, `lab open -n lrn5` opens it\n\n    lab status -n lrn5\n\n"
        "'export LAB_NAME=learn' too"
    )
    assert Naming(command.verbs(), {}).text(text) == text


def test_a_lesson_is_begun_and_reset_by_the_name_that_was_typed(
    memory: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    said = command.lab("learn", "start", "1", "-n", "golden").stdout
    assert "'lab learn check -n golden' checks it, 'lab learn hint -n golden' helps." in said
    assert "'lab learn start N -n golden' begins one" in command.lab("learn", "list", "-n", "golden").stdout
    memory.kill("web1")
    assert "'lab learn reset web1 -n golden' creates" in command.lab("learn", "check", "-n", "golden").stderr
    assert "'lab learn start 1 -n golden' begins" in command.lab("learn", "reset", "-n", "golden").stdout
    assert "'lab up -n golden' creates it" in command.lab("status", "-n", "golden").stdout


def test_what_the_environment_says_is_not_repeated(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    said = command.lab("learn", "start", "1", environment={"LAB_NAME": "golden"}).stdout
    assert "'lab learn check' checks it" in said


def test_faults_name_how_they_are_reverted(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    up(parse("name: golden\nweb: {count: 1}\n"), memory, Silent())
    assert "'lab start web1 -n golden' starts them" in command.lab("stop", "web1", "-n", "golden").stdout


def test_the_texts_of_the_page_name_the_cluster(memory: Engine) -> None:
    starting.start(lesson(5), memory, Silent())
    panel = LessonPanel(memory, "-n golden", Naming(command.verbs(), {"name": "golden"}))
    panel.act("hint", {})
    panel.act("hint", {})
    panel.act("hint", {})
    shown = panel.lesson(Look(1.0, memory.observe(), notes=dict(memory.notes())))
    assert "-n golden" in str(shown["tasks"][0]["hints"][-1])
    assert shown["actions"][0]["command"] == "lab learn check -n golden"


def test_a_page_whose_lesson_was_removed_names_how_it_begins_again(memory: Engine) -> None:
    starting.start(lesson(5), memory, Silent())
    panel = LessonPanel(memory, "-n golden")
    with served(memory, lesson(5).cluster("golden"), panel=panel, visitors=False) as page:
        again = "lab learn start 5 -n golden"
        until("the command", lambda: page.get("/state").json().get("again") == again)
        starting.reset(memory, Silent())
        until("its end", lambda: page.get("/state").json()["cluster"]["gone"])
        state = until("no panel", lambda: "lesson" not in (told := page.get("/state").json()) and told)
        assert state["again"] == again


def test_what_was_done_by_a_command_is_no_next_one(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    up(parse("name: golden\nweb: {count: 1}\n"), memory, Silent())
    said = command.lab("learn", "start", "1", "-n", "golden").stderr
    assert "was made by 'lab up', not by a lesson" in said
    assert "'lab down --volumes -n golden'" in said


def test_buttons_of_the_page_name_the_cluster_in_what_they_say(memory: Engine) -> None:
    topology = parse("name: golden\nweb: {count: 1}\n")
    up(topology, memory, Silent())
    with served(memory, topology) as page:
        page.page.actions.named = Naming(command.verbs(), {"name": "golden"}).text
        page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "none"}})
        work = until("its end", lambda: (one := page.page.actions.works[1]).state != "running" and one)
        assert "-n golden' reverts it" in work.message


def test_another_page_names_up(memory: Engine) -> None:
    topology = parse("name: golden\nweb: {count: 1}\n")
    up(topology, memory, Silent())
    with served(memory, topology) as page:
        down(memory, Silent(), volumes=False)
        state = until("the end", lambda: (t := page.get("/state").json())["cluster"]["gone"] and t)
        assert state["again"] == "lab up"
