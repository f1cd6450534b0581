"""Nodes that have their own time: what is awaited, and how long a command may take."""

from __future__ import annotations

import ast
import os
import threading
import time
from pathlib import Path

import pytest

from lab.backends.xen.ssh import Link
from lab.clock import REAL, Clock, Moment
from lab.errors import BackendError, NotReady
from lab.evidence.stalls import Meter
from tests.unit.sources import nodes

pytestmark = pytest.mark.slow("limits are waited for")

ROOT = Path(__file__).parents[2]


class Instructions:
    """A stand-in for a host's time: a tenth of this machine's, from the first question on."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def __call__(self) -> Moment:
        passed = (time.monotonic() - self.begun) / 10
        return Moment(1000 + passed, passed)


def test_nodes_with_their_own_time_are_awaited_in_it() -> None:
    clock, begun = Clock(reading=Instructions()), time.monotonic()
    with pytest.raises(NotReady, match=r"after 0\.05 s"):
        clock.until("nothing", 0.05, lambda: False)
    clock.wait(0.05)
    assert clock.through(0.05, lambda: True)
    assert time.monotonic() - begun >= 1.5
    assert clock.limit(3) == 3
    assert not clock.emulated
    assert clock.guard(3) > 3 * 10, "what this machine waits for is no bound"
    assert REAL.guard(3) == 3


def test_a_wait_in_the_time_of_nodes_ends_early_when_it_is_told_to() -> None:
    ended = threading.Event()
    threading.Timer(0.2, ended.set).start()
    begun = time.monotonic()
    Clock(reading=Instructions()).wait(60, ended)
    assert time.monotonic() - begun < 30


def test_a_command_there_has_its_limit_in_the_time_of_the_other_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command of three seconds here is done after 0.3 of the other side; one that does not end is ended."""
    (tmp_path / "ssh").write_text("#!/bin/sh\ncase $* in *quick*) sleep 3; cat ;; *long*) exec sleep 600 ;; esac\n")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    link = Link("a host", ("root@192.0.2.1",), Clock(reading=Instructions()))
    assert link.run("quick", seconds=1, stdin=b"said").out == "said"
    begun = time.monotonic()
    with pytest.raises(BackendError, match="did not answer within 0 s"):
        link.run("long", seconds=0.2)
    assert 2 <= time.monotonic() - begun < 60
    with pytest.raises(BackendError, match="did not answer within 0 s"):
        Link("a host", ("root@192.0.2.1",), REAL).run("long", seconds=0.2)


def test_a_stall_of_this_machine_is_none_of_nodes_with_their_own_time() -> None:
    with Meter(Clock(reading=Instructions())) as meter:
        assert "stall meter" not in [thread.name for thread in threading.enumerate()]
    assert meter.stalls == []


HERE = {"communicate", "join", "Timer", "wait_for_selector"}
"""Calls that wait in this machine's time; `wait` and `run` too, where they have a `timeout`."""


def test_a_wait_of_this_machine_has_a_guard_and_no_limit() -> None:
    """A process here may need forty times as long as the nodes it waits for need by their own clock."""
    limited = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in ("lab", "tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in nodes(path)
        if isinstance(call, ast.Call)
        for given in _waited(call)
        if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr == "limit"
    ]
    assert limited == []


def _waited(call: ast.Call) -> list[ast.expr]:
    """What a call gives as seconds of this machine."""
    timeouts = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return [*timeouts, *(call.args if name in HERE else [])]
