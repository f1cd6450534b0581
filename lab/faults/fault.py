"""A fault: a serializable value that is injected into a cluster, probed and reverted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities

Facts = dict[str, str]
"""State recorded before injection that cannot be read afterwards, by node."""


@dataclass(frozen=True)
class ProbeResult:
    """Result of a probe: whether the fault is active, and the evidence."""

    active: bool
    observation: str


@dataclass(frozen=True)
class Fault:
    """One fault of one or more nodes.

    Attributes:
        kind: name on the command line and in scenarios.
        lasting: whether the fault stays until it is reverted; a restart ends by itself.
        nodes: the affected nodes.
    """

    kind: ClassVar[str]
    lasting: ClassVar[bool] = True
    nodes: tuple[str, ...]

    def needs(self, can: Capabilities) -> str:
        """Reason why the backend does not support the fault; empty when it does."""
        del can
        return ""

    def apply(self, backend: Backend, mark: str) -> Facts:
        """Injects the fault; everything that it creates in a node carries `mark`."""
        raise NotImplementedError

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        """Probes whether the fault is active now."""
        raise NotImplementedError

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        """Reverts the fault; idempotent, also after a partial injection."""
        raise NotImplementedError

    def await_ready(self, backend: Backend) -> None:
        """Waits until nodes that `revert` started are ready; a node that was never off is not awaited.

        Raises:
            LabError: one does not become ready.
        """

    def as_dict(self) -> dict[str, Any]:
        """The fault as JSON values; `kinds.fault` is the inverse."""
        return {"kind": self.kind, **{key: value for key, value in asdict(self).items() if value not in (None, ())}}

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.nodes)}"
