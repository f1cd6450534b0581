"""`lab site sync` watches what is at the folder's path, and waits for other commands."""

from __future__ import annotations

import functools
import shutil
from typing import TYPE_CHECKING, cast

import pytest

from lab.backends.memory import MemoryBackend
from lab.cli import sync
from lab.lifecycle import lock
from lab.progress import Silent
from lab.services.syncing import Exchanged, Sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOKS = 10
"""A change is noticed within so many looks at the folder."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "LOOK_MS", 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("old", encoding="utf-8")
    return tmp_path / "dist"


def _moved(folder: Path) -> None:
    (folder.parent / "new").mkdir()
    folder.rename(folder.parent / "former")
    (folder.parent / "new").rename(folder)


def _made_again(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _made_elsewhere(folder: Path) -> None:
    _moved(folder)
    shutil.rmtree(folder.parent / "former")


def _quiet(changes: Iterator[bool]) -> bool:
    """Whether nothing is reported any more, soon."""
    return any(not next(changes) for _ in range(LOOKS))


@pytest.mark.parametrize("replace", [_moved, _made_again, _made_elsewhere])
def test_a_folder_that_replaces_the_former_is_watched(folder: Path, replace: Callable[[Path], None]) -> None:
    changes = sync.folder_changes(folder)
    next(changes)  # what changed before
    assert _quiet(changes)
    replace(folder)
    assert any(next(changes) for _ in range(LOOKS)), "another folder is a change"
    assert _quiet(changes)
    (folder / "index.html").write_text("new", encoding="utf-8")
    assert any(next(changes) for _ in range(LOOKS))


def test_a_folder_that_is_made_later_is_watched(folder: Path) -> None:
    changes = sync.folder_changes(folder)
    next(changes)
    shutil.rmtree(folder)
    assert [next(changes) for _ in range(LOOKS)][-1], "it lacks"
    folder.mkdir()
    assert _quiet(changes)
    (folder / "index.html").write_text("new", encoding="utf-8")
    assert any(next(changes) for _ in range(LOOKS))


class _Exchanges:
    """A sync whose folder changes at each look, until it ends."""

    def __init__(self, folder: Path, most: int) -> None:
        self.backend, self.site, self.folder = MemoryBackend("golden"), "blog", folder
        self.count, self.most = 0, most

    def behind(self) -> bool:
        return True

    def exchange(self) -> Exchanged:
        self.count += 1
        if self.count == self.most:
            raise KeyboardInterrupt
        return Exchanged("2-b", 1, 0, 0.1)


class _Lines(Silent):
    """Keeps the warnings; `then` is called at each."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.warnings: list[str] = []
        self.then = then

    def warn(self, line: str) -> None:
        self.warnings.append(line)
        self.then()


def test_a_sync_goes_on_after_a_command_that_held_the_cluster_for_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lock.held
    other = held("golden", "lab up", Silent())
    other.__enter__()
    lines = _Lines(lambda: cast("None", other.__exit__(None, None, None)))
    monkeypatch.setattr(lock, "held", functools.partial(held, seconds=0))
    exchanges = _Exchanges(folder, 2)
    with pytest.raises(KeyboardInterrupt):
        sync.follow(cast("Sync", exchanges), lines)
    assert len(lines.warnings) == 1
    assert "is busy with 'lab up'" in lines.warnings[0]


def test_a_sync_goes_on_when_its_folder_is_there_again(folder: Path) -> None:
    exchanges = _Exchanges(folder, 2)
    shutil.rmtree(folder)
    lines = _Lines(folder.mkdir)
    with pytest.raises(KeyboardInterrupt):
        sync.follow(cast("Sync", exchanges), lines)
    assert len(lines.warnings) == 1
    assert "was not found" in lines.warnings[0]
