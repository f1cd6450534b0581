"""A service that has not read a file since it was changed, on processes and files of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.evidence import until
from lab.evidence.outcomes import Colour, Scene, question
from lab.plan import plan
from lab.topology import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.evidence.outcomes import CheckOutcome


# A service whose SIGHUP replaces its worker, as a reload does.
SERVICE = """
import signal, subprocess, sys
worker = None
def reload(*_):
    global worker
    old, worker = worker, subprocess.Popen(["sleep", "600"])
    if old:
        old.kill()
        old.wait()
    print(worker.pid, flush=True)
signal.signal(signal.SIGHUP, reload)
def stop(*_):
    worker.kill()
    sys.exit()
signal.signal(signal.SIGTERM, stop)
reload()
while True:
    signal.pause()
"""


class Here(MemoryBackend):
    """Runs the commands of a node on this machine; its supervisor runs one service."""

    def __init__(self, pid: int) -> None:
        super().__init__("golden")
        self.pid = pid

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if argv[0] == "supervisorctl":
            return Result(node, tuple(argv), 0, f"daemon    RUNNING   pid {self.pid}, uptime 0:00:10\n", "")
        done = subprocess.run([sys.executable, *argv[1:]], capture_output=True, text=True, timeout=seconds, check=False)
        return Result(node, tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.fixture
def daemon() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


def _ask(pid: int, *paths: Path, readers: tuple[str, ...] = ()) -> CheckOutcome:
    cluster = parse("name: golden\nnetwork: 10.90.0.0/24\nports: {site: off, site-http: off}\nweb: {count: 1}\n")
    told = {"node": "web1", "service": "daemon", "reads": list(map(str, paths)), "readers": list(readers)}
    return question("service", told).ask(Scene(Here(pid), cluster, plan(cluster, "debian")))


def _reload(daemon: subprocess.Popen[str]) -> None:
    daemon.send_signal(signal.SIGHUP)
    assert daemon.stdout
    daemon.stdout.readline()


def _changed(daemon: subprocess.Popen[str], path: Path) -> CheckOutcome:
    """The first red answer after a change whose mtime is of long ago, as 'cp -p' leaves it."""

    def change() -> CheckOutcome:
        path.write_text("b")
        os.utime(path, (0, 0))
        return _ask(daemon.pid, path)

    return until("the change to be seen", 10, change, lambda outcome: not outcome.green)


def test_a_file_from_before_the_start_has_been_read(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "daemon.conf"
    path.write_text("a")
    daemon: subprocess.Popen[str] = request.getfixturevalue("daemon")
    assert _ask(daemon.pid, path, tmp_path / "none").green


def test_a_file_changed_later_has_not_been_read_until_the_reload(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "daemon.conf"
    outcome = _changed(daemon, path)
    assert (outcome.colour, outcome.reason) == (Colour.RED, "not-restarted")
    assert str(path) in outcome.says
    _reload(daemon)
    assert _ask(daemon.pid, path).green


def test_the_file_behind_a_link_counts(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    path, link = tmp_path / "daemon.conf", tmp_path / "link"
    link.symlink_to(path)
    _changed(daemon, path)
    assert _ask(daemon.pid, link).reason == "not-restarted"


def test_only_the_processes_that_read_it_count(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "daemon.conf"
    main = Path(f"/proc/{daemon.pid}/comm").read_text().strip()
    _changed(daemon, path)
    _reload(daemon)
    assert _ask(daemon.pid, path, readers=("sleep",)).green
    assert _ask(daemon.pid, path, readers=(main,)).reason == "not-restarted"
    assert _ask(daemon.pid, path, readers=("not-begun-yet",)).green


def test_a_service_that_has_ended_is_unknown(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    daemon.terminate()
    daemon.wait()
    assert _ask(daemon.pid, tmp_path).colour is Colour.UNKNOWN
