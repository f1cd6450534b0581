"""The state that a node must never lose, also without its database: on disk before it takes effect."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from .durability import sync_folder
from .membership import Members

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Nodes = dict[str, str]
"""Addresses of nodes by name."""


class Promise:
    """The highest promised epoch, and whether this node's log counts; with Galera, the writable node.

    `members` is what it knows of the members, whose names are empty before the first agreement; `addresses` has theirs.
    `unlogged` is whether the data here may have changes that the log lacks: during writes, and after
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
        proposed: list[tuple[int, Nodes]] = stored.get("proposed", [])
        self.addresses: Nodes = dict(nodes)
        for _, more in proposed:
            self.addresses.update(more)
        self.members = Members(since, tuple(sorted(nodes)), tuple((epoch, tuple(sorted(of))) for epoch, of in proposed))
        self.unlogged: bool = stored.get("unlogged", False)
        self.lineage: int = stored.get("lineage", 0)
        self.owes: int = stored.get("owes", 0)
        self.silence: float = stored.get("silence", 0.0)
        self._keeping = threading.Lock()  # a primary is answered while the node acts

    def located(self, members: Members) -> dict[str, Any]:
        """Members with their addresses, as a file and other nodes have them; empty where one is not known."""

        def nodes(names: Iterable[str]) -> Nodes:
            return {name: self.addresses.get(name, "") for name in names}

        proposed = [(epoch, nodes(names)) for epoch, names in members.proposed]
        return {"agreed": (members.since, nodes(members.names)), "proposed": proposed}

    def keep(  # noqa: PLR0913  what is kept
        self, *, epoch: int = 0, member: bool | None = None, begun: tuple[int, str] | None = None,
        members: Members | None = None, unlogged: bool | None = None, lineage: int | None = None,
        owes: int = 0, silence: float | None = None,
    ) -> None:  # fmt: skip
        """Raises the epoch (it never goes back), and takes what else is given; returns when that is durable."""
        with self._keeping:
            new: dict[str, Any] = {
                "promised": max(self.epoch, epoch),
                "member": self.member if member is None else member,
                "begun": max((self.begun, self.writer), begun or (0, "")),
                "members": members or self.members,
                "unlogged": self.unlogged if unlogged is None else unlogged,
                "lineage": self.lineage if lineage is None else lineage,
                "owes": max(self.owes, owes),
                "silence": self.silence if silence is None else silence,
            }
            current = {
                "promised": self.epoch, "member": self.member, "begun": (self.begun, self.writer),
                "members": self.members, "unlogged": self.unlogged, "lineage": self.lineage, "owes": self.owes,
                "silence": self.silence,
            }  # fmt: skip
            if new == current:
                return
            self._write({key: value for key, value in new.items() if key != "members"} | self.located(new["members"]))
            self.members = new["members"]
            self.epoch, self.member = new["promised"], new["member"]
            self.begun, self.writer = new["begun"]
            self.unlogged, self.lineage, self.owes = new["unlogged"], new["lineage"], new["owes"]
            self.silence = new["silence"]

    def _write(self, new: dict[str, Any]) -> None:
        draft = self._path.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(new | {"made_by": self.made_by}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_folder(self._path.parent)
