"""Installing packages with a real apt-get's faults: a program by that name, first on the PATH, plays them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import packages
from lab.backends.docker import bootstrap
from lab.errors import BuildError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (unattended-upgr)"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a shell script on the PATH by a program's name; what it is called with is in the file that comes back."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def play(name: str, script: str) -> Path:
        program, calls = tmp_path / name, tmp_path / f"{name}.calls"
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        return calls

    return play


def _held_twice(tmp_path: Path) -> str:
    """A lock that another program has at the first two calls of `update`."""
    refused = f'{{ echo "{LOCKED}"; exit 100; }}'
    return f'[ "$1" = update ] || exit 0\n[ $(grep -c ^update {tmp_path}/apt-get.calls) -gt 2 ] || {refused}'


def test_another_program_that_installs_is_waited_for(
    played: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "POLL_SECONDS", 0.01)
    calls = played("apt-get", _held_twice(tmp_path))
    packages.install(["one", "two"], "something is missing", lambda _: None, "by hand")
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == ["update"] * 3 + ["-o"]
    assert "DPkg::Lock::Timeout=180 install -qy --no-install-recommends one two" in lines[-1]


def test_one_that_does_not_end_is_named(played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(packages, "LOCK_SECONDS", 0.1)
    played("apt-get", f'echo "{LOCKED}"; exit 100')
    with pytest.raises(HostError, match=r"another program installs packages here(.|\n)*unattended-upgr"):
        packages.install(["one"], "something is missing", lambda _: None, "by hand")


def test_what_fails_or_never_ends_is_one_screen(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    played("apt-get", "echo 'E: Unable to locate package one'; exit 100")
    with pytest.raises(HostError, match="Unable to locate package one") as caught:
        packages.install(["one"], "something is missing", lambda _: None, "by hand")
    assert caught.value.next_step == "by hand"
    monkeypatch.setattr(packages, "INSTALL_SECONDS", 0.2)
    played("apt-get", "exec sleep 60")
    with pytest.raises(HostError, match=r"not done after 0\.2 s"):
        packages.install(["one"], "something is missing", lambda _: None, "by hand")


def test_the_scripts_of_make_wait_too_and_show_what_failed(played: Callable[[str, str], Path], tmp_path: Path) -> None:
    played("sleep", "")
    calls = played("apt-get", _held_twice(tmp_path))
    done = subprocess.run(
        [ROOT / "scripts/need", "no-such", "one"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "installing one from this machine's package sources\n"
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 4
    played("apt-get", "echo 'E: The repository does not have a Release file.'; exit 100")
    done = subprocess.run(
        [ROOT / "scripts/need", "no-such", "one"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "does not have a Release file" in done.stderr
    assert "what to do: " in done.stderr


def test_the_base_comes_from_the_machines_own_sources(played: Callable[[str, str], Path]) -> None:
    """Those of Debian for that suite, and none of somebody else's that are beside them."""
    own = "http://mirror.example/debian/"
    rows = [f"{own} bookworm Debian", f"{own} bookworm-updates Debian", "http://other.example/ bookworm Other"]
    security = "http://mirror.example/debian-security/ bookworm-security Debian"
    played("apt-get", "\n".join(f"echo '{row}'" for row in [security, *rows, rows[0], f"{own} trixie Debian", "half"]))
    assert bootstrap.mirrors("bookworm") == [
        f"deb {own} bookworm main",
        f"deb {own} bookworm-updates main",
        "deb http://mirror.example/debian-security/ bookworm-security main",
    ]
    played("apt-get", "echo http://archive.example/ubuntu noble Ubuntu")
    assert bootstrap.mirrors("bookworm") == [], "another system has no bookworm: Debian's own mirror is asked"


def test_a_base_that_can_not_be_made_is_one_screen(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    played("apt-get", "exit 100")
    played("mmdebstrap", "echo 'E: no route to the mirror'; exit 1")

    def make() -> None:
        bootstrap.make(None, "bookworm", "x/origin:debian", lambda _, text: said.append(text))  # type: ignore[arg-type]

    with pytest.raises(BuildError, match="bookworm can't be bootstrapped") as caught:
        make()
    assert said == ["no registry answers: bootstrapping bookworm from Debian's own mirror"]
    assert "no route to the mirror" in Path(caught.value.log).read_text(encoding="utf-8")
    monkeypatch.setattr(bootstrap, "SECONDS", 0.2)
    played("mmdebstrap", "exec sleep 60")
    with pytest.raises(BuildError) as slow:
        make()
    assert "not done after 0.2 s" in Path(slow.value.log).read_text(encoding="utf-8")
    monkeypatch.setattr(bootstrap, "DISK", 1 << 30)
    with pytest.raises(HostError, match="MiB for temporary files") as full:
        make()
    assert "TMPDIR" in full.value.next_step
