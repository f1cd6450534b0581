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
    chosen = {
        name: default if names[name] is None else names[name] for name, default in kind.limits.model_dump().items()
    }
    return Limits(
        memory=int(_value(chosen["memory"], names)),
        processes=int(_value(chosen["processes"], names)),
        processors=float(_value(chosen["processors"], names)),
    )


def _value(formula: float | str, names: dict[str, Any]) -> float:
    return float(formulas.evaluated(formula, names)) if isinstance(formula, str) else formula
