"""What lies in a brick: a directory below /bricks, of one volume, with what GlusterFS keeps beside the files."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path

BRICKS = Path("/bricks")
VOLUME_ID = "trusted.glusterfs.volume-id"
ROOT = "00000000-0000-0000-0000-000000000001"
GFID = "trusted.gfid"
NAME = "trusted.gfid2path."
TOLD = re.compile(r"<gfid:([0-9a-f-]{36})>")
OWN = (".glusterfs", ".trashcan")  # GlusterFS' own in a brick's root
Top = Mapping[str, "tuple[str, int]"]
"""What a brick has in its root, and some of what is below: by path, gfid and inode."""
FOLDERS = 200  # directories of the root that are looked into
OF_EACH = 8  # names of each that are remembered: who empties a directory removes all
INDEX = ".glusterfs/indices/xattrop"  # an entry of each file or directory that other bricks lack, by its gfid


def names(folder: Path) -> list[str]:
    """What a directory has."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def unused(brick: Path) -> bool:
    """Whether a directory was never a brick that ran: it is missing, or has only what a volume's creation leaves."""
    inside = brick / ".glusterfs"
    return not has_data(brick) and not (inside.is_dir() and names(inside))


def mark(brick: Path) -> uuid.UUID | None:
    """The identity of the volume that a directory is marked for."""
    try:
        return uuid.UUID(bytes=os.getxattr(brick, VOLUME_ID))
    except (OSError, ValueError):
        return None


def has_data(brick: Path) -> bool:
    """Whether there is anything in a directory but GlusterFS' own."""
    if not brick.is_dir():
        return False
    with os.scandir(brick) as entries:  # which ends with the first
        return any(entry.name != ".glusterfs" for entry in entries)


def index(brick: Path) -> list[str]:
    """The entries that a brick has noted for others."""
    try:
        return [entry for entry in names(brick / INDEX) if not entry.startswith("xattrop")]
    except OSError:
        return []


def path_of(brick: Path, gfid: str) -> str:
    """A directory's path in its volume, by the links that the brick has for each; by its gfid where one is missing."""
    above: list[str] = []
    while gfid != ROOT:
        try:
            link = handle(brick, gfid).readlink()
        except OSError:
            return "/".join([f"/<gfid:{gfid}>", *reversed(above)])
        above.append(link.name)
        gfid = link.parent.name
    return "".join(f"/{name}" for name in reversed(above))


def path_told(brick: Path, text: str) -> str:
    """The path of what GlusterFS tells by its path, or by `<gfid:...>` where no client has looked it up lately.

    A file has the gfid of its directory, and its name there, in an attribute of its own for each name.
    """
    match = TOLD.fullmatch(text)
    if not match:
        return text
    link = handle(brick, match[1])
    try:
        names = sorted(name for name in os.listxattr(link, follow_symlinks=False) if name.startswith(NAME))
        if not names:
            return path_of(brick, match[1]) if link.is_dir() else text
        value = os.getxattr(link, names[0], follow_symlinks=False).decode(errors="surrogateescape")
    except OSError:
        return text
    parent, _, name = value.partition("/")
    return f"{path_of(brick, parent)}/{name}"


def handle(brick: Path, gfid: str) -> Path:
    """The second link to each file, and the one to each directory, that GlusterFS keeps by gfid."""
    return brick / ".glusterfs" / gfid[:2] / gfid[2:4] / gfid


def top(brick: Path) -> Top:
    """What a brick has in its root, and a few names of each of its directories."""
    entries = {name: of for name, of in _identified(brick).items() if not name.startswith(OWN)}
    folders = (name for name in entries if not (brick / name).is_symlink() and (brick / name).is_dir())
    below = {folder: _identified(brick / folder, OF_EACH) for folder in itertools.islice(folders, FOLDERS)}
    return {**entries, **{f"{folder}/{name}": of for folder, inside in below.items() for name, of in inside.items()}}


def _identified(folder: Path, most: int | None = None) -> dict[str, tuple[str, int]]:
    """A directory's names, with gfid and inode of each; at most so many."""
    identities: dict[str, tuple[str, int]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in itertools.islice(entries, most):
                with contextlib.suppress(OSError, ValueError):  # it is being made or removed
                    gfid = uuid.UUID(bytes=os.getxattr(entry.path, GFID, follow_symlinks=False))
                    identities[entry.name] = str(gfid), entry.inode()
    except (FileNotFoundError, NotADirectoryError):
        pass
    return identities


def lost(brick: Path, before: Top) -> list[str]:
    """The paths that were removed without GlusterFS; `before`: an earlier result of `top`.

    GlusterFS removes its link by gfid together with a name. A name that it recreates at a client's lookup has the same
    gfid and another inode: the rest is not healed by that.
    """
    now = top(brick)
    return sorted(
        name
        for name, (gfid, inode) in before.items()
        if (now[name][0] == gfid and now[name][1] != inode if name in now else nameless(handle(brick, gfid)))
    )


def emptied(brick: Path) -> bool:
    """Whether the files of a serving brick were removed: its names are gone, or all of it is.

    An empty volume has only the link by gfid of its own root.
    """
    if not brick.is_dir():
        return True
    if any(not name.startswith(OWN) for name in names(brick)):
        return False
    if not handle(brick, ROOT).is_symlink():
        return True
    return any(nameless(link) for link in (brick / ".glusterfs").glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"))


def nameless(link: Path) -> bool:
    """Whether what a link by gfid leads to has no name any more."""
    try:
        return not link.exists() if link.is_symlink() else link.stat().st_nlink == 1
    except FileNotFoundError:
        return False
