"""Files in split-brain on a shared volume, and their resolution.

The storage nodes list them (lab_node.volumes.unlike); GlusterFS resolves them by its command. That refuses a name that
is a file on one node and a directory on another: all copies but one are set aside, and the name is healed from it.
"""

from __future__ import annotations

import posixpath
import re
import stat
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
HEAL_SECONDS = 60.0
"""Within which the nodes have a name again that was set aside on them."""
GFID = re.compile(r"<gfid:([0-9a-f-]{36})>")
"""What GlusterFS calls a file by whose path no brick has looked up yet."""
ASIDE = ["/usr/lib/lab/run", "lab_node.volumes", "aside"]


@dataclass(frozen=True)
class Copy:
    """One node's copy of a file or directory: size in bytes, time of the last write in Unix seconds, and `st_mode`."""

    node: str
    size: int
    modified: int
    mode: int

    @property
    def kind(self) -> int:
        """What it is: a file, a directory, a link."""
        return stat.S_IFMT(self.mode)

    def __str__(self) -> str:
        when = f"{datetime.fromtimestamp(self.modified, UTC):%Y-%m-%d %H:%M:%S} UTC"
        mode = stat.filemode(self.mode)
        return f"directory of {when}, {mode}" if mode[0] == "d" else f"{self.size} bytes of {when}, {mode}"


def split_brains(backend: Backend, volume: str) -> dict[str, list[Copy]]:
    """The copies of each file in split-brain, by path in the volume; none where no node has it by that path.

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
    places = {_place(volume, path): path for path in paths}
    # stat reports missing files, and continues.
    result = backend.run(node, ["stat", "--printf", r"%s %Y %f %n\0", "--", *places], seconds=SECONDS)
    rows = (row.split(" ", 3) for row in result.stdout.split("\0") if row)
    return {places[place]: Copy(node, int(size), int(when), int(mode, 16)) for size, when, mode, place in rows}


def _place(volume: str, path: str) -> str:
    """Where a node has a path of a volume; for a file whose path GlusterFS does not know, its link by gfid."""
    if match := GFID.fullmatch(path):
        return f"/bricks/{volume}/.glusterfs/{match[1][:2]}/{match[1][2:4]}/{match[1]}"
    return f"/bricks/{volume}{path}"


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
        SpecError: the file is not in split-brain, or the chosen node or every node lacks a copy of it.
        BackendError: a storage node is not running, or GlusterFS refused.
        NotReady: the name was set aside on the other nodes, and is not healed yet.
    """
    copies = split_brains(backend, volume).get(path)
    if copies is None:
        raise SpecError(
            f"'{path}' of the volume {volume} is not to be mended",
            next_step=f"'lab volume mend {volume}' lists the files",
        )
    if not copies:
        raise SpecError(
            f"'{path}' of the volume {volume} cannot be mended: no node has a copy by that path",
            next_step="if its directory is in the list too, mend that; otherwise wait until the directory is healed",
        )
    chosen = max(copies, key=lambda copy: copy.modified) if source == LATEST else _of(copies, path, source)
    away = [node.name for node in volumes.nodes(backend) if node.state is not State.RUNNING]
    if away:
        raise BackendError(f"{', '.join(away)} not running: GlusterFS needs all copies to mend a file", where=volume)
    others = [copy.node for copy in copies if copy.node != chosen.node]
    if len({copy.kind for copy in copies}) > 1:
        _replace(backend, volume, path, chosen, others)
    else:
        parallel.for_each(others, partial(_keep, backend, volume, path))
        _resolve(backend, volume, path, chosen)
    return chosen


def _resolve(backend: Backend, volume: str, path: str, chosen: Copy) -> None:
    brick = f"{chosen.node}:/bricks/{volume}"
    file = path.strip("<>") if GFID.fullmatch(path) else path
    words = ["gluster", "--mode=script", "volume", "heal", volume, "split-brain", "source-brick", brick, file]
    done = backend.run(chosen.node, words, seconds=SECONDS)
    if not done.ok or "failed" in done.stdout.lower():
        raise BackendError(f"{path} of {volume} is not mended: {done.last_line or done.stdout}", where=chosen.node)


def _replace(backend: Backend, volume: str, path: str, chosen: Copy, others: list[str]) -> None:
    """Takes a name that is of another kind away from the other nodes, and waits until it is healed on them."""

    def aside(node: str) -> None:
        done = backend.run(node, [*ASIDE, volume, path], seconds=SECONDS)
        if not done.ok:
            raise BackendError(f"{path} is not mended: cannot set the other copy aside: {done.last_line}", where=node)

    parallel.for_each(others, aside)
    backend.run(chosen.node, ["gluster", "--mode=script", "volume", "heal", volume], seconds=SECONDS)
    nodes = [node.name for node in volumes.nodes(backend)]
    backend.clock.until(
        f"{path} to be healed on {', '.join(others)}",
        HEAL_SECONDS,
        lambda: [_copies(backend, node, volume, [path]).get(path) for node in nodes],
        lambda copies: all(copy and copy.kind == chosen.kind for copy in copies),
    )


def _of(copies: list[Copy], path: str, node: str) -> Copy:
    for copy in copies:
        if copy.node == node:
            return copy
    names = ", ".join(copy.node for copy in copies)
    raise SpecError(f"{node} has no copy of {path}", next_step=f"nodes with a copy: {names}; or use '{LATEST}'")


KEEP = """
case $(stat --format %F "$1") in
directory) mkdir -p "$2" && chown --reference="$1" "$2" && chmod --reference="$1" "$2" && touch --reference="$1" "$2";;
*) mkdir -p "${2%/*}" && cp -rPT --preserve=mode,ownership,timestamps "$1" "$2";;
esac
"""
"""Of a directory, its attributes are what differs: neither what is in it, nor GlusterFS' own below a volume's root."""


def _keep(backend: Backend, volume: str, path: str, node: str) -> None:
    into = posixpath.normpath(f"{KEPT}/{volume}/{path}")
    done = backend.run(node, ["sh", "-c", KEEP, "sh", _place(volume, path), into], seconds=SECONDS)
    if not done.ok:
        raise BackendError(f"{path} is not mended: cannot save the former copy: {done.last_line}", where=node)
