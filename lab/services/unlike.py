"""Files of a shared volume of which no copy is known to be right, and the choice of one.

The storage nodes name them (images/storage/rootfs/usr/lib/lab/unlike.py); GlusterFS mends them by its own command.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, SpecError
from lab.services import volumes

if TYPE_CHECKING:
    from lab.backends.base import Backend

KEPT = "/bricks/.mended"
"""Where a node keeps its copy of a file that is mended by another's, below the volume's name."""

LATEST = "latest"
SECONDS = 60.0


@dataclass(frozen=True)
class Copy:
    """What one node's brick has under a name: bytes, and when they were written, in Unix seconds."""

    node: str
    size: int
    modified: int

    def __str__(self) -> str:
        return f"{self.size} bytes of {datetime.fromtimestamp(self.modified, UTC):%Y-%m-%d %H:%M:%S} UTC"


def found(backend: Backend, volume: str) -> dict[str, list[Copy]]:
    """By path in the volume, the copy of each node that runs and has one.

    Raises:
        SpecError: there is no such volume.
    """
    told = volumes.bricks(backend)
    volumes.known(told, volume)
    paths = sorted({path for of in told.values() for path in of.get(volume, {}).get("unlike", ())})
    copies: dict[str, list[Copy]] = {path: [] for path in paths}
    if paths:
        for one in sorted(told):
            for path, copy in _copies(backend, one, volume, paths).items():
                copies[path].append(copy)
    return copies


def _copies(backend: Backend, node: str, volume: str, paths: list[str]) -> dict[str, Copy]:
    root = f"/bricks/{volume}"
    # Of those that a node has not, stat says so and goes on.
    said = backend.run(
        node, ["stat", "--printf", r"%s %Y %n\0", "--", *(root + path for path in paths)], seconds=SECONDS
    )
    rows = (row.split(" ", 2) for row in said.stdout.split("\0") if row)
    return {name.removeprefix(root): Copy(node, int(size), int(when)) for size, when, name in rows}


def mend(backend: Backend, volume: str, path: str, source: str) -> Copy:
    """Makes one copy of a file the copy of all nodes; each other node keeps what it had below `KEPT`.

    Args:
        backend: where the cluster is.
        volume: its name.
        path: of the file in the volume, as `found` has it.
        source: the node whose copy it is to be, or `LATEST`: that which was written last.

    Returns:
        The copy that was taken.

    Raises:
        SpecError: no such file is to be mended, or the node has no copy of it.
        BackendError: not all storage nodes run, or GlusterFS refuses.
    """
    copies = found(backend, volume).get(path)
    if copies is None:
        raise SpecError(
            f"'{path}' of the volume {volume} is not to be mended",
            next_step=f"'lab volume mend {volume}' lists what is",
        )
    chosen = max(copies, key=lambda copy: copy.modified) if source == LATEST else _of(copies, path, source)
    away = [node.name for node in volumes.nodes(backend) if node.state is not State.RUNNING]
    if away:
        raise BackendError(
            f"{', '.join(away)} does not run: GlusterFS mends a file where all copies are there", where=volume
        )
    others = [copy.node for copy in copies if copy.node != chosen.node]
    parallel.for_each(others, partial(_keep, backend, volume, path))
    brick = f"{chosen.node}:/bricks/{volume}"
    words = ["gluster", "--mode=script", "volume", "heal", volume, "split-brain", "source-brick", brick, path]
    done = backend.run(chosen.node, words, seconds=SECONDS)
    if not done.ok or "failed" in done.stdout.lower():
        raise BackendError(f"{path} of {volume} is not mended: {done.said or done.stdout}", where=chosen.node)
    return chosen


def _of(copies: list[Copy], path: str, node: str) -> Copy:
    for copy in copies:
        if copy.node == node:
            return copy
    names = ", ".join(copy.node for copy in copies)
    raise SpecError(f"{node} has no copy of {path}", next_step=f"these have one: {names}; or write '{LATEST}'")


def _keep(backend: Backend, volume: str, path: str, node: str) -> None:
    into = posixpath.dirname(f"{KEPT}/{volume}{path}")
    copy = 'mkdir -p "$2" && cp -rP --preserve=mode,ownership,timestamps "$1" "$2/"'
    done = backend.run(node, ["sh", "-c", copy, "sh", f"/bricks/{volume}{path}", into], seconds=SECONDS)
    if not done.ok:
        raise BackendError(f"the copy of {path} could not be kept, and is not mended: {done.said}", where=node)
