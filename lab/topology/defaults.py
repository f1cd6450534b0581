"""Defaults of a topology that depend on its backend: timers for slow nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lab.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.topology.cluster import Cluster

M = TypeVar("M", bound=Model)


def filled(cluster: Cluster, defaults: Mapping[str, Mapping[str, float]]) -> Cluster:
    """The cluster with other defaults for the options that the topology leaves out; options that it writes stay.

    Args:
        cluster: the topology.
        defaults: by role, values by the option's place, such as `tcp-lb.check.inter`. Those of roles that the cluster
            lacks are ignored; of two values for one option the first applies.
    """
    values: dict[str, float] = {}
    for role, options in defaults.items():
        if role in cluster.roles():
            values = {**options, **values}
    for place, value in values.items():
        path = _path(place)
        if getattr(cluster, path[0]) is not None:
            cluster = _with(cluster, path, value)
    return cluster


def written(cluster: Cluster, places: Iterable[str]) -> Cluster:
    """The cluster with its values of these options as if the topology wrote them: no other default replaces them.

    `places`: as of `filled`; those that the cluster lacks are ignored.
    """
    for place in places:
        path = _path(place)
        model: object = cluster
        for key in path:
            model = getattr(model, key, None)
        if model is not None:
            cluster = _with(cluster, path, model)
    return cluster


def _path(place: str) -> list[str]:
    return [key.replace("-", "_") for key in place.split(".")]


def _with(model: M, path: Sequence[str], value: object) -> M:
    """A copy with the value at a path, unless the topology writes one there."""
    name, *inner = path
    if inner:
        return model.model_copy(update={name: _with(getattr(model, name), inner, value)})
    return model if name in model.model_fields_set else model.model_copy(update={name: value})
