"""Memory that is no process's own: files of a tmpfs, and files without a name.

The latter are made by memfd_create(2), or were removed and are still open.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

BLOCK_BYTES = 512  # of st_blocks
ENTRY_BYTES = 1024  # what an inode and its name take in the kernel, about: empty files are memory, too
NAMELESS = re.compile(r"^/memfd:|^/(tmp|run|dev/shm)/.* \(deleted\)$")


def held(proc: Path, numbers: Collection[int]) -> dict[int, int]:
    """Bytes of the nameless files that processes of one user have open, each file once, by the number of a process.

    Needs CAP_SYS_PTRACE. What is also mapped is in the process's own size, too.
    """
    counted: set[tuple[int, int]] = set()
    sizes: dict[int, int] = {}
    for number in numbers:
        for link in (proc / str(number) / "task").glob("[0-9]*/fd/[0-9]*"):
            try:
                if not NAMELESS.match(str(link.readlink())):
                    continue
                status = link.stat()
            except OSError:
                continue  # it has just been closed
            if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in counted:
                counted.add((status.st_dev, status.st_ino))
                sizes[number] = sizes.get(number, 0) + status.st_blocks * BLOCK_BYTES
    return sizes


def places(proc: Path) -> list[str]:
    """Where a tmpfs is mounted that can be written, but for those of the kernel's own directories."""
    rows = (line.split() for line in (proc / "self/mounts").read_text().splitlines())
    return [
        path
        for _, path, kind, options, *_ in rows
        if kind == "tmpfs" and "ro" not in options.split(",") and not path.startswith(("/proc/", "/sys/"))
    ]


def used(place: str) -> int:
    """Bytes that the files of a file system take, with what the kernel keeps of each."""
    status = os.statvfs(place)
    blocks = (status.f_blocks - status.f_bfree) * status.f_frsize
    return blocks + (status.f_files - status.f_ffree) * ENTRY_BYTES


def files(where: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """Path, owner and bytes of each file of some file systems; no symbolic link is followed."""
    counted: set[tuple[int, int]] = set()
    waiting = [*where]
    while waiting:
        folder = waiting.pop()
        for entry in listed(folder):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # it was removed meanwhile
            if stat.S_ISDIR(status.st_mode):
                if entry.path not in where:
                    waiting.append(entry.path)
            elif (status.st_dev, status.st_ino) not in counted:
                counted.add((status.st_dev, status.st_ino))
                yield entry.path, status.st_uid, status.st_blocks * BLOCK_BYTES + ENTRY_BYTES


def listed(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a directory; none when it was removed meanwhile."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
