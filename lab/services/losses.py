"""What a running cluster has and a topology lacks: a change of one section must not remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.lifecycle import kept
from lab.services import sites, users

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Existing
    from lab.topology import Cluster


def losses(cluster: Cluster, backend: Backend, existing: Existing) -> dict[str, set[str]]:
    """The names of the nodes, users and sites that the topology would remove, by those words; applications are nodes.

    A node that a person configures loses what they made of it where the topology does not say so.

    Args:
        cluster: the topology, with as many nodes of each role as the cluster has.
        backend: where the cluster runs.
        existing: its nodes.
    """
    removed = {node.name for node in existing.nodes} - cluster.node_roles.keys()
    return {
        "nodes": removed,
        "nodes by hand": {node.name for node in existing.nodes if node.fixed.by_hand}
        - cluster.by_hand.keys()
        - removed,
        "users": users.present(backend, existing) - cluster.users.keys(),
        "sites": sites.present(backend, existing) - cluster.sites.keys(),
    }


def admit(cluster: Cluster, backend: Backend, existing: Existing, but: Mapping[str, str]) -> None:
    """Refuses a topology that would remove more than was asked for. Changes nothing.

    Args:
        cluster: the topology; see `losses`.
        backend: where the cluster runs.
        existing: its nodes.
        but: the name that is changed, by its section.

    Raises:
        SpecError: names all that is missing.
    """
    missing = {what: sorted(names - {but.get(what)}) for what, names in losses(cluster, backend, existing).items()}
    listed = [f"the {what} {', '.join(names)}" for what, names in missing.items() if names]
    if listed:
        file = cluster.source or "the topology"
        made_from = kept.read(backend.cluster, kept.Note.TOPOLOGY)
        own = f"the cluster's own topology, {made_from}," if made_from else "the cluster's own topology"
        raise SpecError(
            f"{file} lacks parts of the cluster '{backend.cluster}', which would be removed: {'; '.join(listed)}",
            where=cluster.source,
            next_step=f"name {own} with --file; 'lab up' with this one removes those parts, if that is meant",
        )
