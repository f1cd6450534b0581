"""Output that is read by `head` or `grep -q`: the reader leaves first, and that is no failure of any verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow("starts the command for each case")

LAB = str(Path(sys.executable).with_name("lab"))
END_SECONDS = 60


@pytest.mark.parametrize(
    "verb", ["schema", "graph -f stage1", "compose -f stage1", "render web1 -f stage1", "--help", "user list"]
)
def test_a_reader_that_leaves_is_no_failure(verb: str, tmp_path: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "wb") as pipe:
        done = subprocess.run(
            [LAB, *verb.split()], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
            timeout=END_SECONDS, cwd=tmp_path,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_stays_in_one_piece_in_a_pipe_and_on_a_narrow_terminal(tmp_path: Path) -> None:
    """The shell's width is said to be forty columns; a pipe has none."""
    name = "a-user-whose-name-is-as-long-as-it-may-be"[:31]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + 43 * "A"
    groups = ", ".join(f"group{number}" for number in range(20))
    topology = tmp_path / "cluster.yaml"
    topology.write_text(f"storage:\nshell:\nusers: {{{name}: {{keys: ['{key}'], groups: [{groups}]}}}}\n")
    line = [LAB, "user", "list", "--file", str(topology)]
    narrow = os.environ | {"COLUMNS": "40", "TERM": "xterm"}
    piped = subprocess.run(line, capture_output=True, text=True, check=True, env=narrow, timeout=END_SECONDS).stdout
    assert f"{name} " in piped
    assert f"{groups} " in piped, "a line is a user"
    shown = _on_a_terminal(line, narrow)
    assert f"{name} " in shown


def _on_a_terminal(line: list[str], environment: dict[str, str]) -> str:
    master, slave = os.openpty()
    with subprocess.Popen(line, stdout=slave, stderr=slave, stdin=slave, env=environment) as process:
        os.close(slave)
        said = b""
        try:
            while more := os.read(master, 4096):
                said += more
        except OSError:  # how a terminal ends
            pass
        process.wait(END_SECONDS)
    os.close(master)
    return said.decode()
