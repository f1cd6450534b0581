"""Ctrl-C and other signals at a `lab` command that reverts a fault: what could not be reverted is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow("starts the command for each case")

ROOT = Path(__file__).parents[2]
END_SECONDS = 60
PROGRAM = """
import os, signal, sys
from lab.cli import main, options
from lab.errors import BackendError
from lab.topology import parse
from tests.unit.backends import breakable

backend = breakable(parse("web: {count: 2}"))
kill, number = backend.kill, int(sys.argv.pop(1))

def killed(name):
    os.kill(os.getpid(), number)
    kill(name)

def start(name):
    raise BackendError(f"{name} does not start")

backend.kill, backend.start = killed, start
options.Choice.open = lambda _: backend
main()
"""
"""The command, at a cluster in its memory whose killed nodes do not start; the signal comes amid the kill."""


@pytest.fixture(autouse=True)
def _hangs_up() -> Iterator[None]:
    """A process that begins under `nohup` ignores SIGHUP, and so do those that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_command_prints_what_could_not_be_reverted(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    argv = [sys.executable, "-c", PROGRAM, str(number.value), "fault", "kill", "web1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=END_SECONDS
    )
    told, left, after = done.stderr.splitlines()
    assert told == "lab: reverting 'kill web1'; another Ctrl-C ends at once"
    assert left.startswith("lab: then 'lab heal ")
    assert left.endswith("': reverting failed: web1 does not start")
    assert after.startswith("lab: interrupted; 'lab up' continues from here")
    assert done.returncode == code
