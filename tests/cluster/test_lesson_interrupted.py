"""Ctrl-C while a check of a lesson has broken a node: what it broke is reverted before the command ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends import backend
from lab.backends.base import State
from lab.faults import present
from lab.learning import starting
from lab.learning.library import lesson
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing.plugin import place
from lab.topology.changes import ported
from lab.topology.ports import OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.learning.attempt import Attempt

pytestmark = pytest.mark.lesson
LAB = [str(Path(sys.executable).with_name("lab"))]
TASK = "returns"  # its check kills the node
BROKEN_SECONDS = 60
END_SECONDS = 120


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[Attempt]:
    """The first lesson, just begun."""
    one, made = lesson(1), backend(place(request.config), f"interrupted{os.getpid()}")
    off = [f"{name}={OFF}" for name in one.cluster().ports.by_name()]
    cluster = ported(one.cluster(made.cluster, family=request.config.getoption("--family")), off)
    try:
        yield starting.start(one, made, Silent(), cluster)
    finally:
        down(made, Silent(), volumes=True)


@contextmanager
def _checking(begun: Attempt, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """`lab learn check`, in a group of its own: a terminal sends Ctrl-C to all processes of the command."""
    place = ("--name", begun.backend.cluster, "--backend", begun.backend.name)
    command = [*LAB, "learn", "check", *argv, *place]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def _interrupted(begun: Attempt, running: subprocess.Popen[str]) -> str:
    """Sends Ctrl-C; returns what was printed since."""
    os.killpg(running.pid, signal.SIGINT)
    output, errors = running.communicate(timeout=begun.backend.clock.guard(END_SECONDS))
    assert (running.returncode, "Traceback" in errors) == (130, False), output + errors
    return output


@pytest.mark.nightly("a lesson of its own; at every change Ctrl-C amid a check, which has more to revert")
def test_ctrl_c_ends_a_watch(begun: Attempt) -> None:
    with _checking(begun, "--watch") as running:
        assert running.stdout
        assert running.stdout.readline().startswith("task 1 of 5, httpd answers: red")
        assert "green" not in _interrupted(begun, running)
    assert begun.progress.of(begun.lesson.data.tasks[0].id).tries, "its answers are kept"


def test_ctrl_c_amid_a_check_reverts_what_it_broke(begun: Attempt) -> None:
    made = begun.backend
    for task in begun.lesson.data.tasks:
        begun.solve(task)
    with _checking(begun, TASK) as running:
        made.clock.until("the check to have broken a node", BROKEN_SECONDS, lambda: present(made))
        _interrupted(begun, running)
    assert not present(made)
    assert {node.name: node.state for node in made.observe().nodes} == {"client": State.RUNNING, "web1": State.RUNNING}
    assert begun.progress.of(TASK).tries == 0, "a check without an answer is no try"
