"""Installing packages with a real apt-get's faults: a program by that name, first on the PATH, plays them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.errors import HostError
from lab.evidence import until
from lab.host import packages

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (unattended-upgr)"


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


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
    with pytest.raises(HostError, match=r"another program has held apt's lock(.|\n)*unattended-upgr"):
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


def test_what_it_started_ends_with_it(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An installation that is ended by its limit leaves no dpkg behind that goes on."""
    monkeypatch.setattr(packages, "INSTALL_SECONDS", 0.5)
    played("apt-get", f"sh -c 'echo $$ > {tmp_path}/child; exec sleep 60' & wait")
    with pytest.raises(HostError, match="not done after"):
        packages.install(["one"], "something is missing", lambda _: None, "by hand")
    child = Path("/proc") / (tmp_path / "child").read_text(encoding="ascii").strip() / "stat"
    until("the child to have ended", 5, lambda: not child.exists() or child.read_text().split()[2] == "Z")


@pytest.mark.slow("a lock is waited for")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")
def test_the_scripts_of_make_wait_too_and_show_what_failed(played: Callable[[str, str], Path], tmp_path: Path) -> None:
    calls = played("apt-get", _held_twice(tmp_path))
    done = subprocess.run(
        [ROOT / "scripts/need", "no-such", "one"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "one is missing: installing one from this machine's package sources",
        "waiting for another program that holds apt's lock (at most 180 s)",
    ]
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 4
    played("apt-get", "echo 'E: The repository does not have a Release file.'; exit 100")
    done = subprocess.run(
        [ROOT / "scripts/need", "no-such", "one"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "does not have a Release file" in done.stderr
    assert "what to do: " in done.stderr
