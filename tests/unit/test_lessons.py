"""Each lesson is complete: tasks have check, hints, solution and a wrong answer; texts name real paths."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends.memory import MemoryBackend
from lab.learning import lint
from lab.learning.attempt import attempt
from lab.learning.library import Lesson, lesson, lessons
from tests.unit.test_documented_commands import _command, _options

if TYPE_CHECKING:
    from lab.learning.attempt import Attempt

LESSONS = lessons()
BY_NAME = pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
CODE = re.compile(r"`(lab [^`]+)`")


@BY_NAME
def test_a_lesson_is_whole(one: Lesson) -> None:
    assert lint.problems(one, MemoryBackend("lint")) == []


@BY_NAME
def test_a_text_fits_eighty_columns(one: Lesson) -> None:
    """Code is not wrapped: a line of it has to fit."""
    made = attempt(one, MemoryBackend("www"))
    for name in ("intro", *one.text.sections):
        long = [line for line in made.text(name).splitlines() if line.startswith("    ") and len(line) > 80]
        assert long == []


def _texts(made: Attempt) -> list[str]:
    hints = [hint for task in made.lesson.data.tasks for hint in (*task.hints.steps, *task.hints.reasons.values())]
    return [made.text(name) for name in ("intro", *made.lesson.text.sections)] + hints


@BY_NAME
def test_each_command_of_a_text_exists(one: Lesson) -> None:
    for text in _texts(attempt(one, MemoryBackend("www"))):
        for code in CODE.findall(text):
            words = code.split()[1:]
            command, rest = _command(words)
            own = rest[: rest.index("--")] if "--" in rest else rest
            assert {word for word in own if word.startswith("-")} <= _options(command), code


def test_what_is_wrong_would_be_found() -> None:
    made = lesson(1)
    first, *others = made.data.tasks
    bad = first.model_copy(update={"check": {"page": {"url": "http://web1/", "at": "web9"}}})
    broken = made.data.model_copy(update={"tasks": [bad, *others], "topology": "stage8"})
    found = lint.problems(Lesson(made.name, made.folder, broken, made.text, made.wrong[1:2]), MemoryBackend("lint"))
    assert any("web9" in one for one in found)
    assert any("are more than 5" in one for one in found)
    assert any("has no wrong answer" in one for one in found)
    assert any("a reason that none of its checks gives" in one for one in found)


def test_answers_that_would_say_nothing_would_be_found() -> None:
    made = lesson(5)
    first, *others = made.data.tasks
    *before, (kind, last) = first.checks
    silent = {name: value for name, value in last.items() if name not in ("says", "good")}
    silent["causes"] = [{"prints": "x", "reason": "no-hint-for-this", "says": "y"}]
    task = first.model_copy(update={"check": [*({name: value} for name, value in before), {kind: silent}]})
    said = lint.problems(
        replace(made, data=made.data.model_copy(update={"tasks": [task, *others]})), MemoryBackend("lint")
    )
    assert "a check of dump has no 'says' for a red answer" in said
    assert "the last check of dump has no 'good' for a green answer" in said
    assert "dump has no hint for 'no-hint-for-this'" in said


def test_a_promise_that_spares_all_nodes_but_one_would_be_found() -> None:
    made = lesson(3)
    tasks = json.loads(made.data.model_dump_json(by_alias=True))["tasks"]
    tasks = json.loads(json.dumps(tasks).replace('"target": "web2"', '"target": "web1"'))
    data = type(made.data).model_validate({**made.data.model_dump(by_alias=True), "tasks": tasks})
    said = lint.problems(replace(made, data=data), MemoryBackend("lint"))
    assert [one for one in said if "is tried with web1 alone" in one] == said != []


def test_a_check_that_takes_an_error_for_the_file_would_be_found() -> None:
    made = lesson(2)
    tasks = json.loads(made.data.model_dump_json(by_alias=True))["tasks"]
    tasks = json.loads(json.dumps(tasks).replace(" 2> /dev/null", ""))
    data = type(made.data).model_validate({**made.data.model_dump(by_alias=True), "tasks": tasks})
    said = lint.problems(replace(made, data=data), MemoryBackend("lint"))
    assert any("a check of mounted is green where /srv/shared/" in one for one in said)
    assert any("a check of mounted is green where /bricks/www/" in one for one in said)


def test_a_daemon_that_was_not_restarted_has_a_hint() -> None:
    made = lesson(3)
    first, *others = made.data.tasks
    reasons = {name: hint for name, hint in first.hints.reasons.items() if name not in ("restarting", "not-restarted")}
    task = first.model_copy(update={"hints": first.hints.model_copy(update={"reasons": reasons})})
    said = lint.problems(
        replace(made, data=made.data.model_copy(update={"tasks": [task, *others]})), MemoryBackend("lint")
    )
    assert said == ["answers has no hint for 'restarting'", "answers has no hint for 'not-restarted'"]


def test_a_lesson_whose_answers_can_be_copied_would_be_found() -> None:
    """Also where a value is in an address alone, or in a sentence."""
    made = lesson(2)
    tasks = json.loads(made.data.model_dump_json(by_alias=True))["tasks"]
    for task in tasks:
        task["check"] = [{"page": {"url": "http://web1/{{ word }}"}}, {"file": {"node": "web1", "path": "/srv"}}]
    data = {**made.data.model_dump(by_alias=True), "tasks": tasks, "values": {"word": {"of": ["amber", "birch"]}}}
    said = lint.problems(replace(made, data=type(made.data).model_validate(data)), MemoryBackend("lint"))
    found = "no check demands a value that differs by learner: an answer can be copied; use one of 'values'"
    assert found in said
    tasks[0]["check"][0]["page"]["has"] = "{{ word }}"
    said = lint.problems(replace(made, data=type(made.data).model_validate(data)), MemoryBackend("lint"))
    assert found not in said


def test_a_script_that_sleeps_would_be_found() -> None:
    made = lesson(1)
    script = "until test -e /run/{}; do sleep 0.2; done\n"
    (waits, sleeps), first = [script.format("a"), script.format("b") + "sleep 4\n"], made.wrong[0]
    for text, found in ((waits, False), (sleeps, True)):
        one = replace(made, wrong=(replace(first, script=text), *made.wrong[1:]))
        said = lint.problems(one, MemoryBackend("lint"))
        assert any("'sleep' outside a loop" in problem for problem in said) is found


def test_a_wrong_answer_that_does_not_wait_for_its_daemon_to_be_given_up_would_be_found() -> None:
    made = lesson(3)
    place = next(number for number, one in enumerate(made.wrong) if one.hint == "not-running")
    for ending, problem in (("", False), ("supervisorctl stop haproxy\n", False), ("true\n", True)):
        script = made.wrong[place].script if not ending else "supervisorctl start haproxy\n" + ending
        changed = (*made.wrong[:place], replace(made.wrong[place], script=script), *made.wrong[place + 1 :])
        said = lint.problems(replace(made, wrong=changed), MemoryBackend("lint"))
        assert any("wait for FATAL" in one for one in said) is problem


def test_a_check_that_reads_a_file_otherwise_than_its_daemon_would_be_found() -> None:
    made = lesson(6)
    first, *others = made.data.tasks
    *before, last = first.check if isinstance(first.check, list) else [first.check]
    for run, found in (
        ("my_print_defaults --defaults-file=/etc/lab/my.cnf mariadbd", True),
        ("my_print_defaults --defaults-file=/etc/lab/my.cnf --mysqld", False),
        ("sshd -T -f /etc/lab/sshd_config", True),
        ("find /etc/lab/sshd_config -cnewer /run/sshd.pid; sshd -T -f /etc/lab/sshd_config", False),
    ):
        added = {"command": {"node": "mysql1", "run": run, "says": "x", "reason": "not-safe"}}
        task = first.model_copy(update={"check": [*before, added, last]})
        one = replace(made, data=made.data.model_copy(update={"tasks": [task, *others]}))
        said = lint.problems(one, MemoryBackend("lint"))
        assert any("the file" in problem for problem in said) is found, run


def test_a_value_that_is_read_on_one_of_two_nodes_would_be_found() -> None:
    made = lesson(8)
    place = next(number for number, task in enumerate(made.data.tasks) if task.id == "moves")
    task = made.data.tasks[place]
    kind, told = task.checks[-1]
    for node, also, problem in (
        ("tcp-lb2", ["tcp-lb1"], ""),
        ("tcp-lb2", [], "'advert_int' of moves is not read on tcp-lb1"),
        ("tcp-lb1", ["tcp-lb2", "tcp-lb3"], "'advert_int' of moves is read on tcp-lb3, which the lesson has not"),
    ):
        reads = {"advert_int": {**told["reads"]["advert_int"], "node": node, "also": also}}
        checks = [*({name: each} for name, each in task.checks[:-1]), {kind: {**told, "reads": reads}}]
        tasks = [*made.data.tasks[:place], task.model_copy(update={"check": checks}), *made.data.tasks[place + 1 :]]
        one = replace(made, data=made.data.model_copy(update={"tasks": tasks}))
        said = lint.problems(one, MemoryBackend("lint"))
        assert said == [] if not problem else any(one.startswith(problem) for one in said), said


def test_lessons_are_found_in_the_current_folder_too(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert len(assets.lessons()) == len(LESSONS)


def test_what_a_killed_check_left_is_removed_by_the_next_one() -> None:
    """Its trap does not run when its node dies: a view that makes dumps fail would stay on another node."""
    checks = json.dumps(lesson(5).data.tasks[3].check)
    drop, create = (
        "DROP VIEW IF EXISTS guestbook.made_by_the_check\\",
        "CREATE OR REPLACE VIEW guestbook.made_by_the_check ",
    )
    assert checks.count(create) == 1
    assert drop in checks[checks.index("INT TERM") : checks.index(create)]
    assert drop in json.dumps(lesson(5).data.tasks[0].check)
