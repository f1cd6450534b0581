"""One run of a scenario: a whole cluster, load and probes, the faults, everything mended, the verdicts."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab.chaos.admission import admitted
from lab.chaos.life import Lives
from lab.chaos.record import Record, versions
from lab.chaos.schedule import schedule
from lab.errors import LabError, Locked, SpecError, Unable
from lab.evidence.asking import Stream
from lab.evidence.checks import judged
from lab.evidence.ledger import Ledger
from lab.evidence.load import Load
from lab.evidence.promises import promise
from lab.evidence.verdicts import RunData
from lab.faults import heal
from lab.faults.kinds import kind
from lab.lifecycle import ready
from lab.lifecycle.lock import held
from lab.lifecycle.status import vip_holders
from lab.lifecycle.up import up
from lab.services.ledgers import LEDGERS
from lab.services.streams import cluster_probes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.chaos.scenario import Scenario
    from lab.chaos.schedule import Planned
    from lab.lifecycle.prepare import Prepared
    from lab.plan import Plan
    from lab.progress import Report
    from lab.topology import Cluster

SETTLE_SECONDS = 6.0  # watched after the last mending: promises of a return are judged in this time
HEALTH_SECONDS = 60.0
FIRST_ANSWERS = 10
LEFT_OVER_SECONDS = 600  # after the scenario's own time: a lab that was killed leaves a load that ends by itself
PROBES_A_SECOND = 400  # of a large cluster


@dataclass(frozen=True)
class Stage:
    """Where scenarios are played: a topology on a backend, and who hears how far it is."""

    cluster: Cluster
    backend: Backend
    report: Report


def run(scenario: Scenario, stage: Stage, seed: int, runs: Path) -> Record:
    """Plays a scenario on a cluster that is there, or is made; keeps all of it in a folder of its own.

    Raises:
        Unable: the backend can't do what it needs.
        SpecError: it can't be played as asked; the cluster is as it was.
        LabError: something of it failed; what was broken is mended again.
    """
    try:
        with held(stage.cluster.name, f"lab chaos run {scenario.name}", stage.report, seconds=0):
            prepared = _admitted(scenario, stage)
            planned = schedule(scenario, seed, prepared.plan, stage.backend.clock)
            _able(stage.backend, planned)
            told = _told(scenario, planned, stage, prepared.plan)
            record = Record.begin(runs, scenario.name, seed, told, _asked(scenario))
            if not prepared.existing.nodes:
                stage.report.say(f"there is no cluster '{stage.cluster.name}': making it")
                prepared = up(stage.cluster, stage.backend, stage.report)
            _played(record, scenario, stage, prepared.plan, planned)
            return record
    except Locked as error:
        raise SpecError(error.what, next_step=error.next_step) from None


def _told(scenario: Scenario, planned: Sequence[Planned], stage: Stage, plan: Plan) -> dict[str, Any]:
    """What is written down before anything is done: with it, the run can be played again."""
    return {
        "summary": scenario.summary,
        "scenario": scenario.model_dump(mode="json", by_alias=True, exclude_none=True),
        "schedule": [asdict(step) for step in planned],
        "versions": versions(stage.backend, plan),
    }


def _asked(scenario: Scenario) -> float:
    """How many questions a run has, about."""
    return (scenario.load.rate + sum(scenario.ledger.values()) + PROBES_A_SECOND) * scenario.span


def _admitted(scenario: Scenario, stage: Stage) -> Prepared:
    """The cluster that is there, as its topology says and nothing wrong with it; or none, where one can be made.

    Raises:
        SpecError: it is there and is not so.
    """
    for name in scenario.promises:
        promise(name).bound(stage.cluster)
    return admitted(stage.cluster, stage.backend, stage.report)


def _able(backend: Backend, planned: list[Planned]) -> None:
    """Whether the backend can do all of it.

    Raises:
        Unable: says what it lacks.
    """
    can = backend.capabilities()
    for step in planned:
        made = kind(step.kind)(nodes=(step.target,), **step.settings)
        lacking = made.needs(can)
        if lacking:
            raise Unable(f"skipped: '{made}' can't be done on {backend.name}: {lacking}")


def _played(record: Record, scenario: Scenario, stage: Stage, plan: Plan, planned: list[Planned]) -> None:
    """Everything that is measured, around everything that is broken; then the verdicts."""
    backend, site = stage.backend, stage.cluster.site
    longest = backend.clock.limit(scenario.span) + LEFT_OVER_SECONDS
    probes, load = cluster_probes(backend, plan, site, longest), _load(scenario, backend, plan, site)
    ledgers = [Ledger(backend, [LEDGERS[name](plan, site)], rate, longest) for name, rate in scenario.ledger.items()]
    measuring = [probes.asking, load.asking, *(one.asking for one in ledgers)]
    lives = Lives(backend, planned, record.seed, stage.report)
    try:
        with ExitStack() as stack:
            stack.enter_context(probes)
            stack.enter_context(load)
            for ledger in ledgers:
                stack.enter_context(ledger)
            load.more(FIRST_ANSWERS)
            begun = time.time()
            _lived(lives, begun, begun + backend.clock.limit(scenario.span), backend, plan)
            ended = time.time()
    finally:
        _mended(stage, plan)
    if lives.failed:
        raise lives.failed[0]
    seen = RunData(
        plan=plan,
        answers=load.answers,
        rows=probes.rows,
        faults=lives.happened,
        judgements={one.service: one for ledger in ledgers for one in ledger.judge()},
        clock=backend.clock,
        begun=begun,
        ended=ended,
        holders=vip_holders(backend, backend.observe()),
        stalls=[stall for asking in measuring for stall in asking.stalls],
    )
    results = [judged(promise(name), promise(name).bound(stage.cluster), seen) for name in scenario.promises]
    operations = {name: done for ledger in ledgers for name, done in ledger.operations.items()}
    record.keep(seen, results, operations, backend, stage.cluster)


def _load(scenario: Scenario, backend: Backend, plan: Plan, site: str) -> Load:
    wanted = scenario.load
    rate, longest = backend.clock.rate(wanted.rate), backend.clock.limit(scenario.span) + LEFT_OVER_SECONDS
    return Load(
        backend, Stream("load", f"{plan.scheme}://{site}{wanted.path}", rate, wanted.http, wanted.keep), longest
    )


def _lived(lives: Lives, begun: float, ends: float, backend: Backend, plan: Plan) -> None:
    """The faults, and then a while in which the cluster is seen whole."""
    lives.live(begun)
    if lives.failed:
        return
    ready.nodes(backend, [node.name for node in plan.nodes], HEALTH_SECONDS)
    settled = time.time() + backend.clock.limit(SETTLE_SECONDS)
    threading.Event().wait(max(ends, settled) - time.time())


def _mended(stage: Stage, plan: Plan) -> None:
    """The last step, whatever went before: nothing of the run's is on, and every node is ready."""
    backend = stage.backend
    heal(backend)
    try:
        ready.nodes(backend, [node.name for node in plan.nodes], HEALTH_SECONDS)
        if plan.vip:
            look = lambda: vip_holders(backend, backend.observe())  # noqa: E731  a question for `until`
            backend.clock.until("one node to hold the VIP", HEALTH_SECONDS, look, lambda found: len(found) == 1)
    except LabError as error:
        stage.report.say(f"the cluster is not whole again: {error.what}")
        raise
