"""lab_node.exchange MOUNT PATH: puts the filesystem that is mounted at MOUNT where another one is mounted, at PATH.

What is open in the other one stays so, and its mount ends with the last of it. Linux 6.5 and later put the new mount
beneath the other (move_mount(2), MOVE_MOUNT_BENEATH), so that PATH always leads to one of the two. An earlier
kernel shows the bare directory between two system calls.
"""

from __future__ import annotations

import ctypes
import os
import sys

MOVE_MOUNT = 429  # the same number on every architecture: it is younger than their tables
AT_FDCWD = -100
BENEATH = 0x200
MS_MOVE = 8192
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def detach(path: bytes) -> None:
    """Takes the topmost mount of a path away; it ends when nothing in it is open."""
    if libc.umount2(path, MNT_DETACH):
        raise OSError(ctypes.get_errno(), "umount2", path.decode())


def main(mount: bytes, path: bytes) -> None:
    """Exchanges the two."""
    if libc.syscall(MOVE_MOUNT, AT_FDCWD, mount, AT_FDCWD, path, BENEATH) == 0:
        detach(path)
        return
    detach(path)
    if libc.mount(mount, path, None, MS_MOVE, None):
        raise OSError(ctypes.get_errno(), "mount", path.decode())


if __name__ == "__main__":
    main(*map(os.fsencode, sys.argv[1:]))
