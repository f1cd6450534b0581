"""What this machine can't do is one screen, never a traceback: a folder that can't be written, no home, ASCII alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAB = Path(sys.executable).with_name("lab")
NOWHERE = "/proc/nowhere"  # nobody can make a folder there, not even root


def _lab(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", **environment}
    return subprocess.run([LAB, *argv], env=told, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("argv", "environment"),
    [
        (["down"], {"XDG_STATE_HOME": NOWHERE}),
        (["up"], {"XDG_STATE_HOME": NOWHERE}),
        (["up"], {"XDG_STATE_HOME": "", "HOME": NOWHERE}),
        (["compose", "--secrets", "--dir", "{here}"], {"XDG_DATA_HOME": NOWHERE}),
        (["compose", "--secrets", "--dir", NOWHERE], {}),
        (["compose", "--dir", NOWHERE], {}),
        (["compose", "--dir", "/dev/null/x"], {}),
        (["user", "add", "zoe", "--key", "{here}"], {}),
        (["plan", "-f", "{here}"], {}),
    ],
)
def test_a_folder_that_can_not_be_used_is_named(argv: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    done = _lab(*(word.format(here=tmp_path) for word in argv), **environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert "lab: " in done.stderr or "Usage" in done.stderr
    assert len(done.stderr.splitlines()) < 12


@pytest.mark.parametrize("verb", ["doctor", "render", "schema"])
def test_a_terminal_that_knows_ascii_alone_is_good_enough(verb: str) -> None:
    done = _lab(*{"render": ["render", "web1"]}.get(verb, [verb]), PYTHONIOENCODING="ascii", LC_ALL="C")
    assert "Error" not in done.stderr.replace("HostError", "")
    assert done.stdout
