"""What a storage node finds out from its bricks' directories and the log of its self-heal daemon."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from lab_node.volumes import bricks, disk, unlike

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = UUID(bricks.ROOT)
SECOND = timedelta(seconds=1)


def _by_gfid(brick: Path, gfid: UUID) -> Path:
    path = brick / ".glusterfs" / str(gfid)[:2] / str(gfid)[2:4] / str(gfid)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _identify(path: Path, gfid: UUID) -> None:
    if bricks.GFID.startswith("user."):
        os.setxattr(path, bricks.GFID, gfid.bytes)


def _directory(brick: Path, parent: UUID, name: str) -> UUID:
    """A directory as GlusterFS makes it: the link by gfid leads to its name below the link of its parent."""
    (_by_gfid(brick, parent).resolve() / name).mkdir()
    gfid, up = uuid4(), str(parent)
    _identify(_by_gfid(brick, parent).resolve() / name, gfid)
    _by_gfid(brick, gfid).symlink_to(f"../../{up[:2]}/{up[2:4]}/{up}/{name}")
    return gfid


def _file(brick: Path, parent: UUID, name: str) -> None:
    path = _by_gfid(brick, parent).resolve() / name
    path.write_text("x")
    gfid = uuid4()
    _identify(path, gfid)
    _by_gfid(brick, gfid).hardlink_to(path)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A brick that runs and has nothing in it."""
    brick = tmp_path / "www"
    brick.mkdir()
    _by_gfid(brick, ROOT).symlink_to("../../..")
    (brick / ".glusterfs/health_check").write_text("now")
    return brick


@pytest.fixture
def full(empty: Path) -> Path:
    """One with a file in the root, and another in a directory."""
    _file(empty, ROOT, "top")
    _file(empty, _directory(empty, ROOT, "uploads"), "picture")
    return empty


