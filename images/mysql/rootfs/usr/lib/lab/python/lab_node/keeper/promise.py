"""The state that a node must never lose, also without its database: on disk before it takes effect."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Promise:
    """The highest promised epoch, and whether this node's log counts; with Galera, the writable node.

    `agreed` has the members, and the epoch in which a majority of the former members agreed on them; empty before the
    first agreement. `unlogged` is whether the data here may have changes that the log lacks: during writes, and after
    the database was killed meanwhile. `lineage` is the last epoch that began on such data; all copies since are of it.
    `owes` is the length of the log before a copy replaced it: until it is as long again, a vote counts as that of a
    node with a new disk. `made_by` is the topology that created the data here: the other one can't determine which
    copy is the newest. `silence` is how long this node elects no other primary than the one that it answered last.
    """

    def __init__(self, path: Path, topology: str) -> None:
        self._path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.made_by: str = stored.get("made_by", "replication" if stored else topology)
        self.epoch: int = stored.get("promised", 0)
        self.member: bool = stored.get("member", False)
        self.begun, self.writer = stored.get("begun", (0, ""))
        since, nodes = stored.get("agreed", (0, {}))
        self.agreed: tuple[int, dict[str, str]] = (since, nodes)
        self.unlogged: bool = stored.get("unlogged", False)
        self.lineage: int = stored.get("lineage", 0)
        self.owes: int = stored.get("owes", 0)
        self.silence: float = stored.get("silence", 0.0)
        self._keeping = threading.Lock()  # a primary is answered while the node acts

    def keep(  # noqa: PLR0913  what is kept
        self, *, epoch: int = 0, member: bool | None = None, begun: tuple[int, str] | None = None,
        agreed: tuple[int, dict[str, str]] | None = None, unlogged: bool | None = None, lineage: int | None = None,
        owes: int = 0, silence: float | None = None,
    ) -> None:  # fmt: skip
        """Raises the epoch (it never goes back), and takes what else is given; returns when that is durable."""
        with self._keeping:
            new: dict[str, Any] = {
                "promised": max(self.epoch, epoch),
                "member": self.member if member is None else member,
                "begun": max((self.begun, self.writer), begun or (0, "")),
                "agreed": agreed or self.agreed,
                "unlogged": self.unlogged if unlogged is None else unlogged,
                "lineage": self.lineage if lineage is None else lineage,
                "owes": max(self.owes, owes),
                "silence": self.silence if silence is None else silence,
            }
            current = {
                "promised": self.epoch, "member": self.member, "begun": (self.begun, self.writer),
                "agreed": self.agreed, "unlogged": self.unlogged, "lineage": self.lineage, "owes": self.owes,
                "silence": self.silence,
            }  # fmt: skip
            if new == current:
                return
            self._write(new)
            self.epoch, self.member = new["promised"], new["member"]
            self.begun, self.writer = new["begun"]
            self.agreed = new["agreed"]
            self.unlogged, self.lineage, self.owes = new["unlogged"], new["lineage"], new["owes"]
            self.silence = new["silence"]

    def _write(self, new: dict[str, Any]) -> None:
        draft = self._path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(new | {"made_by": self.made_by}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
