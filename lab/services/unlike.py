"""Files in split-brain on a shared volume, and their resolution.

The storage nodes list them (lab_node.volumes.unlike); GlusterFS resolves them by its command.
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
    """One node's copy of a file: size in bytes, and time of the last write in Unix seconds."""

    node: str
    size: int
    modified: int

    def __str__(self) -> str:
        return f"{self.size} bytes of {datetime.fromtimestamp(self.modified, UTC):%Y-%m-%d %H:%M:%S} UTC"


def split_brains(backend: Backend, volume: str) -> dict[str, list[Copy]]:
    """The copies of each file in split-brain, by path in the volume.

    Raises:
        SpecError: there is no such volume.
    """
    state = volumes.bricks(backend)
    volumes.known(state, volume)
    paths = sorted({path for of in state.values() for path in of.get(volume, {}).get("unlike", ())})
    copies: dict[str, list[Copy]] = {path: [] for path in paths}
    if paths:
        for one in sorted(state):
            for path, copy in _copies(backend, one, volume, paths).items():
                copies[path].append(copy)
    return copies


def _copies(backend: Backend, node: str, volume: str, paths: list[str]) -> dict[str, Copy]:
    root = f"/bricks/{volume}"
    # stat reports missing files, and continues.
    result = backend.run(
        node, ["stat", "--printf", r"%s %Y %n\0", "--", *(root + path for path in paths)], seconds=SECONDS
    )
    rows = (row.split(" ", 2) for row in result.stdout.split("\0") if row)
    return {name.removeprefix(root): Copy(node, int(size), int(when)) for size, when, name in rows}


def mend(backend: Backend, volume: str, path: str, source: str) -> Copy:
    """Resolves a file by one node's copy; the other nodes keep their former copy below `KEPT`.

    Args:
        backend: where the cluster is.
        volume: its name.
        path: of the file in the volume, as `split_brains` returns it.
        source: the node with the right copy, or `LATEST` for the one written last.

    Returns:
        The chosen copy.

    Raises:
        SpecError: the file is not in split-brain, or the node has no copy of it.
        BackendError: a storage node is not running, or GlusterFS refused.
    """
    copies = split_brains(backend, volume).get(path)
    if copies is None:
        raise SpecError(
            f"'{path}' of the volume {volume} is not to be mended",
            next_step=f"'lab volume mend {volume}' lists the files",
        )
    chosen = max(copies, key=lambda copy: copy.modified) if source == LATEST else _of(copies, path, source)
    away = [node.name for node in volumes.nodes(backend) if node.state is not State.RUNNING]
    if away:
        raise BackendError(f"{', '.join(away)} not running: GlusterFS needs all copies to mend a file", where=volume)
    others = [copy.node for copy in copies if copy.node != chosen.node]
    parallel.for_each(others, partial(_keep, backend, volume, path))
    brick = f"{chosen.node}:/bricks/{volume}"
    words = ["gluster", "--mode=script", "volume", "heal", volume, "split-brain", "source-brick", brick, path]
    done = backend.run(chosen.node, words, seconds=SECONDS)
    if not done.ok or "failed" in done.stdout.lower():
        raise BackendError(f"{path} of {volume} is not mended: {done.last_line or done.stdout}", where=chosen.node)
    return chosen


def _of(copies: list[Copy], path: str, node: str) -> Copy:
    for copy in copies:
        if copy.node == node:
            return copy
    names = ", ".join(copy.node for copy in copies)
    raise SpecError(f"{node} has no copy of {path}", next_step=f"nodes with a copy: {names}; or use '{LATEST}'")


def _keep(backend: Backend, volume: str, path: str, node: str) -> None:
    into = posixpath.dirname(f"{KEPT}/{volume}{path}")
    copy = 'mkdir -p "$2" && cp -rP --preserve=mode,ownership,timestamps "$1" "$2/"'
    done = backend.run(node, ["sh", "-c", copy, "sh", f"/bricks/{volume}{path}", into], seconds=SECONDS)
    if not done.ok:
        raise BackendError(f"{path} is not mended: cannot save the former copy: {done.last_line}", where=node)
