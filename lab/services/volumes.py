"""What the storage nodes say of the shared volumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, LabError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Observed

ROLE = "storage"
FIGURES = "/run/lab/volumes.json"


def bricks(backend: Backend) -> dict[str, dict[str, dict[str, Any]]]:
    """What the storage nodes say of their bricks, by node and volume.

    `brick`: whether it runs; `heal`: how many entries it has noted to heal elsewhere; `unlike`: paths whose
    copies differ, with none known to be right. A node that is not running, or does not say, is missing.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}

    def ask(name: str) -> None:
        try:
            said = backend.run(name, ["cat", FIGURES], seconds=5)
            found[name] = json.loads(said.stdout)
        except (LabError, ValueError):
            return

    parallel.for_each([node.name for node in nodes(backend) if node.state is State.RUNNING], ask)
    return dict(sorted(found.items()))


def heal_info(backend: Backend, volume: str) -> str:
    """GlusterFS' own list of what waits to be healed.

    Raises:
        BackendError: no storage node could tell.
        SpecError: there is no such volume.
    """
    known(bricks(backend), volume)
    said = "no storage node runs"
    for node in nodes(backend):
        if node.state is State.RUNNING:
            done = backend.run(node.name, ["gluster", "--mode=script", "volume", "heal", volume, "info"], seconds=60)
            if done.ok:
                return done.stdout.strip()
            said = done.said
    raise BackendError(f"the volume {volume} can't be asked: {said}", where=volume)


def known(found: Mapping[str, Mapping[str, object]], volume: str) -> None:
    """Refuses a volume that no storage node has.

    Raises:
        SpecError: there is no such volume.
    """
    names = sorted({name for of in found.values() for name in of})
    if volume not in names:
        raise SpecError(f"there is no volume '{volume}'", next_step=f"the volumes are: {', '.join(names) or 'none'}")


def nodes(backend: Backend) -> list[Observed]:
    """The storage nodes, running or not."""
    return [node for node in backend.observe().nodes if node.role == ROLE]
