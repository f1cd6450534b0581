"""The shared volumes: copied, and told by their checksums."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import command
from settings import VOLUMES

PASSES = 4
BLOCK_BYTES = 1 << 20
VANISHED = 24  # rsync's code for files that were there when it looked and gone when it came


def collect(volume: str, target: Path) -> None:
    """Copies a volume; what is in use meanwhile is looked at again.

    A message that is read moves from one folder to another: who lists both in between may see it in neither. The next
    pass does; the last has nothing to do unless files move all the time.

    Raises:
        Failed: the volume is not there, or can't be read.
    """
    target.mkdir(parents=True, exist_ok=True)
    for _ in range(PASSES):
        mounted(volume)
        if not _same(VOLUMES / volume, target, f"the volume {volume} can't be copied"):
            break
    mounted(volume)


def put_back(volume: str, source: Path) -> None:
    """Makes a volume what it was: what came since is removed."""
    mounted(volume)
    _same(source, VOLUMES / volume, f"the volume {volume} can't be written")
    mounted(volume)


def _same(source: Path, target: Path, what: str) -> bool:
    """Makes one folder as the other; whether there was anything to do."""
    argv = ["rsync", "--archive", "--hard-links", "--numeric-ids", "--delete", "--no-specials", "--no-devices"]
    said = command.run(what, [*argv, "--itemize-changes", "--exclude=/.trashcan", f"{source}/", f"{target}/"], good=(0, VANISHED))
    return bool(said.strip())


def mounted(volume: str) -> None:
    """Refuses a volume that is not mounted: an empty folder, which nobody is to take for what it has."""
    if f" {VOLUMES / volume} fuse.glusterfs " not in Path("/proc/mounts").read_text():
        raise command.Failed(f"the volume {volume} is not mounted", next_step="'lab volume status' says how storage is")


def figures(folder: Path) -> dict[str, list[int | str]]:
    """Of each file below a folder: its size, mode, owner, group, and the SHA-256 of its contents (of a link: its target)."""
    found: dict[str, list[int | str]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            told = path.lstat()
            found[str(path.relative_to(folder))] = [
                told.st_size, stat.filemode(told.st_mode), told.st_uid, told.st_gid, _digest(path)
            ]
    return found


def _digest(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
