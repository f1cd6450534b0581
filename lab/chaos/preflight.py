"""Preflight check of a run: the cluster matches its topology and has no active fault, or does not exist yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.faults import present
from lab.lifecycle.prepare import prepare

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.lifecycle.prepare import Prepared
    from lab.progress import Report
    from lab.topology import Cluster


def preflight(cluster: Cluster, backend: Backend, report: Report) -> Prepared:
    """The plan, compared with the existing cluster; `existing` has no nodes where there is none.

    Raises:
        SpecError: a fault is active, or the cluster differs from its topology.
    """
    active = present(backend)
    if active:
        raise SpecError(f"the fault '{active[0].fault}' is already active", next_step="'lab heal' reverts it")
    prepared = prepare(cluster, backend, report)
    if prepared.existing.nodes and prepared.changes:
        first = prepared.changes[0]
        raise SpecError(
            f"the cluster '{cluster.name}' differs from its topology: {first.kind.value} {first.node} ({first.why})",
            next_step="'lab up' applies the topology; --name runs on a separate cluster",
        )
    return prepared
