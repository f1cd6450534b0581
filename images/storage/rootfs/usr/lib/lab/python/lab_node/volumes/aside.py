"""A name that is set aside on this brick, with all below it: GlusterFS heals it from another brick, as a new one.

What was there is kept below /bricks/.mended, as `lab volume mend` keeps the copies that GlusterFS replaces.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path

from . import bricks
from .bricks import BRICKS

KEPT = BRICKS / ".mended"


def set_aside(volume: str, path: str) -> None:
    """Moves a path of a volume away, without the links by gfid by which the brick would find it again.

    The links go first: GlusterFS makes them at a lookup if this is broken off.

    Args:
        volume: its name.
        path: in the volume; not its root.

    Raises:
        FileNotFoundError: there is no such path.
    """
    brick, name = BRICKS / volume, path.lstrip("/")
    place, target = brick / name, KEPT / volume / name
    for entry in [place, *_below(place)]:
        _unlink_handle(brick, entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif target.is_symlink() or target.exists():
        target.unlink()
    place.rename(target)


def _below(place: Path) -> list[Path]:
    """All that is in a directory, at any depth."""
    return [Path(folder, name) for folder, folders, files in os.walk(place) for name in [*folders, *files]]


def _unlink_handle(brick: Path, entry: Path) -> None:
    """Removes the link by gfid of a name; that of a file with another name stays."""
    status = entry.lstat()
    with contextlib.suppress(OSError, ValueError):  # without a gfid, or without its link
        gfid = uuid.UUID(bytes=os.getxattr(entry, bricks.GFID, follow_symlinks=False))
        if bricks.handle(brick, str(gfid)).is_symlink() or status.st_nlink <= 2:
            bricks.handle(brick, str(gfid)).unlink()
