"""Executes a scenario: preflight, load and probes, faults, restoring the cluster, verdicts."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lab.chaos.fault_runner import FaultRunner
from lab.chaos.preflight import preflight
from lab.chaos.record import Record, versions
from lab.chaos.schedule import schedule
from lab.errors import LabError, Locked, SpecError, Unable
from lab.evidence.checks import judged, own_result
from lab.evidence.ledger import Ledger
from lab.evidence.load import Load
from lab.evidence.load_run import Stream
from lab.evidence.own import OwnLedger
from lab.evidence.promises import promise
from lab.evidence.verdicts import RunData
from lab.faults import heal
from lab.faults.kinds import kind
from lab.lifecycle import ready
from lab.lifecycle.lock import held
from lab.lifecycle.status import vip_holders
from lab.lifecycle.up import up
from lab.services.entrances import entrance, named
from lab.services.ledgers import LEDGERS
from lab.services.streams import cluster_probes, page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.chaos.scenario import Scenario
    from lab.chaos.schedule import Planned
    from lab.evidence.writers import Writer
    from lab.lifecycle.prepare import Prepared
    from lab.plan import Host, Plan
    from lab.progress import Report
    from lab.topology import Cluster

SETTLE_SECONDS = 6.0  # observed after the last revert: in this time promises of recovery are judged
HEALTH_SECONDS = 60.0
FIRST_ANSWERS = 10
LEFT_OVER_SECONDS = 600  # the load ends by itself so long after the scenario, also if the lab was killed
PROBES_A_SECOND = 400  # estimate, of a large cluster


@dataclass(frozen=True)
class Stage:
    """Where a scenario runs: topology, backend, the progress report, and `stop`, which ends a run as Ctrl-C does."""

    cluster: Cluster
    backend: Backend
    report: Report
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Own:
    """A ledger of the user's own: its class, and its writes per second."""

    writer: Writer
    rate: float


def run(scenario: Scenario, stage: Stage, seed: int, runs: Path, own: Own | None = None) -> Record:
    """Runs a scenario on the existing cluster, or creates one; returns the record, in a new folder below `runs`.

    `own`: a ledger of the user's own, besides those of the scenario.

    Raises:
        Unable: the backend does not support a fault of it.
        SpecError: the scenario cannot run on this cluster; nothing was changed.
        LabError: the run failed; all faults were reverted.
    """
    try:
        with held(stage.cluster.name, f"lab chaos run {scenario.name}", stage.report, seconds=0):
            prepared = _preflight(scenario, stage)
            host = named(prepared.plan, scenario.site) if scenario.site else None
            planned = schedule(scenario, seed, prepared.plan, stage.backend.clock)
            check_capabilities(stage.backend, planned)
            manifest = _manifest(scenario, planned, stage, prepared.plan)
            record = Record.begin(runs, scenario.name, seed, manifest, _estimated_requests(scenario))
            if not prepared.existing.nodes:
                stage.report.say(f"creating the cluster '{stage.cluster.name}'")
                prepared = up(stage.cluster, stage.backend, stage.report)
            try:
                _execute(record, scenario, stage, prepared.plan, planned, own, host)
            except SpecError:
                record.remove()
                raise
            return record
    except Locked as error:
        raise SpecError(error.what, next_step=error.next_step) from None


def _manifest(scenario: Scenario, planned: Sequence[Planned], stage: Stage, plan: Plan) -> dict[str, Any]:
    """The content of run.json, written before the run: enough to repeat it."""
    return {
        "summary": scenario.summary,
        "scenario": scenario.model_dump(mode="json", by_alias=True, exclude_none=True),
        "schedule": [asdict(step) for step in planned],
        "versions": versions(stage.backend, plan),
    }


def _estimated_requests(scenario: Scenario) -> float:
    """Estimated number of requests, writes and probes of a run."""
    return (scenario.load.rate + sum(scenario.ledger.values()) + PROBES_A_SECOND) * scenario.span


def _preflight(scenario: Scenario, stage: Stage) -> Prepared:
    """The plan, once the cluster is ready for the run and has the roles of all promises.

    Raises:
        SpecError: see `preflight`; or a promise needs a role that the topology lacks.
    """
    for name in scenario.promises:
        promise(name).bound(stage.cluster)
    return preflight(stage.cluster, stage.backend, stage.report)


