"""The cluster that a run is played on: as its topology says, with no fault on; or none, where one can be made."""

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


def admitted(cluster: Cluster, backend: Backend, report: Report) -> Prepared:
    """The plan beside what exists; without a node where there is no cluster.

    Raises:
        SpecError: a fault is on, or the cluster is not as its topology says.
    """
    left = present(backend)
    if left:
        raise SpecError(f"the fault '{left[0].fault}' is on already", next_step="'lab heal' reverts it")
    prepared = prepare(cluster, backend, report)
    if prepared.existing.nodes and prepared.changes:
        first = prepared.changes[0]
        raise SpecError(
            f"'{cluster.name}' is not as its topology says: {first.kind.value} {first.node} ({first.why})",
            next_step="'lab up' applies the topology; --name plays the run on a cluster of its own",
        )
    return prepared
