"""The nodes of a cluster or of one role, for verbs that need at least one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.errors import SpecError

if TYPE_CHECKING:
    from lab.backends.base import Backend, Existing, Observed


def existing(backend: Backend) -> Existing:
    """The existing cluster.

    Raises:
        SpecError: it has no nodes.
    """
    observed = backend.observe()
    if not observed.nodes:
        raise SpecError(
            f"there is no cluster '{backend.cluster}'", next_step="'lab up' creates it; --name selects another one"
        )
    return observed


def of_role(backend: Backend, role: str) -> list[Observed]:
    """The nodes of a role.

    Raises:
        SpecError: the cluster does not exist, or has no such node.
    """
    nodes = [node for node in existing(backend).nodes if node.role == role]
    if not nodes:
        raise SpecError(
            f"the cluster '{backend.cluster}' has no {role} node",
            next_step=f"add '{role}:' to its topology and run 'lab up', or select another cluster with --name",
        )
    return nodes


def informed(existing: Existing, role: str) -> str | None:
    """The node of a role whose files are the latest: one that runs, where one does; None where the role has no node."""
    nodes = {node.name: node.state for node in existing.nodes if node.role == role}
    running = [name for name, state in nodes.items() if state is State.RUNNING]
    return next(iter([*running, *nodes]), None)
