"""Ctrl-C at a terminal, which all processes in front receive: ssh's go on while the lab defers it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.backends.xen.ssh import Link
from lab.clock import REAL
from lab.evidence import until

ROOT = Path(__file__).parents[2]
END_SECONDS = 60
UNHEARD = {signal.SIGINT, signal.SIGHUP}
SSH = """#!/bin/bash
kind=command
[ "$1" != -f ] || kind=start
[ "$3" != -O ] || kind=check
session=$(cut -d ' ' -f 6 /proc/$$/stat)
blocked=$(grep SigBlk /proc/self/status)
echo "$kind begins $session ${blocked#*:}" >> "$CALLS"
[ $kind != "$SLOW" ] || { echo > "$BEGUN"; sleep 1; }
echo "$kind ends" >> "$CALLS"
echo "done"
"""
"""A stand-in for ssh: it keeps which of its uses begin and end, in which session, and with which signals blocked.

One of them lasts a second. Not every shell keeps signals blocked; bash does, as ssh does.
"""
PROGRAM = """
import sys
from lab.backends.xen.ssh import Link
from lab.clock import REAL
from lab.interrupts import Deferral

link = Link("a host", ("root@192.0.2.1",), REAL)
if sys.argv[1] == "check":
    link.socket.touch()
try:
    with Deferral("at work").block():
        print(link.run("true", seconds=30).out.strip())
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in for ssh keeps."""
    (tmp_path / "ssh").write_text(SSH, encoding="utf-8")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("SLOW", "none")
    return tmp_path / "calls"


@pytest.mark.parametrize("slow", ["start", "check", "command"])
def test_ctrl_c_at_the_terminal_does_not_end_ssh_while_it_is_deferred(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    begun = tmp_path / "begun"
    for name, value in {"SLOW": slow, "BEGUN": str(begun), "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    argv = [sys.executable, "-c", PROGRAM, slow]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        until("ssh to begin", END_SECONDS, begun.exists)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=END_SECONDS)
    assert output.split() == ["done", "interrupted"]
    assert errors == "lab: at work; another Ctrl-C ends at once\n"
    kept = [line.split()[:2] for line in calls.read_text(encoding="utf-8").splitlines()]
    kinds = ["check" if slow == "check" else "start", "command"]
    assert kept == [[kind, which] for kind in kinds for which in ("begins", "ends")]


def test_a_master_begins_at_the_terminal_and_what_it_begins_hears_no_ctrl_c(calls: Path) -> None:
    """A host on the way may ask for a password, and the way lasts as long as the master."""
    Link("a host", ("root@192.0.2.1",), REAL).connect()
    kind, _, session, blocked = calls.read_text(encoding="utf-8").splitlines()[0].split()
    assert (kind, int(session)) == ("start", os.getsid(0))
    assert {number for number in signal.Signals if int(blocked, 16) >> number - 1 & 1} == UNHEARD
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & UNHEARD


def test_a_command_begins_in_a_session_of_its_own(calls: Path) -> None:
    Link("a host", ("root@192.0.2.1",), REAL).run("true", seconds=30)
    [begun] = [line for line in calls.read_text(encoding="utf-8").splitlines() if "command begins" in line]
    assert int(begun.split()[2]) != os.getsid(0)
