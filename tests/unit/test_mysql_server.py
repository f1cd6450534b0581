"""The process and the directory of mariadbd: no disk holds up its node, and nothing counts before it is durable."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.mysql_replica import CHECKS, NODES, PATIENCE, PlainNode

from lab_node.keeper import clone, database, keeper, node, promise, server  # isort: skip  after the libraries that stand in
from lab_node.keeper.settings import Settings  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable

AWAITED_SECONDS = 10.0


class Stuck:
    """A process that waits for its disk: signals reach it when the disk answers."""

    pid = 77

    def __init__(self) -> None:
        self.ended = False

    def poll(self) -> int | None:
        return -9 if self.ended else None

    def kill(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int:
        assert timeout is not None, "a wait without an end"
        if not self.ended:
            raise subprocess.TimeoutExpired("mariadbd", timeout)
        return -9


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(server, "HOME", tmp_path)
    monkeypatch.setattr(server, "DATA", tmp_path / "data")
    (tmp_path / "data").mkdir()
    return tmp_path


@pytest.fixture
def mariadbd(home: Path) -> server.Server:
    del home
    return server.Server(cast("Any", SimpleNamespace(binaries={"mariadbd": "mariadbd"})))


def _fresh(home: Path) -> Path:
    fresh = home / "data.clone"
    fresh.mkdir()
    (fresh / "new").touch()
    return fresh


def _until(true: Callable[[], bool], awaited: str) -> None:
    deadline = time.monotonic() + AWAITED_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not within {AWAITED_SECONDS:.0f} s: {awaited}"
        time.sleep(0.01)


def test_a_mariadbd_that_does_not_end_is_waited_for_outside_of_the_lock(
    mariadbd: server.Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is none to the rules, and no other one is started on the same data before it has ended."""
    stuck = Stuck()
    began: list[object] = []

    def begins(argv: list[str]) -> Stuck:
        began.append(argv)
        return stuck

    monkeypatch.setattr("lab_node.keeper.server.subprocess.Popen", begins)
    mariadbd.run([])
    mariadbd.kill()
    assert not mariadbd.running
    with pytest.raises(OSError, match="process 77"):
        mariadbd.run([])
    with pytest.raises(OSError, match="process 77"):
        mariadbd.start(truncate=False)
    fresh = _fresh(home)
    with pytest.raises(OSError, match="has not ended"):
        mariadbd.replace(fresh)
    assert not (home / "data" / "new").exists()
    assert len(began) == 1
    stuck.ended = True
    mariadbd.replace(fresh)
    mariadbd.run([])
    assert len(began) == 2


def test_replaced_data_is_removed_later(mariadbd: server.Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held while it is replaced, and much data takes minutes."""
    (home / "data" / "old").touch()
    allowed = threading.Event()
    removes = shutil.rmtree

    def slow(folder: Path, *, ignore_errors: bool) -> None:
        assert allowed.wait(AWAITED_SECONDS)
        removes(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", slow)
    mariadbd.replace(_fresh(home))
    assert [path.name for path in (home / "data").iterdir()] == ["new"]
    (left,) = home.glob("data.old*")
    assert (left / "old").exists()
    allowed.set()
    _until(lambda: not left.exists(), "the removal of what was replaced")


def test_what_a_removal_left_is_removed_at_the_next_start(
    mariadbd: server.Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "place", lambda _: None)
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    monkeypatch.setattr(server, "TEMPORARY", home / "tmp")
    for name in ("data.old", "data.old.17"):  # the first by an older version
        (home / name / "mysql").mkdir(parents=True)
    mariadbd.prepare()
    _until(lambda: not list(home.glob("data.old*")), "the removal of what is left")
    assert (home / "data").exists()


def test_without_a_thread_replaced_data_stays_for_a_while(
    mariadbd: server.Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    mariadbd.replace(_fresh(home))
    assert (home / "data" / "new").exists()
    assert list(home.glob("data.old*"))


# -- what a loss of power leaves --


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files and folders that were made durable, in order."""
    names: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return names


def test_a_copy_is_durable_before_it_is_used_and_its_place_after(
    mariadbd: server.Server, home: Path, monkeypatch: pytest.MonkeyPatch, synced: list[str]
) -> None:
    def received(*_: object) -> Path:
        fresh = _fresh(home)
        (fresh / "lab").mkdir()
        (fresh / "lab" / "epochs.ibd").touch()
        return fresh

    monkeypatch.setattr(clone, "cloned", received)
    copy = clone.Copy(cast("Any", None), "mysql1", 1, idle=True, read=lambda fresh: (fresh / "adopt").touch())
    _until(lambda: not copy.fetching, "the copy")
    assert copy.fresh is not None, copy.failed
    assert set(synced) == {"new", "adopt", "epochs.ibd", "lab", "data.clone"}
    synced.clear()
    mariadbd.replace(copy.fresh)
    assert synced == [home.name]


def test_a_position_that_was_adopted_is_not_adopted_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, synced: list[str]
) -> None:
    """It empties the log first, by then perhaps an acknowledged one."""
    monkeypatch.setattr(database, "DATA", home / "data")
    (home / "data" / database.ADOPT).write_text("0-1-7")
    asked: list[str] = []

    def ask(statement: str, *_: object) -> list[dict[str, Any]]:
        asked.append(statement)
        return []

    one = database.Database(cast("Any", SimpleNamespace(patience=PATIENCE)))
    monkeypatch.setattr(one, "ask", ask)
    monkeypatch.setattr(one, "_behind_locks", ask)
    one.adopt()
    assert synced == ["data"]
    one.adopt()
    assert asked.count("RESET MASTER") == 1


class BreaksOff:
    """A start that ends when the new directory is in place."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def prepare(self) -> None:
        if not self._data.exists():
            self._data.mkdir()
            raise OSError("no power")


def test_a_new_directory_counts_for_nothing_though_two_starts_break_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first between the two renames of a copy, the second after a new directory was made."""
    data = tmp_path / "data"
    PlainNode(tmp_path, monkeypatch)  # a member; without a directory
    monkeypatch.setattr(node, "Server", lambda _: BreaksOff(data))
    monkeypatch.setattr(node, "DATA", data)
    settings = Settings("replication", "mysql2", 2, NODES, PATIENCE, 5.0, "", {}, CHECKS)
    assert promise.Promise(tmp_path / "keeper.json", "replication").member
    with pytest.raises(OSError, match="no power"):
        keeper.Keeper(settings)
    assert data.exists()
    assert not promise.Promise(tmp_path / "keeper.json", "replication").member


class Looks(PlainNode):
    """A node whose steps may fail."""

    def look_once(self) -> str:
        """What it says after a look."""
        self._look()
        return self.because


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), OSError("no space"), database.Trouble("no")])
def test_a_step_that_fails_does_not_end_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """With it mariadbd would end, on each node where a neighbour takes all threads."""
    plain = Looks(tmp_path, monkeypatch)

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(plain, "_step", fails)
    assert plain.look_once() == str(error)
