"""The shared volumes: copied and put back by content, and described file by file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from . import command, mark
from .settings import VOLUMES

PASSES = 4
BLOCK_BYTES = 1 << 20
VANISHED = 24  # rsync's code for files that were there when it looked and gone when it came
LEFT_OUT = ".trashcan"  # at the top of a volume: GlusterFS's own
KEPT_ATTRIBUTES = ("user.", "security.capability", "system.posix_acl_")
SPARSE_BYTES = 1 << 20  # files from this size on are looked at for holes

Figures = dict[str, dict[str, Any]]
"""Of each file and directory, by its path below the volume: what a restore has to give back. See `figures`."""


def collect(volume: str, target: Path) -> tuple[Figures, list[str]]:
    """Copies a volume, and describes what the volume itself has, read from it and not from the copy.

    Nodes may write meanwhile. A file counts as copied when its copy is what the volume has when both are read after the
    copy; what differs is copied again, by content. What was changed by each pass too is described as it was copied.

    Returns:
        What the backup has, and the paths that were written to during every pass.

    Raises:
        Failed: the volume is missing, can't be read, or has something that can't be copied.
    """
    target.mkdir(parents=True, exist_ok=True)
    cache: dict[tuple[object, ...], str] = {}
    before: Figures = {}
    for number in range(PASSES):
        mounted(volume)
        _same(VOLUMES / volume, target, f"the volume {volume} can't be copied", by_content=number > 0)
        there, copied = figures(VOLUMES / volume, cache), figures(target, cache)
        mounted(volume)
        differing = mark.differing(there, copied)
        if not differing:
            return there, []
        stuck = [name for name in differing if number and before.get(name) == there.get(name)]
        if stuck:
            raise command.Failed(
                f"the volume {volume} has what a backup can't keep: {mark.shortened(stuck)}",
                next_step="devices and attributes of the system can't be kept; remove them",
            )
        before = there
    unchanged = {name: of for name, of in there.items() if name not in differing}
    return unchanged | {name: copied[name] for name in differing if name in copied}, differing


def below(folder: str, expected: Figures) -> Figures:
    """What a folder of a volume has to have, by the paths below it."""
    entries = {name[len(folder) + 1 :]: of for name, of in expected.items() if name.startswith(f"{folder}/")}
    links = {
        name: {**of, "link": of["link"][len(folder) + 1 :]} if of.get("link") else of for name, of in entries.items()
    }
    return links | {".": {key: value for key, value in expected[folder].items() if key != "mtime"}}


def put_back(volume: str, source: Path, expected: Figures) -> list[str]:
    """Restores the content of a volume, or of a folder of one, and reads it again; newer files are removed.

    Returns:
        The paths that other processes wrote to since.

    Raises:
        Failed: a file differs, and no process writes to it.
    """
    before: Figures = {}
    differing: list[str] = []
    root = volume.partition("/")[0]
    for number in range(PASSES):
        mounted(root)
        (VOLUMES / volume).mkdir(parents=True, exist_ok=True)
        _same(source, VOLUMES / volume, f"the volume {volume} can't be written", by_content=True)
        present = figures(VOLUMES / volume)
        mounted(root)
        differing = mark.differing(expected, present)
        stuck = [name for name in differing if number and before.get(name) == present.get(name)]
        if stuck:
            raise command.Failed(f"the volume {volume} was put back, but is not what it was: {mark.shortened(stuck)}")
        if not differing:
            break
        before = present
    return differing


def dig(folder: Path, expected: Figures) -> None:
    """Gives back their holes to files that a reader wrote in full.

    Raises:
        Failed: the disk's file system has none.
    """
    for name, of in expected.items():
        if mark.sparse(of):
            status = (folder / name).stat()
            command.run("a sparse file can't be made", ["fallocate", "--dig-holes", str(folder / name)])
            os.utime(folder / name, ns=(status.st_atime_ns, status.st_mtime_ns))


def sizes(volume: str) -> dict[str, int]:
    """Of each file of a volume: the bytes that it has when it is read, holes included."""
    mounted(volume)
    return {name: status.st_size for name, _, status in _walk(VOLUMES / volume) if stat.S_ISREG(status.st_mode)}


def _same(source: Path, target: Path, what: str, *, by_content: bool) -> None:
    """Copies one folder to the other; `by_content` compares contents instead of size and time."""
    argv = [
        "rsync",
        "--archive",
        "--no-devices",
        "--hard-links",
        "--acls",
        "--xattrs",
        "--sparse",
        "--numeric-ids",
        "--delete",
    ]
    argv += ["--modify-window=-1", *(["--checksum"] if by_content else []), f"--exclude=/{LEFT_OUT}"]
    command.run(what, [*argv, f"{source}/", f"{target}/"], good=(0, VANISHED))


def mounted(volume: str) -> None:
    """Refuses a volume that is not mounted: its empty folder is not its content."""
    if f" {VOLUMES / volume} fuse.glusterfs " not in Path("/proc/mounts").read_text():
        raise command.Failed(f"the volume {volume} is not mounted", next_step="'lab volume status' says how storage is")


def figures(folder: Path, cache: dict[tuple[object, ...], str] | None = None) -> Figures:
    """Reads all files below a folder, and describes each, each directory and the folder itself (".").

    By path: `mode` (type, permissions, setuid, setgid, sticky), `uid`, `gid`, `mtime` (ns), `attributes` (a SHA-256 of
    the extended ones), and of files `size` (bytes), `digest` (SHA-256 of the contents; of a link, of its target),
    `link` (the first path of the same file, where it has more than one; else "") and `holes` (bytes of the size that
    take no room).

    Args:
        folder: where.
        cache: digests by the identity and the change time of a file, which no program can set: files are read once.

    Raises:
        Failed: a file can't be read.
    """
    entries: Figures = {}
    same: dict[tuple[int, int], list[str]] = {}
    for name, path, status in _walk(folder):
        try:
            entries[name] = _entry(path, status, {} if cache is None else cache)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise command.Failed(f"{path} can't be read: {error.strerror}") from None
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            same.setdefault((status.st_dev, status.st_ino), []).append(name)
    for names in same.values():
        if len(names) > 1:  # others may be outside, or gone
            for name in names:
                entries[name]["link"] = names[0]
    del entries["."]["mtime"]  # the folder's own changes with what is left out
    return entries


def _walk(folder: Path) -> list[tuple[str, Path, os.stat_result]]:
    """All that a backup keeps below a folder, in order; sockets belong to a process, and end with it."""
    entries = [(".", folder, folder.lstat())]
    for place, below, names in os.walk(folder, onerror=_unreadable):
        if place == str(folder) and LEFT_OUT in below:
            below.remove(LEFT_OUT)
        for name in [*below, *names]:
            path = Path(place, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise command.Failed(f"{path} can't be read: {error.strerror}") from None
            if not stat.S_ISSOCK(status.st_mode):
                entries.append((str(path.relative_to(folder)), path, status))
    return sorted(entries, key=lambda one: one[0])


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise command.Failed(f"{error.filename} can't be read: {error.strerror}")


def _entry(path: Path, status: os.stat_result, cache: dict[tuple[object, ...], str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "link": "",
        "mode": stat.filemode(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime": status.st_mtime_ns,
        "attributes": _attributes(path),
    }
    if stat.S_ISLNK(status.st_mode):
        entry["digest"] = hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    elif stat.S_ISREG(status.st_mode):
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in cache:
            cache[key] = _digest(path)
        entry |= {"size": status.st_size, "digest": cache[key]}
        if status.st_size >= SPARSE_BYTES:
            entry["holes"] = max(0, status.st_size - status.st_blocks * 512)
    return entry


def _attributes(path: Path) -> str:
    digest = hashlib.sha256()
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith(KEPT_ATTRIBUTES):
            value = os.getxattr(path, name, follow_symlinks=False)
            digest.update(f"{name}={value.hex()}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
