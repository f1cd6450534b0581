"""An engine's leftovers: which pid file is stale."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from lab.backends.docker import install

if TYPE_CHECKING:
    from pathlib import Path

AS_DOCKERD = "import ctypes; ctypes.CDLL(None).prctl(15, b'dockerd', 0, 0, 0); print('named', flush=True); input()"


def _drop(file: Path) -> list[str]:
    said: list[str] = []
    install._drop_stale_pid(said.append, file)  # noqa: SLF001  there is no engine to do it to
    return said


def test_a_pid_file_of_another_program_or_of_nobody_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    assert _drop(file) == []
    for pid in (str(os.getpid()), "999999999", "nonsense"):
        file.write_text(pid, encoding="ascii")
        assert "removing the stale pid file" in _drop(file)[0]
        assert not file.exists()


def test_a_living_dockerd_keeps_its_file_and_a_killed_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    with subprocess.Popen([sys.executable, "-c", AS_DOCKERD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout
        daemon.stdout.readline()
        file.write_text(str(daemon.pid), encoding="ascii")
        assert _drop(file) == []
        assert file.exists()
        daemon.kill()
        # Waited for without being reaped: the process is dead and still there.
        os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
        assert _drop(file)
