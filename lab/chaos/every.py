"""`lab chaos run any`: every fault of the shipped scenarios that a cluster can have, each as a run of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import assets
from lab.chaos.run import check_capabilities, run
from lab.chaos.scenario import Scenario, ScenarioLoad, Step, load
from lab.chaos.schedule import schedule
from lab.errors import UserError
from lab.evidence import probes
from lab.evidence.ledger import Outcome, Verdict
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
    from lab.evidence.verdicts import RunData
    from lab.plan import Plan

NAME = "any"
SUMMARY = "Every fault of the scenarios here that the cluster can have, one after the other; one table."
RATE = 20.0
BEGIN_SECONDS, AFTER_SECONDS = 3.0, 5.0
PROMISES = ["cluster-heals"]


@dataclass(frozen=True)
class Damage:
    """What one fault did to a site.

    Attributes:
        asked, failed: requests.
        outage: seconds of the longest one.
        writes: acknowledged ones, or None where no ledger was kept.
        lost: how many of them are lost; or how many are duplicated or stale, with that word.
        good: whether the site answers again and nothing acknowledged was lost.
    """

    fault: str
    asked: int
    failed: int
    outage: float
    writes: int | None
    lost: str
    good: bool
    folder: Path


def scenarios(plan: Plan, backend: Backend, site: str | None) -> tuple[list[Scenario], dict[str, str]]:
    """A scenario for each fault; and why others are left out, by the fault."""
    made: dict[str, Scenario] = {}
    left: dict[str, str] = {}
    for step in _for_site(_steps(plan), plan, site):
        key = _key(step, plan)
        if key in made or key in left:
            continue
        span = BEGIN_SECONDS + (step.span or 0.0) + AFTER_SECONDS
        told = Scenario(
            name=f"{NAME}-{step.kind}-{step.target}".replace(",", "-").replace(":", "-"),
            summary=f"{step.kind} {step.target}, as shipped",
            site=site,
            load=ScenarioLoad(rate=RATE) if site else ScenarioLoad(rate=RATE, path="/whoami"),
            span=span,
            faults=[step.model_copy(update={"at": BEGIN_SECONDS})],
            promises=PROMISES,
        )
        try:
            check_capabilities(backend, schedule(told, 0, plan, backend.clock))
        except UserError as error:
            left[key] = error.what
        else:
            why = _lacks(step, plan)
            if why:
                left[key] = why
            else:
                made[key] = told
    return list(made.values()), left


def play(made: Sequence[Scenario], stage: Stage, seed: int, runs: Path, own: Own | None) -> Iterator[Damage]:
    """Plays them one after the other.

    Raises:
        LabError: as `run` does.
    """
    for number, scenario in enumerate(made):
        stage.report.say(f"{number + 1} of {len(made)}: {scenario.summary}")
        yield damage(run(scenario, stage, seed + number, runs, own), own)


def damage(record: Record, own: Own | None) -> Damage:
    """What a run comes to."""
    seen = record.data
    assert seen is not None  # noqa: S101  a run that ended was seen
    judged = seen.judgements.get(type(own.writer).__name__) if own else None
    lost = "–"
    if judged:
        bad = judged.verdict in (Verdict.DUPLICATED, Verdict.STALE)
        lost = f"{len(judged.ids)} {judged.verdict.value}" if bad else str(len(judged.ids))
        lost = "unknown" if judged.verdict is Verdict.UNKNOWN else lost
    return Damage(
        fault="; ".join(fault.text for fault in seen.faults),
        asked=len(seen.answers),
        failed=sum(answer.failed for answer in seen.answers),
        outage=_outage(seen),
        writes=judged.counts[Outcome.ACKNOWLEDGED] if judged else None,
        lost=lost,
        good=record.holds,
        folder=record.folder,
    )


def _outage(seen: RunData) -> float:
    found = probes.outages(seen.rows.get(probes.SITE, ()), seen.clock.limit(probes.LATE))
    return max((span.seconds for span in found), default=0.0)


def _steps(plan: Plan) -> Iterator[Step]:
    """The faults of all scenarios that ship, random ones included, each for a node that the cluster has."""
    for path in assets.scenarios().values():
        scenario = load(path)
        for step in scenario.faults:
            there = plan.role(step.target.rstrip("0123456789"))
            known = any(node.name == step.target for node in plan.nodes)
            yield step if known or not there else step.model_copy(update={"target": there[0].name})
        if scenario.random_faults:
            yield from _drawn(scenario.random_faults, plan)


def _for_site(steps: Iterable[Step], plan: Plan, site: str | None) -> Iterator[Step]:
    """The faults of an application's own nodes first: those that are shipped for the role that it is like."""
    found = list(steps)
    if site in plan.apps:
        like = declared().like.role
        for step in found:
            if (
                step.target.rstrip("0123456789") == like and not step.service
            ):  # an application has no service of the lab
                yield step.model_copy(update={"target": plan.role(str(site))[0].name})
    yield from found


def _drawn(chance: RandomFaults, plan: Plan) -> Iterator[Step]:
    """The random faults of a scenario, once for each role."""
    for name, roles in chance.faults.items():
        for said in roles:
            role, _, service = said.partition("/")
            span = chance.longest if kind(name).lasting else None
            target = plan.role(role)[0].name if plan.role(role) else role
            yield Step(at=0, span=span, kind=name, target=target, service=service or None)


def _key(step: Step, plan: Plan) -> str:
    """What makes two faults the same: kind, role and settings."""
    roles = {node.name: node.role for node in plan.nodes}
    role = roles.get(step.target, step.target.rstrip("0123456789"))
    settings = " ".join(f"{key} {value}" for key, value in step.settings().items())
    return " ".join(filter(None, (step.kind, role, f"from {step.others}" if step.others else "", settings)))


def _lacks(step: Step, plan: Plan) -> str:
    """What a meaning needs and the cluster has not."""
    if step.target == "vip-holder" and not plan.vip:
        return "the cluster has no VIP"
    if step.target == "primary" and not any(plan.role(role) for role in PRIMARIES):
        return "no role of the cluster has a primary"
    return ""