def _names(brick: Path) -> None:
    for path in [path for path in brick.iterdir() if path.name != ".glusterfs"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _inside(brick: Path) -> None:
    for path in brick.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("remove", [_names, _inside, shutil.rmtree])
def test_a_brick_that_was_emptied_is_seen(full: Path, remove: Callable[[Path], None]) -> None:
    assert not bricks.emptied(full)
    remove(full)
    assert bricks.emptied(full)


def test_a_brick_of_files_alone_that_was_emptied_is_seen(empty: Path) -> None:
    _file(empty, ROOT, "top")
    (empty / "top").unlink()
    assert bricks.emptied(empty)


@pytest.fixture
def below(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A brick with a file in a directory of the root, and with an attribute that not only root may set for the gfid."""
    monkeypatch.setattr(bricks, "GFID", "user.gfid")
    _file(empty, _directory(empty, ROOT, "uploads"), "picture")
    return empty


def test_a_name_that_was_removed_behind_gluster_is_seen(below: Path) -> None:
    before = bricks.top(below)
    assert list(before) == ["uploads", "uploads/picture"]
    gfid, _ = before["uploads"]
    assert bricks.lost(below, before) == []
    (below / "uploads").rename(below.with_name("aside"))  # so that its inode is not taken again
    assert "uploads" in bricks.lost(below, before)
    (below / "uploads").mkdir()
    os.setxattr(below / "uploads", bricks.GFID, UUID(gfid).bytes)
    assert bricks.lost(below, before) == ["uploads"], "made again by a lookup: what was in it is not"
    (below / "uploads").rmdir()
    bricks.handle(below, gfid).unlink()
    assert bricks.lost(below, before) == [], "removed by GlusterFS"


def test_what_was_removed_below_a_name_of_the_root_is_seen(below: Path) -> None:
    before = bricks.top(below)
    (below / "uploads/picture").unlink()
    assert not bricks.emptied(below)
    assert bricks.lost(below, before) == ["uploads/picture"]
    bricks.handle(below, before["uploads/picture"][0]).unlink()
    assert bricks.lost(below, before) == [], "removed by GlusterFS"


def test_a_move_through_gluster_is_no_loss(below: Path) -> None:
    before = bricks.top(below)
    (below / "uploads/picture").rename(below / "picture")
    assert bricks.lost(below, before) == []


def test_few_names_of_a_directory_are_looked_at(below: Path) -> None:
    gfid = UUID(bricks.top(below)["uploads"][0])
    for number in range(2 * bricks.OF_EACH):
        _file(below, gfid, str(number))
    before = bricks.top(below)
    assert len(before) == 1 + bricks.OF_EACH
    (below / "uploads/added").write_text("moves the window, maybe")
    assert bricks.lost(below, before) == []
    for path in (below / "uploads").iterdir():
        path.unlink()
    assert len(bricks.lost(below, before)) == bricks.OF_EACH


def test_a_volume_that_is_empty_was_not_emptied(empty: Path) -> None:
    assert not bricks.emptied(empty)


def test_what_an_emptied_brick_still_has_is_kept(full: Path) -> None:
    _names(full)
    disk.set_aside(full)
    assert not full.exists()
    kept = (full.parent / ".www.emptied/.glusterfs").glob("??/??/*")
    assert sum(path.is_file() and not path.is_symlink() for path in kept) == 2


def test_where_nothing_is_left_nothing_is_kept(full: Path) -> None:
    _inside(full)
    disk.set_aside(full)
    assert list(full.parent.iterdir()) == []


def _said(when: datetime, parent: UUID, name: str, what: str = "Gfid") -> str:
    """As GlusterFS 10 and 11 write it."""
    return (
        f"[{when:%Y-%m-%d %H:%M:%S.%f} +0000] E [MSGID: 108008] "
        f"[afr-self-heal-common.c:399:afr_gfid_split_brain_source] "
        f"0-www-replicate-0: {what} mismatch detected for <gfid:{parent}>/{name}>, {uuid4()} on www-client-2 and "
        f"{uuid4()} on www-client-0. \n"
    )


def test_the_names_that_can_not_be_healed_are_read_from_the_log(full: Path, tmp_path: Path) -> None:
    now, path = datetime.now(UTC), tmp_path / "log"
    deep = _directory(full, _directory(full, ROOT, "a"), "b")
    path.write_text(_said(now, deep, "1, with a comma>") + _said(now - 300 * SECOND, deep, "healed since"))
    log = unlike.Log(path)
    log.read()
    waiting = [str(deep), str(ROOT)]
    assert log.names("www", full, waiting) == ["/a/b/1, with a comma>"]
    with path.open("a") as more:
        more.write(_said(now, ROOT, "top", "Type") + "half a li")
    log.read()
    assert log.names("www", full, waiting) == ["/a/b/1, with a comma>", "/top"]
    assert log.names("home", full, waiting) == []
    path.write_text("")  # rotated
    log.read()
    assert log.names("www", full, [str(ROOT)]) == ["/top"], "the other directory is healed"


def test_a_log_that_has_grown_is_emptied(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, path = datetime.now(UTC), tmp_path / "log"
    monkeypatch.setattr(unlike, "MOST", 1000)
    log = unlike.Log(path)
    for name in ("one", "two", "three", "four", "five", "six"):
        with path.open("a") as more:
            more.write(_said(now, ROOT, name))
        log.read()
        assert path.stat().st_size <= unlike.MOST
    assert len(log.names("www", full, [str(ROOT)])) == 6


def test_what_gluster_tells_by_its_gfid_is_called_by_its_path(below: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bricks, "NAME", "user.gfid2path.")
    before = bricks.top(below)
    folder, file = (before[path][0] for path in ("uploads", "uploads/picture"))
    os.setxattr(below / "uploads/picture", f"{bricks.NAME}0123456789abcdef", f"{folder}/picture".encode())
    assert bricks.path_told(below, f"<gfid:{file}>") == "/uploads/picture"
    assert bricks.path_told(below, f"<gfid:{folder}>") == "/uploads"
    assert bricks.path_told(below, "/uploads") == "/uploads"
    unknown = f"<gfid:{uuid4()}>"
    assert bricks.path_told(below, unknown) == unknown


def test_a_directory_that_is_not_in_the_brick_is_called_by_its_gfid(full: Path) -> None:
    lost = uuid4()
    assert bricks.path_of(full, str(lost)) == f"/<gfid:{lost}>"


def test_what_the_making_of_a_volume_leaves_is_unused(tmp_path: Path) -> None:
    brick = tmp_path / "www"
    assert bricks.unused(brick), "it is not there"
    (brick / ".glusterfs").mkdir(parents=True)
    assert bricks.unused(brick)
    assert not bricks.has_data(brick)
    (brick / "file").touch()
    assert not bricks.unused(brick)
    assert bricks.has_data(brick)


def test_a_brick_that_ran_is_not_unused(empty: Path) -> None:
    assert not bricks.unused(empty)
    assert not bricks.has_data(empty)


def test_the_index_has_an_entry_of_each_file_that_others_lack(empty: Path) -> None:
    assert bricks.index(empty) == []
    (empty / bricks.INDEX).mkdir(parents=True)
    (empty / bricks.INDEX / f"xattrop-{uuid4()}").touch()
    waiting = str(uuid4())
    (empty / bricks.INDEX / waiting).touch()
    assert bricks.index(empty) == [waiting]