def check_capabilities(backend: Backend, planned: list[Planned]) -> None:
    """Refuses faults that the backend does not support.

    Raises:
        Unable: carries the reason.
    """
    can = backend.capabilities()
    for step in planned:
        fault = kind(step.kind)(nodes=(step.target,), **step.settings)
        lacking = fault.needs(can)
        if lacking:
            raise Unable(f"skipped: '{fault}' is not supported on {backend.name}: {lacking}")


def _execute(  # noqa: PLR0913, PLR0917  the parts of a run
    record: Record,
    scenario: Scenario,
    stage: Stage,
    plan: Plan,
    planned: list[Planned],
    own: Own | None,
    host: Host | None,
) -> None:
    """Measures while the faults run, restores the cluster, judges the promises, and writes the record."""
    backend, site = stage.backend, stage.cluster.site
    longest = backend.clock.limit(scenario.span) + LEFT_OVER_SECONDS
    probes, load = cluster_probes(backend, plan, site, longest, host), _load(scenario, backend, plan, site, host)
    ledgers: list[Ledger | OwnLedger] = [
        Ledger(backend, [LEDGERS[name](plan, site)], rate, longest) for name, rate in scenario.ledger.items()
    ]
    if own:
        ledgers.insert(0, OwnLedger(backend, own.writer, entrance(backend, plan, scenario.site), own.rate))
    measuring = [probes.load_run, load.load_run, *(one.load_run for one in ledgers)]
    runner = FaultRunner(backend, planned, record.seed, stage.report, stage.stop)
    try:
        with ExitStack() as stack:
            for ledger in ledgers:
                stack.enter_context(ledger)
            stack.enter_context(probes)
            stack.enter_context(load)
            load.more(FIRST_ANSWERS)
            begun = backend.clock.now()
            _run_faults(runner, begun, begun + backend.clock.limit(scenario.span), stage, plan)
            ended = backend.clock.now()
    finally:
        _restore(stage, plan)
    if runner.failed:
        raise runner.failed[0]
    data = RunData(
        plan=plan,
        answers=load.answers,
        rows=probes.rows,
        faults=runner.events,
        judgements={one.service: one for ledger in ledgers for one in ledger.judge()},
        clock=backend.clock,
        begun=begun,
        ended=ended,
        holders=vip_holders(backend, backend.observe()),
        stalls=[stall for one in measuring for stall in one.stalls],
    )
    results = [judged(promise(name), promise(name).bound(stage.cluster), data) for name in scenario.promises]
    results += [own_result(data.judgements[one.name]) for one in ledgers if isinstance(one, OwnLedger)]
    operations = {name: done for ledger in ledgers for name, done in ledger.operations.items()}
    record.keep(data, results, operations, backend, stage.cluster)


def _load(scenario: Scenario, backend: Backend, plan: Plan, site: str, host: Host | None) -> Load:
    load = scenario.load
    rate, longest = backend.clock.rate(load.rate), backend.clock.limit(scenario.span) + LEFT_OVER_SECONDS
    path = load.path if host is None or "path" in load.model_fields_set else page(host)
    url = f"{plan.scheme}://{host.names[0] if host else site}{path}"
    return Load(backend, Stream("load", url, rate, load.http, load.keep), longest)


def _run_faults(runner: FaultRunner, begun: float, ends: float, stage: Stage, plan: Plan) -> None:
    """Runs the faults, waits until all nodes are ready, and observes the cluster for `SETTLE_SECONDS`.

    Raises:
        LabError: the run was ended.
    """
    runner.run(begun)
    if runner.failed:
        return
    if not stage.stop.is_set():
        ready.nodes(stage.backend, [node.name for node in plan.nodes], HEALTH_SECONDS)
        clock = stage.backend.clock
        now = clock.now()
        clock.wait(max(ends, now + clock.limit(SETTLE_SECONDS)) - now, stage.stop)
    if stage.stop.is_set():
        raise LabError("the run was ended before the end of its scenario; its faults are reverted")


def _restore(stage: Stage, plan: Plan) -> None:
    """The last step, also after an error: reverts all faults, and waits until every node is ready.

    A run that `stop` ended does not wait: what ended it does not either.
    """
    backend = stage.backend
    heal(backend)
    if stage.stop.is_set():
        return
    try:
        ready.nodes(backend, [node.name for node in plan.nodes], HEALTH_SECONDS)
        if plan.vip:
            holders = lambda: vip_holders(backend, backend.observe())  # noqa: E731  polled by `until`
            backend.clock.until("one node to hold the VIP", HEALTH_SECONDS, holders, lambda now: len(now) == 1)
    except LabError as error:
        stage.report.say(f"the cluster did not recover: {error.what}")
        raise
