"""`lab chaos run any`: every fault of the shipped scenarios that is possible on a cluster, each as a separate run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import assets
from lab.chaos.run import check_capabilities, run
from lab.chaos.scenario import Scenario, ScenarioLoad, Step, load
from lab.chaos.schedule import schedule
from lab.errors import UserError
from lab.evidence import probes
from lab.evidence.ledger import Outcome
from lab.faults.kinds import kind
from lab.recipes.apps import declared
from lab.services.primaries import PRIMARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.chaos.record import Record
    from lab.chaos.run import Own, Stage
    from lab.chaos.scenario import RandomFaults
    from lab.evidence.ledger import Verdict
    from lab.evidence.verdicts import RunData
    from lab.plan import Plan

NAME = "any"
SUMMARY = "Every fault of these scenarios that is possible on the cluster, one after the other; one table."
RATE = 20.0
BEGIN_SECONDS, AFTER_SECONDS = 3.0, 5.0
PROMISES = ["cluster-heals"]


@dataclass(frozen=True)
class Damage:
    """The effect of one fault on a site.

    Attributes:
        requests, failed: the number of requests, and of those that failed.
        outage: the longest one, in seconds.
        writes: number of acknowledged writes; None without a ledger.
        verdict: on them; None without a ledger.
        bad: number of writes that are lost, duplicated or stale, as the verdict says.
        good: whether the site answers again and no acknowledged write was lost.
    """

    fault: str
    requests: int
    failed: int
    outage: float
    writes: int | None
    verdict: Verdict | None
    bad: int
    good: bool
    folder: Path


def scenarios(plan: Plan, backend: Backend, site: str | None) -> tuple[list[Scenario], dict[str, str]]:
    """A scenario for each possible fault; and the reason for each excluded one, by fault."""
    possible: dict[str, Scenario] = {}
    excluded: dict[str, str] = {}
    for step in _for_site(_steps(plan), plan, site):
        key = _key(step, plan)
        if key in possible or key in excluded:
            continue
        span = BEGIN_SECONDS + (step.span or 0.0) + AFTER_SECONDS
        scenario = Scenario(
            name=f"{NAME}-{step.kind}-{step.target}".replace(",", "-").replace(":", "-"),
            summary=f"{step.kind} {step.target}, as shipped",
            site=site,
            load=ScenarioLoad(rate=RATE) if site else ScenarioLoad(rate=RATE, path="/whoami"),
            span=span,
            faults=[step.model_copy(update={"at": BEGIN_SECONDS})],
            promises=PROMISES,
        )
        try:
            check_capabilities(backend, schedule(scenario, 0, plan, backend.clock))
        except UserError as error:
            excluded[key] = error.what
        else:
            reason = _lacks(step, plan)
            if reason:
                excluded[key] = reason
            else:
                possible[key] = scenario
    return list(possible.values()), excluded


def play(faults: Sequence[Scenario], stage: Stage, seed: int, runs: Path, own: Own | None) -> Iterator[Damage]:
    """Runs these scenarios one after the other.

    Raises:
        LabError: as `run` does.
    """
    for number, scenario in enumerate(faults):
        stage.report.say(f"{number + 1} of {len(faults)}: {scenario.summary}")
        yield damage(run(scenario, stage, seed + number, runs, own), own)


def damage(record: Record, own: Own | None) -> Damage:
    """The effect of the fault of one run."""
    data = record.data
    assert data is not None  # noqa: S101  a run that ended has data
    judgement = data.judgements.get(type(own.writer).__name__) if own else None
    return Damage(
        fault="; ".join(fault.text for fault in data.faults),
        requests=len(data.answers),
        failed=sum(answer.failed for answer in data.answers),
        outage=_outage(data),
        writes=judgement.counts[Outcome.ACKNOWLEDGED] if judgement else None,
        verdict=judgement.verdict if judgement else None,
        bad=len(judgement.ids) if judgement else 0,
        good=record.holds,
        folder=record.folder,
    )


def _outage(data: RunData) -> float:
    outages = probes.outages(data.rows.get(probes.SITE, ()), data.clock.limit(probes.LATE))
    return max((span.seconds for span in outages), default=0.0)


def _steps(plan: Plan) -> Iterator[Step]:
    """The faults of all shipped scenarios, random ones included, each for a node that the cluster has."""
    for path in assets.scenarios().values():
        scenario = load(path)
        for step in scenario.faults:
            nodes = plan.role(step.target.rstrip("0123456789"))
            known = any(node.name == step.target for node in plan.nodes)
            yield step if known or not nodes else step.model_copy(update={"target": nodes[0].name})
        if scenario.random_faults:
            yield from _drawn(scenario.random_faults, plan)


def _for_site(steps: Iterable[Step], plan: Plan, site: str | None) -> Iterator[Step]:
    """For an application, the faults of its own nodes first: those shipped for the role that it is like."""
    shipped = list(steps)
    if site in plan.apps:
        like = declared().like.role
        for step in shipped:
            # An application has no service of the lab.
            if step.target.rstrip("0123456789") == like and not step.service:
                yield step.model_copy(update={"target": plan.role(str(site))[0].name})
    yield from shipped


def _drawn(random_faults: RandomFaults, plan: Plan) -> Iterator[Step]:
    """The random faults of a scenario, once for each role."""
    for name, roles in random_faults.faults.items():
        for target in roles:
            role, _, service = target.partition("/")
            span = random_faults.longest if kind(name).lasting else None
            node = plan.role(role)[0].name if plan.role(role) else role
            yield Step(at=0, span=span, kind=name, target=node, service=service or None)


def _key(step: Step, plan: Plan) -> str:
    """Kind, role and settings: two steps with the same key are the same fault."""
    roles = {node.name: node.role for node in plan.nodes}
    role = roles.get(step.target, step.target.rstrip("0123456789"))
    settings = " ".join(f"{key} {value}" for key, value in step.settings().items())
    return " ".join(filter(None, (step.kind, role, f"from {step.others}" if step.others else "", settings)))


def _lacks(step: Step, plan: Plan) -> str:
    """The reason why the cluster has no such target; empty if it has one."""
    if step.target == "vip-holder" and not plan.vip:
        return "the cluster has no VIP"
    if step.target == "primary" and not any(plan.role(role) for role in PRIMARIES):
        return "no role of the cluster has a primary"
    return ""
