"""What this machine can't do is one screen, never a traceback: a folder that can't be written, no home, ASCII alone."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import __version__, paths
from lab.cli import fault
from lab.errors import HostError
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Callable

LAB = Path(sys.executable).with_name("lab")
NOWHERE = "/proc/nowhere"  # nobody can make a folder there, not even root


@pytest.mark.parametrize(
    ("argv", "environment", "named"),
    [
        (["compose", "--secrets", "--dir", "{here}"], {"XDG_DATA_HOME": NOWHERE}, NOWHERE),
        (["compose", "--secrets", "--dir", NOWHERE], {}, NOWHERE),
        (["compose", "--dir", NOWHERE], {}, NOWHERE),
        (["compose", "--dir", "/dev/null/x"], {}, "/dev/null/x"),
        (["user", "add", "zoe", "--key", "{here}"], {}, "{here}"),
        (["plan", "-f", "{here}"], {}, "{here}"),
    ],
)
def test_a_place_that_cannot_be_used_is_named(
    argv: list[str], environment: dict[str, str], named: str, tmp_path: Path
) -> None:
    done = command.lab(*(word.format(here=tmp_path) for word in argv), environment=environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert named.format(here=tmp_path) in " ".join(done.stderr.split())
    assert len(done.stderr.splitlines()) < 12


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("XDG_DATA_HOME", partial(paths.secrets, "www", make=True)),
        ("XDG_STATE_HOME", paths.logs),
        ("XDG_STATE_HOME", partial(paths.lock, "www")),
        ("XDG_STATE_HOME", paths.families),
        ("XDG_CACHE_HOME", paths.disks),
        ("LAB_XEN_FOLDER", paths.xen_host),
    ],
)
def test_a_folder_that_cannot_be_made_is_named_with_what_chooses_another(
    monkeypatch: pytest.MonkeyPatch, variable: str, folder: Callable[[], Path]
) -> None:
    monkeypatch.setenv(variable, NOWHERE)
    with pytest.raises(HostError) as caught:
        folder()
    assert caught.value.where.startswith(NOWHERE)
    assert variable in caught.value.next_step


def test_a_terminal_that_knows_ascii_alone_is_good_enough() -> None:
    """As a process finds it out at its start."""
    told = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    line = [str(LAB), "render", "web1", "-f", "stage1"]
    done = subprocess.run(line, env=told, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode("ascii")
    assert done.stderr == b""


@pytest.mark.parametrize("argv", [["doctor"], ["render", "web1"], ["schema"]], ids=" ".join)
def test_ascii_alone_is_good_enough_for_a_verb(argv: list[str]) -> None:
    done = command.lab(*argv, encoding="ascii")
    assert "Error" not in done.stderr.replace("HostError", "")
    assert done.stdout


def test_a_user_without_a_home_directory_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(HostError, match="no home folder") as caught:
        paths.secrets("www")
    assert "XDG_DATA_HOME" in caught.value.next_step


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_signs_that_an_encoding_lacks_are_printed_as_words(encoding: str) -> None:
    """`lab doctor` prints its findings whether there is an engine or not."""
    done = command.lab("doctor", encoding=encoding)
    said = done.stdout + done.stderr
    assert "disk" in said
    assert ("\u2713" in said) is (encoding == "utf-8")


def test_the_version_is_printed() -> None:
    done = command.lab("--version")
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_the_doctor_names_a_folder_for_secrets_that_cannot_be_made() -> None:
    done = command.lab("doctor", "--machine", environment={"XDG_DATA_HOME": NOWHERE})
    assert done.returncode == 2
    assert f"{NOWHERE}/www-cluster-lab" in done.stdout
    assert "set XDG_DATA_HOME" in done.stdout


def test_an_old_verb_works_with_a_notice() -> None:
    done = command.lab("mail", "user", "list")
    assert done.stderr.splitlines()[0] == "lab: 'lab mail user' is 'lab mail account' now; 0.3 removes the old name"
    assert done.returncode == 2, "the engine is the only thing that is missing"
    assert "docker" in done.stderr.lower()


def test_an_old_name_of_a_service_has_a_notice(capsys: pytest.CaptureFixture[str]) -> None:
    fault._notice_of_a_former_name("names")  # noqa: SLF001  needs no cluster
    fault._notice_of_a_former_name("dnsmasq")  # noqa: SLF001
    assert capsys.readouterr().err == "lab: the service 'names' is 'dnsmasq' now; 0.3 removes the old name\n"
