"""Writes and reads cpio archives of the kind that a Linux kernel unpacks as its initrd ("newc").

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Archives can simply be put one behind
the other; of two files with one name, the later wins.
"""

from __future__ import annotations

import stat
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIGN = 4
MAGIC = b"070701"
HEAD = 110  # bytes before the name


def archive(files: Mapping[str, tuple[bytes, int]], folder_mode: int = 0o755) -> bytes:
    """Files (content and mode, by path) and the folders that they lie in, all root's, with the present time."""
    folders = {str(parent) for path in files for parent in PurePosixPath(path.lstrip("/")).parents} - {"."}
    content = b"".join(_entry(name, b"", stat.S_IFDIR | folder_mode) for name in sorted(folders))
    content += b"".join(_entry(path.lstrip("/"), data, stat.S_IFREG | mode) for path, (data, mode) in files.items())
    return content + _entry("TRAILER!!!", b"", 0)


def files(data: bytes) -> dict[str, bytes]:
    """What the files of archives, one behind the other, hold, by path."""
    contents, at = {}, 0
    while data[at : at + len(MAGIC)] == MAGIC:
        numbers = [int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)]
        mode, size, length = numbers[1], numbers[6], numbers[11]
        path = data[at + HEAD : at + HEAD + length - 1].decode()
        begin = at + HEAD + length
        begin += -(begin - at) % ALIGN
        if stat.S_ISREG(mode):
            contents[f"/{path}"] = data[begin : begin + size]
        at = begin + size + (-size % ALIGN)
    return contents


def _entry(name: str, content: bytes, mode: int) -> bytes:
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, the device's and its own major and minor number, name's length, check
    numbers = (0, mode, 0, 0, 1, int(time.time()), len(content), 0, 0, 0, 0, len(encoded), 0)
    head = MAGIC + "".join(f"{number:08X}" for number in numbers).encode() + encoded
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGN)
