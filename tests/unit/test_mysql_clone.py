"""A copy that a node fetches: what unpacks it may hang, and the node goes on. A script is in the place of mbstream."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from lab_node.keeper import child, clone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab_node.keeper.wire import Peers

AWAITED_SECONDS = 20.0
MORE = 300_000  # bytes, more than a pipe holds


class Donor:
    """A donor whose copy comes whole."""

    def stream(self, node: str, path: str) -> Iterator[bytes]:
        assert (node, path) == ("mysql2", "/clone")
        yield from [b"a piece", b"", bytes(MORE)]


@pytest.mark.parametrize(
    ("does", "short", "said"),
    [
        ("cat > /dev/null; exec sleep 60", "END_SECONDS", "has not ended 2 s after its last byte"),
        ("cat > /dev/null; exit 1", "", "can't be unpacked"),
        ("exec sleep 60", "TAKE_SECONDS", "has read nothing for 2 s"),
        ("exit 1", "", "Broken pipe"),
    ],
)
def test_what_unpacks_a_copy_and_hangs_or_fails_ends_the_copy(
    does: str, short: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "began"
    (tmp_path / "mbstream").write_text(f"#!/bin/sh\necho $$ > {began}\n{does}\n", encoding="utf-8")
    (tmp_path / "mbstream").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(clone, "HOME", tmp_path / "home")
    if short:
        monkeypatch.setattr(child, short, 2.0)
    before = time.monotonic()
    with pytest.raises(OSError, match=said):
        clone.cloned(cast("Peers", Donor()), "mysql2")
    assert time.monotonic() - before < AWAITED_SECONDS
    assert not Path(f"/proc/{began.read_text().strip()}").exists(), "it was ended"


def test_a_program_that_does_not_end_is_ended_and_one_that_fails_is_told() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        child.run(["sleep", "60"], 0.1)
    with pytest.raises(subprocess.CalledProcessError):
        child.run(["false"], AWAITED_SECONDS)
    child.run(["true"], AWAITED_SECONDS)
