"""The promises of a cluster's roles by name, and their bounds for a topology."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from lab import assets, formulas
from lab.errors import SpecError
from lab.hints import nearest
from lab.recipes import manifest, roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.recipes.declared import DeclaredPromise
    from lab.topology import Cluster

EVERY_ROLE = "base"


@dataclass(frozen=True)
class Promise:
    """A promise of one role.

    Attributes:
        role: the role that declares it.
        declared: its entry in `role.yaml`.
    """

    name: str
    role: str
    declared: DeclaredPromise

    def bound(self, cluster: Cluster, instead: Mapping[str, float] | None = None) -> float | None:
        """The formula's value in seconds for a topology's options; None without a formula.

        `instead`: values by name that stand for options, as a person wrote them on a node.

        Raises:
            SpecError: the topology lacks a role that the formula reads, or the formula reads an ambiguous option.
        """
        if not self.declared.formula:
            return None
        names: dict[str, Any] = {}
        for place in self.declared.of.split():
            options = _options(cluster, place, self.name)
            twice = sorted(names.keys() & options.keys() & self.names)
            if twice:
                raise SpecError(f"the promise '{self.name}' reads '{twice[0]}' ambiguously: {self.declared.of}")
            names |= options
        names |= instead or {}
        for part, expression in self.declared.where.items():
            names[part] = formulas.evaluated(expression, names)
        return round(float(formulas.evaluated(self.declared.formula, names)), 3)

    @property
    def names(self) -> set[str]:
        """What the formula and its parts read: options, and the parts themselves."""
        return set(re.findall(r"[a-z_]+", " ".join([self.declared.formula, *self.declared.where.values()])))

    @property
    def formula(self) -> str:
        """The formula as text, followed by the definitions of its parts; empty without a formula."""
        parts = ", ".join(f"{part} = {expression}" for part, expression in self.declared.where.items())
        return f"{self.declared.formula}, where {parts}" if parts else self.declared.formula


@assets.cached
def promises() -> Mapping[str, Promise]:
    """The promises of all roles by name, without those of applications."""
    return _declared((EVERY_ROLE, *roles()))


@assets.cached
def _of_apps() -> Mapping[str, Promise]:
    """The promises of the applications of the topologies that this process has read."""
    return _declared(sorted(assets.apps()))


def _declared(names: Iterable[str]) -> dict[str, Promise]:
    return {
        name: Promise(name, role, declared) for role in names for name, declared in manifest(role).own.promises.items()
    }


def promise(name: str) -> Promise:
    """A promise by name.

    Raises:
        SpecError: not declared; the message names the nearest.
    """
    by_name = {**_of_apps(), **promises()}
    if name in by_name:
        return by_name[name]
    raise SpecError(f"there is no promise '{name}'", next_step=nearest(name, by_name, "there are"))


def _options(cluster: Cluster, path: str, name: str) -> Mapping[str, Any]:
    """The options at a place such as `http-lb.check`, by name."""
    role, *inner = path.split(".")
    of_role = cluster.roles().get(role)
    if of_role is None:
        raise SpecError(f"the promise '{name}' needs the role '{role}', which the topology lacks")
    model = reduce(getattr, inner, of_role)
    return formulas.names(model)
