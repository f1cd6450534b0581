"""What a fault is: a plain value that can be written down, done to a cluster, looked at, and undone by anybody."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities

Facts = dict[str, str]
"""What a fault saw of a node before it was done, where that can't be asked afterwards."""


@dataclass(frozen=True)
class Look:
    """What a probe saw: whether the fault bites now, and by what that was told."""

    bites: bool
    seen: str


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with nodes.

    Attributes:
        kind: its name on the command line and in scenarios.
        lasting: whether there is anything to undo; a restart is over when it is done.
        nodes: the nodes that it happens to.
    """

    kind: ClassVar[str]
    lasting: ClassVar[bool] = True
    nodes: tuple[str, ...]

    def needs(self, can: Capabilities) -> str:
        """What the backend lacks for it, with the reason; nothing when it can be done."""
        del can
        return ""

    def apply(self, backend: Backend, mark: str) -> Facts:
        """Does it; what it leaves behind in a node carries `mark`."""
        raise NotImplementedError

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        """Probes whether it bites now."""
        raise NotImplementedError

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        """Reverts it; may be done twice, or to something that was only half done."""
        raise NotImplementedError

    def told(self) -> dict[str, Any]:
        """All of it as plain values, for a note, a history, a report."""
        return {"kind": self.kind, **{key: value for key, value in asdict(self).items() if value not in (None, ())}}

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.nodes)}"
