"""When an engine is installed or started, and what is left of one that was killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.host import install

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


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is only played by root")
def test_a_user_whom_the_engine_refuses_is_told_so_and_nothing_is_installed() -> None:
    """A socket that is root's, asked by somebody else: as for who is not in the group `docker`."""
    with tempfile.TemporaryDirectory(prefix="lab-refused-") as folder, socket.socket(socket.AF_UNIX) as door:
        path = Path(folder) / "docker.sock"
        door.bind(str(path))
        door.listen()
        path.chmod(0o600)
        Path(folder).chmod(0o755)
        program = (
            "import os; from lab.engine import context; from lab.host import install\n"
            f"context.USUAL = 'unix://{path}'; os.environ['DOCKER_HOST'] = context.USUAL\n"
            "import docker, requests.adapters, urllib3.connectionpool; os.setgid(65534); os.setuid(65534)\n"
            "install.ensure(print)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "refuses this user" in done.stderr
    assert not done.stdout
