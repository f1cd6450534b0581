"""What a process holds open."""

from __future__ import annotations

import contextlib
from pathlib import Path


def sockets(process: int | str = "self") -> int:
    """The number of sockets that a process holds open."""
    links = []
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # that of this very listing
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)
