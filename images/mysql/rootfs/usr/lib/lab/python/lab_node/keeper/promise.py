"""What a node must never forget, whatever becomes of its database: on the disk before it is acted upon."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Promise:
    """The highest epoch that was promised, and whether this node's log counts; with Galera, who takes the writes.

    `agreed` is who the members are, and the epoch in which a majority of those before them said so: empty where nobody
    has yet. `unlogged` is whether the data here may have something that the log has not: so it is while others write,
    and for good where the database was ended meanwhile. `lineage` is the last epoch that was begun on such data, which
    all copies are of since. `owes` is how long the log was before a copy took its place: until it is as long again, a
    vote counts as that of a node whose disk is new. `made_by` is the topology by which the data here was made: the
    other one can't tell which copy is the newest.
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

    def keep(  # noqa: PLR0913  what is kept
        self, *, epoch: int = 0, member: bool | None = None, begun: tuple[int, str] | None = None,
        agreed: tuple[int, dict[str, str]] | None = None, unlogged: bool | None = None, lineage: int | None = None,
        owes: int = 0,
    ) -> None:  # fmt: skip
        """Raises the epoch (it never goes back), and takes what else is given; returns when that is durable."""
        new: dict[str, Any] = {
            "promised": max(self.epoch, epoch),
            "member": self.member if member is None else member,
            "begun": max((self.begun, self.writer), begun or (0, "")),
            "agreed": agreed or self.agreed,
            "unlogged": self.unlogged if unlogged is None else unlogged,
            "lineage": self.lineage if lineage is None else lineage,
            "owes": max(self.owes, owes),
        }
        current = {
            "promised": self.epoch, "member": self.member, "begun": (self.begun, self.writer), "agreed": self.agreed,
            "unlogged": self.unlogged, "lineage": self.lineage, "owes": self.owes,
        }  # fmt: skip
        if new == current:
            return
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
        self.epoch, self.member = new["promised"], new["member"]
        self.begun, self.writer = new["begun"]
        self.agreed = new["agreed"]
        self.unlogged, self.lineage, self.owes = new["unlogged"], new["lineage"], new["owes"]
