"""Recovery of the mysql nodes: its criterion, and the repair after a failed check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import parallel
from lab.nemesis.bounds import PRIMARY_SECONDS
from lab.services.mysql import members, reclone, request_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.services.mysql import Member

WHOLE_SECONDS = 60.0
MENDED_SECONDS = 120.0


def whole(nodes: Sequence[Member]) -> bool:
    """Whether there is one primary and two replicas, and no node reports a problem."""
    roles = sorted(one.role for one in nodes)
    return roles == ["primary", "replica", "replica"] and not any(one.reason for one in nodes)


def primary(backend: Backend) -> str:
    """The primary.

    Raises:
        NotReady: there was none within ten seconds.
    """

    def serving() -> list[str]:
        return [one.name for one in members(backend) if one.serves]

    return backend.clock.until("one primary", PRIMARY_SECONDS, serving, lambda names: len(names) == 1)[0]


def repaired(backend: Backend, names: Sequence[str]) -> None:
    """Restarts all nodes and clones both replicas, after a failed round.

    Raises:
        LabError: they did not recover.
    """
    for verb in (backend.kill, backend.start):
        parallel.for_each(names, verb)
    _until_whole(backend)
    for replica in [one.name for one in members(backend) if one.role == "replica"]:
        reclone(backend, replica)
        _until_whole(backend)


def _until_whole(backend: Backend) -> None:
    """Waits for recovery, and clones each node that asks for it."""
    requested: set[str] = set()

    def look() -> list[Member]:
        nodes = members(backend)
        for one in nodes:
            if "reclone" in one.reason and one.name not in requested:
                request_copy(backend, one.name)
                requested.add(one.name)
        return nodes

    backend.clock.until("the mysql nodes to be whole", MENDED_SECONDS, look, whole)
