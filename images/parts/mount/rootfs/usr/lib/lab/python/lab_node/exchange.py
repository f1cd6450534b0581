"""lab_node.exchange MOUNT PATH [nosymfollow]: moves the filesystem that is mounted at MOUNT to PATH.

Where another one is mounted at PATH, what is open in that one stays so, and its mount ends with the last of it. Linux
6.5 and later put the new mount beneath the other (move_mount(2), MOVE_MOUNT_BENEATH), so that PATH always leads to one
of the two. An earlier kernel shows the bare directory between two system calls.

`nosymfollow`: before the move, the kernel is told to follow no symbolic link of the filesystem (mount_setattr(2), Linux
5.14): every path by way of one ends in ELOOP.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

MOVE_MOUNT = 429  # the same number on every architecture: it is younger than their tables
AT_FDCWD = -100
BENEATH = 0x200
MS_MOVE = 8192
MNT_DETACH = 2
MOUNT_SETATTR = 442
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

libc = ctypes.CDLL(None, use_errno=True)


def detach(path: bytes) -> None:
    """Takes the topmost mount of a path away; it ends when nothing in it is open."""
    if libc.umount2(path, MNT_DETACH):
        raise OSError(ctypes.get_errno(), "umount2", path.decode())


class Attributes(ctypes.Structure):
    """`struct mount_attr` of linux/mount.h."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def seal(mount: bytes) -> None:
    """Has the kernel follow no symbolic link of a mount.

    Raises:
        OSError: ENOSYS of a kernel before Linux 5.14, or ENOSYS or EPERM of a container engine's filter.
    """
    attributes = Attributes(attr_set=MOUNT_ATTR_NOSYMFOLLOW)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    if libc.syscall(MOUNT_SETATTR, AT_FDCWD, mount, 0, ctypes.byref(attributes), size):
        raise OSError(ctypes.get_errno(), "mount_setattr", mount.decode())


def is_mounted(mount: bytes) -> bool:
    """Whether a filesystem is mounted there; it is not asked, since it may hang."""
    at = os.fsencode(Path(os.fsdecode(mount)).absolute())
    return any(line.split()[4] == at for line in Path("/proc/self/mountinfo").read_bytes().splitlines())


def move(mount: bytes, path: bytes) -> None:
    """Moves a mount to a path. Where its process has ended, which says why itself, what is at the path stays."""
    if libc.syscall(MOVE_MOUNT, AT_FDCWD, mount, AT_FDCWD, path, BENEATH) == 0:
        detach(path)
        return
    if not is_mounted(mount):
        sys.exit(1)
    try:
        detach(path)
    except OSError as error:
        if error.errno != errno.EINVAL:  # nothing is mounted there
            raise
    if libc.mount(mount, path, None, MS_MOVE, None):
        raise OSError(ctypes.get_errno(), "mount", path.decode())


def main(mount: bytes, path: bytes, links: bytes = b"") -> None:
    """Moves it. A kernel that can't keep symbolic links from being followed is named in the log, and nothing else."""
    unsealed = ""
    if links == b"nosymfollow":
        try:
            seal(mount)
        except OSError as error:
            unsealed = os.strerror(error.errno or 0)
    move(mount, path)
    if unsealed:
        what = f"symbolic links in {path.decode()} are followed, where the program that reads them does so"
        print(f"{what}: mount_setattr: {unsealed}; it takes Linux 5.14", flush=True)


if __name__ == "__main__":
    main(*map(os.fsencode, sys.argv[1:]))
