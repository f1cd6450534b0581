"""The schedule of faults: a pure function of scenario, seed and nodes."""

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

    from lab.chaos.scenario import RandomFaults, Scenario
    from lab.clock import Clock
    from lab.plan import Plan

REST_SECONDS = 3.0  # between two random faults of one role, so that the role recovers in between


@dataclass(frozen=True)
class Planned:
    """A scheduled fault; `at`, `end`: seconds from the start of the run, None for a fault that ends by itself."""

    at: float
    end: float | None
    kind: str
    target: str
    others: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def schedule(scenario: Scenario, seed: int, plan: Plan, clock: Clock = REAL) -> list[Planned]:
    """All faults of a run in order; the nodes' clock stretches the scenario's times.

    Raises:
        SpecError: a target that the cluster lacks.
    """
    fixed = [
        Planned(step.at, step.end if step.span else None, step.kind, step.target, step.others, step.settings())
        for step in scenario.faults
    ]
    for step in fixed:
        for text in filter(None, (step.target, step.others)):
            _refuse_unknown(text, plan)
    settings = scenario.random_faults
    drawn = _drawn(settings, scenario.span, random.Random(seed), plan) if settings else []  # noqa: S311
    stretched = [replace(one, at=clock.limit(one.at), end=one.end and clock.limit(one.end)) for one in (*fixed, *drawn)]
    return sorted(stretched, key=lambda planned: planned.at)


def _refuse_unknown(text: str, plan: Plan) -> None:
    names = {node.name for node in plan.nodes} | {node.role for node in plan.nodes}
    functions = {function.partition(":")[0] for function in FUNCTIONS}
    for part in text.split(","):
        word, _, role = part.strip().partition(":")
        if (role and role not in names) or (word not in names and word not in functions):
            shown = ", ".join(node.name for node in plan.nodes)
            raise SpecError(f"the cluster has no node or role '{role or word}'", next_step=f"nodes: {shown}")


def _drawn(settings: RandomFaults, span: float, rng: random.Random, plan: Plan) -> list[Planned]:
    """Random faults: at most one node of a role at a time, all reverted before the scenario ends."""
    choices = _choices(settings, plan)
    free: dict[str, float] = {}  # earliest time of a role's next fault
    drawn = []
    at = rng.uniform(1.0, settings.every)
    while choices:
        length = rng.uniform(settings.shortest, max(settings.shortest, settings.longest))
        if at + length > span:
            break
        ready = [choice for choice in choices if free.get(choice[1], 0.0) <= at]
        if ready:
            name, role, service = rng.choice(ready)
            node = rng.choice([node.name for node in plan.role(role)])
            end = at + length if kind(name).lasting else None
            drawn.append(
                Planned(round(at, 2), end and round(end, 2), name, node, None, {"service": service} if service else {})
            )
            free[role] = at + length + REST_SECONDS
        at += rng.uniform(0.5, 1.5) * settings.every
    return drawn


def _choices(settings: RandomFaults, plan: Plan) -> Sequence[tuple[str, str, str]]:
    """Kind, role and service of each possible fault; roles with one node are excluded."""
    choices = []
    for name, roles in settings.faults.items():
        for text in roles:
            role, _, service = text.partition("/")
            if len(plan.role(role)) > 1:
                choices.append((name, role, service))
    return choices
