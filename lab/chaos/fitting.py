"""Whether a scenario can run on a cluster, before anything is asked of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.chaos.schedule import schedule
from lab.errors import SpecError
from lab.evidence.probes import SITE
from lab.evidence.promises import EVERY_ROLE, promise
from lab.faults.kinds import kind
from lab.services.primaries import PRIMARIES
from lab.services.streams import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Capabilities
    from lab.chaos.scenario import Scenario
    from lab.plan import Plan
    from lab.topology import Cluster

SEED = 1


def lacking(scenario: Scenario, cluster: Cluster, plan: Plan, can: Capabilities) -> str:
    """What the cluster or its backend lacks for a scenario; empty where it can run."""
    try:
        return next(_reasons(scenario, cluster, plan, can), "")
    except SpecError as error:
        return error.what


def _reasons(scenario: Scenario, cluster: Cluster, plan: Plan, can: Capabilities) -> Iterator[str]:
    """What is lacking, the plainest first.

    Raises:
        SpecError: so is what it says.
    """
    planned = schedule(scenario, SEED, plan)
    if not planned:
        yield "no role has two nodes, of which one may fail"
    for step in planned:
        yield from _no_target(step.target, plan)
        if why := kind(step.kind)(nodes=(step.target,), **step.settings).needs(can):
            yield why
    if not scenario.site and SITE not in {stream.name for stream in streams(plan, cluster.site)}:
        yield "the cluster has no site, whose visitors are counted"
    for name in scenario.promises:
        role = promise(name).role
        if role != EVERY_ROLE and not plan.role(role):
            yield f"the promise '{name}' is of the role '{role}', which the cluster lacks"
        promise(name).bound(cluster)


def _no_target(text: str, plan: Plan) -> Iterator[str]:
    """Why a target that is a function means no node."""
    for part in text.split(","):
        word = part.strip()
        if word == "vip-holder" and not plan.vip:
            yield "the cluster has no VIP"
        if word == "primary" and not any(plan.role(role) for role in PRIMARIES):
            yield "no role of the cluster has a primary"
