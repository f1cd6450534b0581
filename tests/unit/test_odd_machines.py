"""A verb meets what it can't use: an engine's address, a topology, an output. It never ends in a traceback."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.cli import screen
from lab.evidence import until
from lab.topology import placement
from tests.unit.command import lab

if TYPE_CHECKING:
    from collections.abc import Iterator


LAB = Path(sys.executable).with_name("lab")
END_SECONDS = 60


def _one_screen(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 12
    return done.stderr


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:99999", "tcp://127.0.0.1:abc", "tcp://[::1", "nonsense"])
def test_an_engines_address_that_is_none(tmp_path: Path, url: str) -> None:
    said = _one_screen(lab("status", cwd=tmp_path, environment={"DOCKER_HOST": url}))
    assert url in said
    assert "--fix" not in said, "an engine may run: its address is wrong"


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        '{"auths": 5}',
        '{"auths": {"x": 5}}',
        '{"proxies": 5}',
        '{"HttpHeaders": 5}',
        '{"currentContext": "\\ud800"}',
    ],
)
def test_a_configuration_of_dockers_client_that_is_none(tmp_path: Path, config: str) -> None:
    """A new engine would not mend it."""
    here = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "", "XDG_RUNTIME_DIR": str(tmp_path)}
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    done = lab("status", cwd=tmp_path, environment=here)
    assert done.returncode in (0, 1, 2), "it may be good enough for Docker's own client"
    assert "Traceback" not in done.stderr


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of an engine that takes connections and never answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield f"tcp://127.0.0.1:{door.getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 500 Oops",
        'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ApiVersion": "x.y"}',
    ],
)
def test_what_answers_and_is_no_engine(tmp_path: Path, answer: str) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()

        def serve() -> None:
            for _ in range(20):
                try:
                    taken, _ = door.accept()
                except OSError:
                    return
                with taken:
                    taken.recv(4096)
                    taken.sendall(f"{answer}\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        there = {"DOCKER_HOST": f"tcp://127.0.0.1:{door.getsockname()[1]}"}
        said = _one_screen(lab("status", cwd=tmp_path, environment=there))
    assert "--fix" not in said, "something answers there: none is to be installed"


TOPOLOGIES = {
    "a date": "web: 2026-13-45\n",
    "a year": 'web: !!timestamp "99999-01-01"\n',
    "a circle": "web: &x {count: 1, nodes: *x}\n",
    "a wide circle": "web: {count: 1}\nnodes: &x {web1: *x}\n",
    "an unknown tag": "web: !!python/object:os.system {}\n",
    "a control character": "web:\x00\n",
}


@pytest.mark.parametrize("text", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_a_topology_that_can_not_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.yaml").write_text(text, encoding="utf-8")
    _one_screen(lab("plan", cwd=tmp_path))
    assert placement(tmp_path / "cluster.yaml", None, None).backend == "docker", "'down' does not need it"


def test_a_xen_host_that_is_none_is_in_the_way_of_xen_alone(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("backend: xen\nxen: {host: 5}\nweb:\n", encoding="utf-8")
    assert placement(path, "docker", None).backend == "docker"
    assert "'xen.host' is not valid" in _one_screen(lab("down", cwd=tmp_path))


def test_a_link_that_leads_nowhere_and_a_pipe_are_no_topologies(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.symlink_to("gone.yaml")
    assert "cannot read the topology" in _one_screen(lab("plan", cwd=tmp_path))
    path.unlink()
    os.mkfifo(path)
    assert "not a file" in _one_screen(lab("plan", cwd=tmp_path))


@pytest.mark.parametrize("option", [["--family", "ubuntu"], ["--name", "../x"], ["--name", ""], ["--port", "site=x"]])
def test_an_option_is_named_and_no_file_that_ships(tmp_path: Path, option: list[str]) -> None:
    said = _one_screen(lab("plan", *option, cwd=tmp_path))
    assert option[0] in said
    assert ".yaml" not in said


def test_output_that_can_not_be_written(tmp_path: Path) -> None:
    for verb in (["schema"], ["--help"], ["render", "web1", "-f", "stage1"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [LAB, *verb],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                cwd=tmp_path,
                timeout=END_SECONDS,
            )
        assert (done.returncode, done.stderr) == (1, "lab: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed(tmp_path: Path, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{LAB} schema {closed}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=END_SECONDS,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_progress_that_nobody_reads_ends_no_work() -> None:
    """The reader of standard error has left, as in `lab up 2>&1 | head -1`."""
    program = (
        "from lab.cli import screen\n"
        "with screen.report() as report:\n"
        "    for number in range(3): report.say(f'line {number}')\n"
        "    report.step('web1', 'ready', done=True)\n"
        "print('done')\n"
    )
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=written,
        text=True,
        check=False,
        timeout=END_SECONDS,
    )
    os.close(written)
    assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.fixture
def hangs_up() -> Iterator[None]:
    """Commands that SIGHUP ends, also where `nohup` began this run: an ignored signal is inherited."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangs_up")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_a_verb_with_a_word(tmp_path: Path, silent: str, number: signal.Signals, code: int) -> None:
    environment = {**os.environ, "DOCKER_HOST": silent}
    with subprocess.Popen(
        [LAB, "status"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        connected = Path(f"/proc/{process.pid}/net/tcp")
        port = f":{int(silent.rpartition(':')[2]):04X} 01 "
        until("the engine to be asked", 20, lambda: any(port in line for line in connected.read_text().splitlines()))
        process.send_signal(number)
        _, said = process.communicate(timeout=END_SECONDS)
    assert process.returncode == code
    assert said.startswith("lab: interrupted; 'lab up' continues from here")
    assert "Traceback" not in said


@pytest.mark.usefixtures("hangs_up")
def test_two_signals_at_once_are_one_end(tmp_path: Path, silent: str) -> None:
    """As a service manager sends them; what is reverted meanwhile is broken off by neither."""
    with subprocess.Popen(
        [LAB, "status"], env={**os.environ, "DOCKER_HOST": silent}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        port = f":{int(silent.rpartition(':')[2]):04X} 01 "
        connected = Path(f"/proc/{process.pid}/net/tcp")
        until("the engine to be asked", 20, lambda: any(port in line for line in connected.read_text().splitlines()))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
        _, said = process.communicate(timeout=END_SECONDS)
    assert process.returncode in (143, 129)
    assert len(said.splitlines()) == 1, said


@pytest.mark.usefixtures("hangs_up")
def test_a_terminal_that_is_closed_ends_a_verb(tmp_path: Path, silent: str) -> None:
    """The kernel sends SIGHUP, the shell once more; nothing can be written any more."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(LAB, ["lab", "up"], {**os.environ, "DOCKER_HOST": silent, "TERM": "xterm"})  # noqa: S606
    port = f":{int(silent.rpartition(':')[2]):04X} 01 "
    connected = Path(f"/proc/{pid}/net/tcp")
    until("the engine to be asked", 20, lambda: any(port in line for line in connected.read_text().splitlines()))
    os.close(terminal)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
    ended: list[int] = []

    def reaped() -> bool:
        done, status = os.waitpid(pid, os.WNOHANG)
        ended.append(status)
        return bool(done == pid)

    until("the command to end", 20, reaped)
    assert os.waitstatus_to_exitcode(ended[-1]) == 128 + signal.SIGHUP


@pytest.mark.parametrize("milliseconds", [20, 50, 90, 140])
def test_ctrl_c_while_the_command_is_imported_is_no_traceback(tmp_path: Path, milliseconds: int) -> None:
    """Whatever it had come to; Python itself, before it reads a line of the lab, is not meant."""
    with subprocess.Popen(
        [LAB, "schema"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            process.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=END_SECONDS)
    assert "lab/cli" not in said


def test_what_takes_long_is_said_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(screen, "REPEAT_SECONDS", 0.05)
    said = ""

    def repeated() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "image web: Step 2/6 (for 0 s)" in said

    with screen.report() as report:
        report.step("image web", "Step 2/6")
        until("the step to be said again", 10, repeated)
