"""Where a plan is placed. Backends are imported only when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lab import identifiers
from lab.errors import SpecError

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.topology import Placement

BACKENDS = {
    "docker": "lab.backends.docker:DockerBackend",
    "xen": "lab.backends.xen:XenBackend",
}


def backend(place: Placement, cluster: str) -> Backend:
    """The backend of a placement, bound to one cluster.

    Raises:
        SpecError: there is no such backend, or the cluster's name is not valid.
        HostError: its engine can't be used from here.
    """
    identifiers.cluster(cluster)
    if place.backend not in BACKENDS:
        raise SpecError(f"there is no backend {place.backend!r}", next_step=f"choose one of: {', '.join(BACKENDS)}")
    module, _, attribute = BACKENDS[place.backend].partition(":")
    made: Backend = getattr(import_module(module), attribute)(cluster, place)
    return made
