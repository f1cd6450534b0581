"""What a node must never forget, whatever becomes of its database: on the disk before it is acted upon."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Promise:
    """The highest epoch that was promised, and whether this node's log counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.epoch: int = kept.get("promised", 0)
        self.member: bool = kept.get("member", False)

    def keep(self, *, epoch: int | None = None, member: bool | None = None) -> None:
        """Raises the epoch (it never goes back), or says whether the log counts; returns when that is durable."""
        wanted = (max(self.epoch, epoch or 0), self.member if member is None else member)
        if wanted == (self.epoch, self.member):
            return
        draft = self._path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump({"promised": wanted[0], "member": wanted[1]}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.epoch, self.member = wanted
