"""Where a plan is placed. Backends are imported only when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import identifiers
from lab.backends import kinds

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.topology import Placement


def backend(place: Placement, cluster: str) -> Backend:
    """The backend of a placement, bound to one cluster.

    Raises:
        SpecError: there is no such backend, or the cluster's name is not valid.
        HostError: its engine can't be used from here.
    """
    identifiers.cluster(cluster)
    return kinds.kind(place.backend).open(cluster, place.settings or kinds.defaults(place.backend))
