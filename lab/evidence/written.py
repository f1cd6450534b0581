"""Values that a person wrote into the files of a node, for formulas: `advert_int 1` or `inter 500ms`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from lab import formulas
from lab.models import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend

UNITS = {"us": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class WrittenValue(Model):
    """Where a value stands in a file of a node.

    Attributes:
        pattern: a regular expression whose first group is the number, and whose second, if there is one, its unit.
        unit: of a number without one: `s` or `ms`; empty for a count.
        default: the value where the file says none; without it the formula has no value.
        also: other nodes with such a file: the largest value counts.
    """

    node: str
    path: str
    pattern: str
    unit: str = Field("s", pattern="^(|us|ms|s|m|h)$")
    default: float | None = None
    also: tuple[str, ...] = ()


def read(backend: Backend, where: Mapping[str, WrittenValue]) -> dict[str, float]:
    """The values by name; those that are written nowhere and have no default are missing."""
    values = {}
    for name, place in where.items():
        of_nodes = [_value(backend, node, place) for node in (place.node, *place.also)]
        if known := [value for value in of_nodes if value is not None]:
            values[name] = max(known)
    return values


def _value(backend: Backend, node: str, place: WrittenValue) -> float | None:
    """The value in the file of one node."""
    text = (backend.get(node, place.path) or b"").decode(errors="replace")
    match = re.search(place.pattern, re.sub(r"(?m)^\s*[#!].*$", "", text))
    if not match:
        return place.default
    unit = match[2] if match.re.groups > 1 and match[2] else place.unit
    return round(float(match[1]) * UNITS.get(unit, 1.0), 6)


def allowed(formula: str, values: Mapping[str, object]) -> float | None:
    """The value of a formula in seconds; None where a name of it has no value."""
    names = set(re.findall(r"[a-z_]+", formula)) - {"max", "ceil", "min"}
    if not formula or names - values.keys():
        return None
    return round(float(formulas.evaluated(formula, values)), 3)


def shown(values: Mapping[str, float]) -> str:
    """The values as a person reads them: `your advert_int of 1 s`; empty without values."""
    return ", ".join(f"{name} = {value:g}" for name, value in values.items())
