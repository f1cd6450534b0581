"""The nodes of a cluster or of one role, for verbs that need at least one."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
