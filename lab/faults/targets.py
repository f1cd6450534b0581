"""Targets of a fault: nodes by name, by role, or by their current function in the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.hints import nearest
from lab.lifecycle.members import existing
from lab.lifecycle.status import vip_holders
from lab.services.primaries import PRIMARIES

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from lab.backends.base import Backend, Existing

OBSERVER = "client"
FUNCTIONS = ("vip-holder", "primary", "minority:ROLE", "random", "random:ROLE", "all")


def targets(backend: Backend, text: str, rng: random.Random) -> tuple[str, ...]:
    """The nodes of a comma-separated list of names, roles and functions.

    `all`, `random` and `minority` exclude the client, which observes the cluster.

    Raises:
        SpecError: an unknown node, role or function; the message names the nearest.
    """
    cluster = existing(backend)
    chosen = [name for part in text.split(",") for name in _one(backend, cluster, part.strip(), rng)]
    return tuple(dict.fromkeys(chosen))


def _one(backend: Backend, existing: Existing, text: str, rng: random.Random) -> Sequence[str]:
    names = [node.name for node in existing.nodes]
    roles = _roles(existing)
    word, _, role = text.partition(":")
    if role and role not in roles:
        raise SpecError(f"the cluster has no role '{role}'; {nearest(role, list(roles))}", where=text)
    others = roles.get(role, [node.name for node in existing.nodes if node.role != OBSERVER])
    if text in names:
        return [text]
    if text in roles:
        return roles[text]
    if text == "all":
        return others
    if word == "random":
        return [rng.choice(others)]
    if word == "minority" and role:
        return _minority(role, others, rng)
    if text in ("vip-holder", "primary"):
        return _holder(backend, existing) if text == "vip-holder" else _primary(backend, roles)
    raise SpecError(
        f"there is no node or role '{text}'; {nearest(text, [*names, *roles])}",
        next_step=f"other targets: {', '.join(FUNCTIONS)}",
    )


def _roles(existing: Existing) -> dict[str, list[str]]:
    by_role: dict[str, list[str]] = {}
    for node in existing.nodes:
        by_role.setdefault(node.role, []).append(node.name)
    return by_role


def _holder(backend: Backend, existing: Existing) -> Sequence[str]:
    if not existing.vip:
        raise SpecError("the cluster has no VIP", next_step="a topology with 'tcp-lb' has one")
    holders = vip_holders(backend, existing)
    if len(holders) != 1:
        raise SpecError(f"the VIP has {len(holders)} holders", next_step="'lab up' repairs the cluster")
    return holders


def _primary(backend: Backend, roles: dict[str, list[str]]) -> Sequence[str]:
    primary = next((PRIMARIES[role] for role in roles if role in PRIMARIES), None)
    if primary is None:
        having = "' or '".join(PRIMARIES)
        raise SpecError("no role of this cluster has a primary", next_step=f"a topology with '{having}' has one")
    return [primary(backend)]


def _minority(role: str, names: list[str], rng: random.Random) -> Sequence[str]:
    count = (len(names) - 1) // 2
    if not count:
        raise SpecError(f"{len(names)} nodes of {role} have no minority", next_step="use three or more")
    return sorted(rng.sample(names, count))
