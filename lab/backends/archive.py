"""Files on their way into a node, as a tar archive."""

from __future__ import annotations

import io
import tarfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def archive(files: Mapping[str, tuple[bytes, int]], owner: int = 0) -> bytes:
    """Files (content and mode, by path) of a user and group by number, to be unpacked at the node's root.

    They are as old as the archive: a server that caches a file by its time has to see that it changed.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (content, mode) in files.items():
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size, info.mode = len(content), mode
            info.uid = info.gid = owner
            info.mtime = int(time.time())
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
