"""State of the shared volumes, as the storage nodes report it."""

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
    """State of the bricks by node and volume.

    `brick`: whether its process runs; `heal`: its number of pending heals; `unlike`: files in split-brain. A node
    that is not running or does not answer is missing.
    """
    by_node: dict[str, dict[str, dict[str, Any]]] = {}

    def ask(name: str) -> None:
        try:
            result = backend.run(name, ["cat", FIGURES], seconds=5)
            by_node[name] = json.loads(result.stdout)
        except (LabError, ValueError):
            return

    parallel.for_each([node.name for node in nodes(backend) if node.state is State.RUNNING], ask)
    return dict(sorted(by_node.items()))


def heal_info(backend: Backend, volume: str) -> str:
    """GlusterFS' own list of pending heals.

    Raises:
        BackendError: no storage node answered.
        SpecError: unknown volume.
    """
    known(bricks(backend), volume)
    message = "no storage node runs"
    for node in nodes(backend):
        if node.state is State.RUNNING:
            done = backend.run(node.name, ["gluster", "--mode=script", "volume", "heal", volume, "info"], seconds=60)
            if done.ok:
                return done.stdout.strip()
            message = done.last_line
    raise BackendError(f"cannot read the state of the volume {volume}: {message}", where=volume)


def known(by_node: Mapping[str, Mapping[str, object]], volume: str) -> None:
    """Refuses an unknown volume.

    Raises:
        SpecError: unknown volume.
    """
    names = sorted({name for of in by_node.values() for name in of})
    if volume not in names:
        raise SpecError(f"there is no volume '{volume}'", next_step=f"the volumes are: {', '.join(names) or 'none'}")


def nodes(backend: Backend) -> list[Observed]:
    """All storage nodes."""
    return [node for node in backend.observe().nodes if node.role == ROLE]
