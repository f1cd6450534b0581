"""`lab learn` as a command, on an engine of plain values: screens, exit codes, eighty columns, no colour in a pipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from lab.evidence import outcomes
from lab.evidence.outcomes import CheckOutcome, green, red, unknown
from lab.learning import attempt, progress
from lab.learning.panel import LessonPanel
from lab.lifecycle.up import up
from lab.page.watch import Look
from lab.progress import Silent
from lab.topology import parse
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Result
    from lab.backends.memory import MemoryBackend
    from lab.topology import Cluster


@pytest.fixture
def lab(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Calls a verb; returns its exit code and what it printed, an error's screen included."""
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)

    def call(*argv: str) -> tuple[int, str]:
        done = command.lab("learn", *argv)
        return done.returncode, done.stdout or done.stderr

    return call


def _say(monkeypatch: pytest.MonkeyPatch, outcome: CheckOutcome) -> None:
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: outcome)


def test_a_lesson_from_list_to_report(lab: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = lab("list")
    assert (code, "A web server" in said, "0 of 5" in said) == (0, True, True)
    code, said = lab("start", "1")
    assert (code, "Part 1: a web server" in said, "httpd answers" in said) == (0, True, True)
    assert "PHP answers behind it" not in said, "one task at a time"
    monkeypatch.setattr(attempt, "PATIENCE", 0.0)
    _say(monkeypatch, red("refused", "nothing answers", "curl: 7"))
    code, said = lab("check")
    assert code == 1, said
    assert "task 1 of 5, httpd answers: red" in said
    assert "nothing answers" in said
    assert "figure: curl: 7" in said
    assert "Something runs" not in said, "the figure, and not yet what mends it"
    assert "'lab learn hint' shows where to look" in said
    assert "Something runs" not in lab("hint")[1], "where to look comes first"
    assert "hint: Something runs, and not on port 80." in lab("check")[1], "the same reason again"
    code, said = lab("hint")
    assert said.index("2 A state other than RUNNING") < said.index("by the last check: Something runs")
    assert "supervisorctl" not in said, "the command comes last"
    assert "no more hints" not in lab("hint")[1]
    assert "there are no more hints" in lab("hint")[1]
    _say(monkeypatch, green("good"))
    code, said = lab("check")
    assert (code, "green" in said, "PHP answers behind it" in said) == (0, True, True)
    assert json.loads(lab("list", "--json")[1])[0]["green"] == 1
    assert lab("solve", "php")[0] == 0
    assert "is the same as the lab's" in lab("compare", "php")[1]
    assert "solved" in lab("report")[1]
    assert lab("report", "--format", "junit")[1].startswith("<testsuites>")
    assert lab("reset")[0] == 0
    assert lab("check")[0] == 2


def test_an_unknown_answer_says_how_the_check_is_made_again(
    lab: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("start", "1")
    monkeypatch.setattr(attempt, "PATIENCE", 0.0)
    _say(monkeypatch, unknown("the machine was stalled for 0.72 of 1.51 s"))
    code, said = lab("check")
    assert (code, "unknown" in said, "'lab learn check' makes the check again" in said) == (1, True, True)
    _say(monkeypatch, red("another", "bad"))
    assert "'lab learn hint' shows where to look" in lab("check")[1]


def test_watch_repeats_the_check_until_the_task_is_green(
    lab: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [red("refused", "nothing answers"), red("status", "it answers 503"), unknown("stalled"), green("good")]
    waits: list[float] = []
    lab("start", "1")
    monkeypatch.setattr(attempt, "PATIENCE", 0.0)
    monkeypatch.setattr("lab.cli.learn.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: answers.pop(0) if answers[1:] else answers[0])
    code, said = lab("check", "--watch")
    assert (code, len(waits)) == (0, 3)
    headings = [line.rpartition(": ")[2] for line in said.splitlines() if line.startswith("task 1 of 5")]
    assert headings == ["red", "red", "unknown", "green"]
    assert "PHP answers behind it" in said, "the next task follows"


def test_a_text_has_eighty_columns_and_no_colour(lab: Callable[..., tuple[int, str]]) -> None:
    for said in (lab("start", "8")[1], lab("read", "questions", "--answers")[1], lab("read", "moves")[1]):
        assert "\x1b" not in said
        assert [line for line in said.splitlines() if len(line.rstrip()) > 80] == []
    assert "VRRP can't know it" in lab("read", "questions", "--answers")[1]
    assert "VRRP can't know it" not in lab("read", "questions")[1]


def test_what_is_not_possible_is_one_screen(lab: Callable[..., tuple[int, str]], memory: MemoryBackend) -> None:
    said = {
        ("start", "77"): "there is no lesson '77'",
        ("check",): "no lesson was started",
        ("solve",): "no lesson was started",
        ("reset",): "no lesson was started",
        ("report",): "no lesson was started",
        ("report", "--format", "pdf"): "there is no format 'pdf'",
        ("--web",): "no lesson was started",
        ("catch-up", "1"): "nothing comes before the lesson 1",
    }
    for argv, text in said.items():
        code, shown = lab(*argv)
        assert (code, text in shown) == (2, True), (argv, shown)
    up(parse("name: golden\nweb: {count: 1}\n"), memory, Silent())
    code, shown = lab("start", "1")
    assert (code, "not by a lesson" in shown) == (2, True)


def test_a_task_that_does_not_exist_is_named(lab: Callable[..., tuple[int, str]]) -> None:
    lab("start", "1")
    code, shown = lab("check", "phq")
    assert (code, "did you mean 'php'?" in shown) == (2, True)
    assert lab("compare")[0] == 2
    memory_reset = lab("reset", "web9")
    assert (memory_reset[0], "did you mean 'web1'?" in memory_reset[1]) == (2, True)


def test_a_file_is_edited_in_the_persons_editor(
    lab: Callable[..., tuple[int, str]], memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("start", "1")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "Listen 80" > "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    assert "is written" in lab("edit", "web1", "/etc/lab/httpd.conf")[1]
    assert memory.files["web1"]["/etc/lab/httpd.conf"] == b"Listen 80\n"
    assert "is unchanged" in lab("edit", "web1", "/etc/lab/httpd.conf")[1]
    assert lab("edit", "web1", "httpd.conf")[0] == 2


@pytest.mark.parametrize(
    ("chosen", "what", "variable"),
    [
        ({"VISUAL": "/nowhere/editor"}, "the editor '/nowhere/editor' was not found", "VISUAL"),
        ({"EDITOR": "nowhere --wait"}, "the editor 'nowhere --wait' was not found", "EDITOR"),
        ({"EDITOR": " "}, "EDITOR is not set, and the editor 'vi' was not found", "EDITOR"),
        ({}, "EDITOR is not set, and the editor 'vi' was not found", "EDITOR"),
        ({"EDITOR": "/"}, "the editor '/' can't be run: Permission denied", "EDITOR"),
        ({"EDITOR": "'vi"}, "the editor ''vi' is not a command: No closing quotation", "EDITOR"),
        ({"EDITOR": "/bin/sh -c 'exit 3'"}, "ended with exit code 3; the node's file is unchanged", "EDITOR"),
        ({"EDITOR": "/bin/sh -c 'kill -9 $$'"}, "ended with signal 9; the node's file is unchanged", "EDITOR"),
    ],
)
def test_an_editor_that_fails_says_how(  # noqa: PLR0913, PLR0917
    lab: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, str],
    what: str,
    variable: str,
) -> None:
    lab("start", "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    code, shown = lab("edit", "web1", "/etc/lab/httpd.conf")
    assert (code, what in shown, "Errno" in shown) == (2, True, False), shown
    assert f"where: {variable}" in shown
    assert f"set {variable} to {'another' if 'ended' in what else 'an installed'} editor" in shown


@pytest.fixture
def edit(
    lab: Callable[..., tuple[int, str]], memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, bytes], tuple[int, str]]:
    """Appends a line to a file of web1, which the lesson 1 has by hand, whose content is given."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "more\\n" >> "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    lab("start", "1")

    def call(path: str, content: bytes) -> tuple[int, str]:
        memory.put("web1", {path: (content, 0o711)})
        memory.done.clear()
        return lab("edit", "web1", path)

    return call


def test_an_edited_file_keeps_the_mode_that_the_lab_gives_it(
    edit: Callable[[str, bytes], tuple[int, str]], memory: MemoryBackend
) -> None:
    """Also of a node that does not run, whose mistake is mended so."""
    path = "/etc/lab/ca.crt"
    memory.kill("web1")
    assert edit(path, b"one\n")[0] == 0
    assert (memory.files["web1"][path], memory.modes["web1"][path]) == (b"one\nmore\n", 0o600)
    assert edit("/etc/lab/httpd.conf", b"one\n")[0] == 0
    assert memory.modes["web1"]["/etc/lab/httpd.conf"] == 0o644


def test_an_edited_file_that_the_lab_has_not_keeps_its_own_mode_and_owner(
    edit: Callable[[str, bytes], tuple[int, str]], memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = ["33 33"]
    commands: list[list[str]] = []
    run, put = memory.run, memory.put

    def answered(node: str, argv: list[str], **limits: float) -> Result:
        commands.append(argv)
        memory.answers["stat"] = (0, f"750 {owners[0]}\n")
        return run(node, argv, **limits)

    def rooted(node: str, files: dict[str, tuple[bytes, int]]) -> None:
        put(node, files)
        owners[0] = "0 0" if commands else "33 33"

    monkeypatch.setattr(memory, "run", answered)
    monkeypatch.setattr(memory, "put", rooted)
    assert edit("/usr/local/bin/tidy", b"#!/bin/sh\r\n")[0] == 0
    assert memory.files["web1"]["/usr/local/bin/tidy"] == b"#!/bin/sh\r\nmore\n", "the ends of lines stay"
    assert memory.modes["web1"]["/usr/local/bin/tidy"] == 0o750
    assert commands[-1] == ["chown", "33:33", "/usr/local/bin/tidy"]


def test_a_file_that_an_editor_would_damage_is_refused(
    edit: Callable[[str, bytes], tuple[int, str]], memory: MemoryBackend
) -> None:
    code, shown = edit("/etc/lab/httpd.conf", b"caf\xe9\n")
    assert (code, "/etc/lab/httpd.conf of web1 is not text in UTF-8" in shown) == (2, True), shown
    assert memory.files["web1"]["/etc/lab/httpd.conf"] == b"caf\xe9\n"
    memory.kill("web1")
    code, shown = edit("/usr/local/bin/tidy", b"#!/bin/sh\n")
    assert (code, "the mode of /usr/local/bin/tidy is not known: web1 does not run" in shown) == (2, True), shown
    assert memory.files["web1"]["/usr/local/bin/tidy"] == b"#!/bin/sh\n"


def test_the_lesson_is_served_beside_the_live_picture(
    lab: Callable[..., tuple[int, str]], memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[object, Cluster, dict[str, Any]]] = []
    monkeypatch.setattr("lab.page.server.serve", lambda target, cluster, **more: served.append((target, cluster, more)))
    lab("start", "1")
    assert lab("--web", "-n", "golden") == (0, "")
    ((target, cluster, more),) = served
    assert (target, cluster.name, more["suffix"], more["open_browser"]) == (memory, "golden", "-n golden", True)
    assert more["visitors"] is False, "the lesson looks at the logs"
    shown = more["panel"].lesson(Look(1.0, memory.observe(), notes=dict(memory.notes())))
    assert shown["actions"][0]["command"] == "lab learn check -n golden"


def test_without_the_pages_extra_the_lesson_is_a_page_that_does_not_change(
    lab: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("start", "1")
    launched: list[str] = []
    monkeypatch.setattr("typer.launch", launched.append)
    monkeypatch.delitem(sys.modules, "lab.page.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, said = lab("--web")
    assert code == 0
    assert "'uvicorn' is missing: pip install 'www-cluster-lab[page]'" in said
    assert launched[0].startswith("file:///")
    assert "httpd answers" in Path(launched[0].removeprefix("file://")).read_text(encoding="utf-8")


def test_lab_page_shows_the_lesson_of_a_lessons_cluster(
    lab: Callable[..., tuple[int, str]], memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[object] = []
    monkeypatch.setattr("lab.page.server.serve", lambda *_, panel, **__: panels.append(panel))
    lab("start", "1")
    for _ in range(2):
        done = command.lab("page", "-n", "golden")
        assert done.returncode == 0, done.stderr
        progress.end(memory)  # as after 'lab up' of another topology
    assert isinstance(panels[0], LessonPanel)
    assert panels[1] is None
