"""A machine that is not as expected ends in a screen, never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __version__, paths
from lab.errors import HostError

LAB = str(Path(sys.executable).with_name("lab"))
NOWHERE = "/proc/nowhere"  # where not even root can make a folder


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("XDG_DATA_HOME", lambda: paths.secrets("www")),
        ("XDG_STATE_HOME", paths.logs),
        ("XDG_STATE_HOME", lambda: paths.lock("www")),
        ("XDG_STATE_HOME", paths.families),
        ("XDG_CACHE_HOME", paths.disks),
    ],
)
def test_a_folder_that_cannot_be_made_is_named_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, folder: object
) -> None:
    monkeypatch.setenv(variable, NOWHERE)
    assert callable(folder)
    with pytest.raises(HostError) as caught:
        folder()
    assert caught.value.where.startswith(NOWHERE)
    assert variable in caught.value.next_step
    assert caught.value.exit_code == 2


def test_a_user_without_a_home_directory_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(HostError, match="no home directory") as caught:
        paths.secrets("www")
    assert "XDG_DATA_HOME" in caught.value.next_step


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_signs_that_an_encoding_lacks_are_printed_as_words(encoding: str) -> None:
    """`lab doctor` prints its findings whether there is an engine or not."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "DOCKER_HOST": "unix:///proc/nowhere"}
    done = subprocess.run([LAB, "doctor"], check=False, capture_output=True, env=environment, timeout=60)
    said = (done.stdout + done.stderr).decode(encoding)
    assert "Traceback" not in said
    assert "disk" in said
    assert ("\u2713" in said) is (encoding == "utf-8")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [LAB, "compose", "--file", "stage1", "--dir", NOWHERE],
        check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert NOWHERE in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed() -> None:
    done = subprocess.run([LAB, "--version"], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == __version__
