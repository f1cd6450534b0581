"""The environment of `make`: made once, and anew for another Python or where it was broken off; a script plays one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in
*"-m pip"*) {pip} ;;
*"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*version_info*) [ {old} = 0 ] && echo True || echo False ;;
*version*) echo {version} ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the scripts, and a program that plays Python 3.11."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    _python(tmp_path, "3.11.2")
    return tmp_path


def _python(folder: Path, version: str, old: int = 0, pip: str = "true", name: str = "python") -> None:
    program = folder / name
    program.write_text(PYTHON.format(calls=folder / "calls", version=version, old=old, pip=pip), encoding="utf-8")
    program.chmod(0o755)


def _venv(folder: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    (folder / "calls").write_text("", encoding="utf-8")
    return subprocess.run(["scripts/venv", "./python", *extra], cwd=folder, capture_output=True, text=True, check=False)


def _made(folder: Path, *extra: str) -> bool:
    done = _venv(folder, *extra)
    assert done.returncode == 0, done.stderr
    assert (folder / ".venv" / (extra[0] if extra else "ready")).is_file()
    calls = (folder / "calls").read_text(encoding="utf-8")
    assert "-m pip install" in calls
    return "-m venv --clear .venv" in calls


def test_it_is_made_once(checkout: Path) -> None:
    assert _made(checkout)
    assert not _made(checkout, "dev"), "what tests need is added"


def test_it_is_made_anew_for_another_python(checkout: Path) -> None:
    assert _made(checkout)
    _python(checkout, "3.12.1")
    assert _made(checkout)


def test_it_is_made_anew_where_it_was_broken_off(checkout: Path) -> None:
    """There is a Python in it, and no pip yet."""
    assert _made(checkout)
    (checkout / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert _made(checkout)


def test_what_is_wrong_is_one_screen(checkout: Path) -> None:
    _python(checkout, "3.11.2", pip="echo no matching distribution; exit 1")
    done = _venv(checkout)
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:3] == [
        "no matching distribution",
        "lab: the packages of constraints.txt could not be installed",
    ]
    assert not (checkout / ".venv/ready").exists()
    _python(checkout, "3.9.2", old=1)
    done = _venv(checkout)
    assert (done.returncode, "Python 3.11 or newer is needed" in done.stderr) == (2, True)
    assert "make PYTHON=" in done.stderr


def test_make_takes_another_python_though_all_is_made(checkout: Path) -> None:
    """Only where one is asked for: a plain 'make' goes on with the environment that is there."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, checkout)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")}

    def make(*arguments: str) -> str:
        wanted = ["make", "--no-print-directory", ".venv/ready", *arguments]
        return subprocess.run(wanted, cwd=checkout, env=environment, capture_output=True, text=True, check=True).stderr

    assert "making .venv" in make("PYTHON=./python")
    assert "making .venv" not in make("PYTHON=./python")
    assert "making .venv" not in make()
    _python(checkout, "3.12.1", name="other")
    (checkout / "calls").unlink()
    assert "making .venv" in make("PYTHON=./other")
    assert "-m venv --clear .venv" in (checkout / "calls").read_text(encoding="utf-8")
