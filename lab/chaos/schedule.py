"""What happens when, as it follows from a scenario, a seed and the nodes: the same three give the same schedule."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab.clock import REAL
from lab.errors import SpecError
from lab.faults.kinds import kind
from lab.faults.targets import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.chaos.scenario import Chance, Scenario
    from lab.clock import Clock
    from lab.plan import Plan

REST_SECONDS = 3.0  # between two random faults of one role, so that the cluster is whole in between


@dataclass(frozen=True)
class Planned:
    """A fault to come: when it begins and ends, in seconds from the beginning; no `end` for what is over at once."""

    at: float
    end: float | None
    kind: str
    target: str
    others: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def schedule(scenario: Scenario, seed: int, plan: Plan, clock: Clock = REAL) -> list[Planned]:
    """All faults of a run in order, at the times that its clock makes of the scenario's.

    Raises:
        SpecError: one of them is for a node or role that the cluster has not.
    """
    fixed = [
        Planned(step.at, step.end if step.span else None, step.kind, step.target, step.others, step.settings())
        for step in scenario.faults
    ]
    for step in fixed:
        for said in filter(None, (step.target, step.others)):
            _known(said, plan)
    drawn = _drawn(scenario.chance, scenario.span, random.Random(seed), plan) if scenario.chance else []  # noqa: S311
    stretched = [replace(one, at=clock.limit(one.at), end=one.end and clock.limit(one.end)) for one in (*fixed, *drawn)]
    return sorted(stretched, key=lambda planned: planned.at)


def _known(said: str, plan: Plan) -> None:
    names = {node.name for node in plan.nodes} | {node.role for node in plan.nodes}
    meanings = {meaning.partition(":")[0] for meaning in FUNCTIONS}
    for part in said.split(","):
        word, _, role = part.strip().partition(":")
        if (role and role not in names) or (word not in names and word not in meanings):
            shown = ", ".join(node.name for node in plan.nodes)
            raise SpecError(f"the cluster has no node or role '{role or word}'", next_step=f"it has: {shown}")


def _drawn(chance: Chance, span: float, dice: random.Random, plan: Plan) -> list[Planned]:
    """Faults by chance: never two nodes of a role at once, and none that would outlast the scenario."""
    choices = _choices(chance, plan)
    free: dict[str, float] = {}  # when a role may be hit again
    found = []
    at = dice.uniform(1.0, chance.every)
    while choices:
        length = dice.uniform(chance.shortest, max(chance.shortest, chance.longest))
        if at + length > span:
            break
        able = [choice for choice in choices if free.get(choice[1], 0.0) <= at]
        if able:
            name, role, service = dice.choice(able)
            node = dice.choice([node.name for node in plan.role(role)])
            end = at + length if kind(name).lasting else None
            found.append(
                Planned(round(at, 2), end and round(end, 2), name, node, None, {"service": service} if service else {})
            )
            free[role] = at + length + REST_SECONDS
        at += dice.uniform(0.5, 1.5) * chance.every
    return found


def _choices(chance: Chance, plan: Plan) -> Sequence[tuple[str, str, str]]:
    """Kind, role and service of all that may happen to this cluster; a role with one node is spared."""
    found = []
    for name, roles in chance.faults.items():
        for said in roles:
            role, _, service = said.partition("/")
            if len(plan.role(role)) > 1:
                found.append((name, role, service))
    return found
