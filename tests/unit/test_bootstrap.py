"""A base without a registry: from which sources, what is said where it fails; scripts play apt-get and mmdebstrap."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.building import bootstrap
from lab.errors import BuildError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable


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


@pytest.mark.parametrize(
    "uri", ["mirror+file:///etc/apt/mirrors/debian.list", "file:///srv/debian", "http://localhost:3142/debian"]
)
def test_sources_that_no_container_reaches_are_left_out(played: Callable[[str, str], Path], uri: str) -> None:
    played("apt-get", f"echo '{uri} bookworm Debian'")
    assert bootstrap.mirrors("bookworm") == []


def test_what_a_lab_that_was_killed_has_left_is_removed(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bootstrap, "KEYRING", Path(__file__))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone, living = tmp_path / "lab-base-999999999-x", tmp_path / f"lab-base-{os.getppid()}-x"
    for folder in (gone, living):
        (folder / "work").mkdir(parents=True)
    played("apt-get", "exit 100")
    played("mmdebstrap", "exit 1")
    with pytest.raises(BuildError):
        bootstrap.make("bookworm", "x/origin:debian", "no such host", lambda *_: None)
    assert not gone.exists()
    assert living.exists()
    assert [path.name for path in tmp_path.glob("lab-base-*")] == [living.name]


def test_without_root_the_program_may_write_where_it_works(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It becomes another user there; sources by HTTPS need certificates in the base."""
    monkeypatch.setattr(bootstrap, "KEYRING", Path(__file__))
    played("apt-get", "echo https://mirror.example/debian/ bookworm Debian")
    calls = played("mmdebstrap", f'stat -c %a "$TMPDIR" > {tmp_path}/mode; exit 1')
    with pytest.raises(BuildError):
        bootstrap.make("bookworm", "x/origin:debian", "no such host", lambda *_: None)
    assert (tmp_path / "mode").read_text(encoding="ascii").strip() == "1777"
    assert "--include=ca-certificates" in calls.read_text(encoding="utf-8")


def test_a_base_that_can_not_be_made_is_one_screen(
    played: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(bootstrap, "KEYRING", Path(__file__))
    played("apt-get", "exit 100")
    played("mmdebstrap", "echo 'E: no route to the mirror'; exit 1")

    def make() -> None:
        bootstrap.make("bookworm", "x/origin:debian", "no such host", lambda _, text: said.append(text))

    with pytest.raises(BuildError, match="bookworm can't be bootstrapped") as caught:
        make()
    assert said == ["the base image can't be pulled (no such host): bootstrapping bookworm from Debian's own mirror"]
    assert "no route to the mirror" in Path(caught.value.log).read_text(encoding="utf-8")
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_SECONDS", 0.2)
    played("mmdebstrap", "exec sleep 60")
    with pytest.raises(BuildError, match=r"not done after 0\.2 s"):
        make()
    monkeypatch.setattr(bootstrap, "DISK", 1 << 30)
    with pytest.raises(HostError, match="MiB for temporary files") as full:
        make()
    assert "TMPDIR" in full.value.next_step
