"""A copy that a node fetches: what unpacks it may hang, and the node goes on. A script is in the place of mbstream."""

from __future__ import annotations

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
    ("does", "said"),
    [
        ("cat > /dev/null; echo $$ > {0}; exec sleep 60", "has not ended 0 s after its last byte"),
        ("cat > /dev/null; echo $$ > {0}; exit 1", "can't be unpacked"),
        ("echo $$ > {0}; exec sleep 60", "has read nothing for 0 s"),
        ("echo $$ > {0}; exit 1", "Broken pipe"),
    ],
)
def test_what_unpacks_a_copy_and_hangs_or_fails_ends_the_copy(
    does: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "began"
    (tmp_path / "mbstream").write_text(f"#!/bin/sh\n{does.format(began)}\n", encoding="utf-8")
    (tmp_path / "mbstream").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(clone, "HOME", tmp_path / "home")
    monkeypatch.setattr(child, "END_SECONDS", 0.4)
    monkeypatch.setattr(child, "TAKE_SECONDS", 0.4)
    before = time.monotonic()
    with pytest.raises(OSError, match=said):
        clone.cloned(cast("Peers", Donor()), "mysql2")
    assert time.monotonic() - before < AWAITED_SECONDS
    assert not Path(f"/proc/{began.read_text().strip()}").exists(), "it was ended"
