"""The limits of a node: as the topology writes them, else as its role's `role.yaml` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import formulas
from lab.plan.model import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.recipes import Manifest
    from lab.topology import RoleOptions


def limits(kind: Manifest, options: RoleOptions, hosted: Mapping[str, int]) -> Limits:
    """The limits of each node of a role; `hosted`: what the sites may take, as `Cluster.hosted` has it."""
    names = {**hosted, **formulas.names(options)}
    wanted = {name: given if names[name] is None else names[name] for name, given in kind.limits.model_dump().items()}
    return Limits(
        memory=int(_value(wanted["memory"], names)),
        processes=int(_value(wanted["processes"], names)),
        processors=float(_value(wanted["processors"], names)),
    )


def _value(given: float | str, names: dict[str, Any]) -> float:
    return float(formulas.evaluated(given, names)) if isinstance(given, str) else given
