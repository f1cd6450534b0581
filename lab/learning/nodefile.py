"""A file of a node that a person edits: its text, and the mode and owner that it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.errors import BackendError, SpecError
from lab.learning.attempt import opened

if TYPE_CHECKING:
    from lab.backends.base import Backend

NEW = 0o644
"""The mode of a file that is neither in the node nor in the plan."""
STAT_FIELDS = 3


@dataclass(frozen=True)
class FileStat:
    """Mode and owner of a file, as its node says."""

    mode: int
    owner: str


@dataclass(frozen=True)
class NodeFile:
    """A file as it was read.

    Attributes:
        mode: of the lab's own file of that path, else of the file in the node.
        owner: user and group by number, such as `0:0`; empty where the node does not say.
    """

    backend: Backend
    node: str
    path: str
    text: str
    mode: int
    owner: str

    def write(self, text: str) -> None:
        """Writes another text, with the same mode and owner.

        Raises:
            BackendError: the node can't be reached, or did not give the file back to its owner.
        """
        self.backend.put(self.node, {self.path: (text.encode(), self.mode)})
        actual = _stat(self.backend, self.node, self.path) if self.owner else None
        if actual and actual.owner != self.owner:
            done = self.backend.run(self.node, ["chown", self.owner, self.path])
            if not done.ok:
                what = f"{self.path} is written, and belongs to {actual.owner}, not to {self.owner}: {done.last_line}"
                raise BackendError(what, where=self.node)


def read(backend: Backend, node: str, path: str) -> NodeFile:
    """A file of a node; an empty one where there is none.

    Raises:
        SpecError: it is no text, or its mode is not known.
    """
    content = backend.get(node, path)
    try:
        text = (content or b"").decode()
    except UnicodeDecodeError:
        raise SpecError(
            f"{path} of {node} is not text in UTF-8: an editor would damage it",
            where=path,
            next_step=f"change it in the node: 'lab enter {node}'",
        ) from None
    planned = _planned_mode(backend, node, path)
    actual = _stat(backend, node, path) if content is not None else None
    if planned is None and actual is None and content is not None:
        raise SpecError(
            f"the mode of {path} is not known: {node} does not run, or has no 'stat', and the lab has no such file",
            where=node,
            next_step=f"'lab start {node}' starts it; then edit the file again",
        )
    mode = planned if planned is not None else actual.mode if actual else NEW
    return NodeFile(backend, node, path, text, mode, actual.owner if actual else "")


def _planned_mode(backend: Backend, node: str, path: str) -> int | None:
    """The mode of the file that the lab renders for the lesson's node; None where there is none, or no lesson."""
    try:
        nodes = opened(backend).scene.plan.nodes
    except SpecError:
        return None
    files = [file for each in nodes if each.name == node for file in (*each.withheld, *each.files)]
    return next((file.mode for file in files if file.path == path), None)


def _stat(backend: Backend, node: str, path: str) -> FileStat | None:
    """Mode and owner of a file; None where its node does not run, or does not say."""
    existing = backend.observe().node(node)
    if existing is None or existing.state is not State.RUNNING:
        return None
    done = backend.run(node, ["stat", "-L", "-c", "%a %u %g", path])
    fields = done.stdout.split()
    if not done.ok or len(fields) != STAT_FIELDS:
        return None
    return FileStat(int(fields[0], 8), f"{fields[1]}:{fields[2]}")
