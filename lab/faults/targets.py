"""Whom a fault happens to: nodes by name, by role, or by what they mean to the cluster now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.lifecycle.members import existing
from lab.lifecycle.status import vip_holders
from lab.services.primaries import PRIMARIES
from lab.topology.changes import nearest

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from lab.backends.base import Backend, Existing

OBSERVER = "client"
MEANINGS = ("vip-holder", "primary", "minority:ROLE", "random", "random:ROLE", "all")


def targets(backend: Backend, said: str, chance: random.Random) -> tuple[str, ...]:
    """The nodes that are meant by names, roles and meanings, with commas between them.

    `all`, `random` and `minority` leave the client out: it is who observes.

    Raises:
        SpecError: there is no such node, role or meaning here; names the nearest.
    """
    there = existing(backend)
    found = [name for part in said.split(",") for name in _one(backend, there, part.strip(), chance)]
    return tuple(dict.fromkeys(found))


def _one(backend: Backend, existing: Existing, said: str, chance: random.Random) -> Sequence[str]:
    names = [node.name for node in existing.nodes]
    roles = _roles(existing)
    word, _, role = said.partition(":")
    if role and role not in roles:
        raise SpecError(f"the cluster has no role '{role}'; {nearest(role, list(roles))}", where=said)
    others = roles.get(role, [node.name for node in existing.nodes if node.role != OBSERVER])
    if said in names:
        return [said]
    if said in roles:
        return roles[said]
    if said == "all":
        return others
    if word == "random":
        return [chance.choice(others)]
    if word == "minority" and role:
        return _minority(role, others, chance)
    if said in ("vip-holder", "primary"):
        return _holder(backend, existing) if said == "vip-holder" else _primary(backend, roles)
    raise SpecError(
        f"there is no node or role '{said}'; {nearest(said, [*names, *roles])}",
        next_step=f"meanings are: {', '.join(MEANINGS)}",
    )


def _roles(existing: Existing) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in existing.nodes:
        found.setdefault(node.role, []).append(node.name)
    return found


def _holder(backend: Backend, existing: Existing) -> Sequence[str]:
    if not existing.vip:
        raise SpecError("the cluster has no VIP", next_step="a topology with 'tcp-lb' has one")
    holders = vip_holders(backend, existing)
    if len(holders) != 1:
        raise SpecError(f"the VIP has {len(holders)} holders just now", next_step="'lab up' makes the cluster whole")
    return holders


def _primary(backend: Backend, roles: dict[str, list[str]]) -> Sequence[str]:
    found = next((PRIMARIES[role] for role in roles if role in PRIMARIES), None)
    if found is None:
        having = "' or '".join(PRIMARIES)
        raise SpecError("no role of this cluster has a primary", next_step=f"a topology with '{having}' has one")
    return [found(backend)]


def _minority(role: str, names: list[str], chance: random.Random) -> Sequence[str]:
    count = (len(names) - 1) // 2
    if not count:
        raise SpecError(f"{len(names)} nodes of {role} have no minority", next_step="it takes three")
    return sorted(chance.sample(names, count))
