"""A run of the nemesis: preflight and record as of a scenario, rounds until a check fails."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lab.chaos.preflight import preflight
from lab.chaos.record import Record, versions
from lab.errors import LabError, Locked, SpecError
from lab.evidence.delays import rounds_at_most
from lab.faults import heal
from lab.lifecycle.lock import held
from lab.lifecycle.up import up
from lab.nemesis import rounds
from lab.nemesis.keep import NAME, NemesisOptions, NemesisResult, record_round, record_run
from lab.nemesis.play import Nemesis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.nemesis.play import RoundData
    from lab.nemesis.rounds import NemesisRound
    from lab.progress import Report
    from lab.topology import Cluster, Placement

SUMMARY = "Rounds of random faults on three mysql nodes under load; all copies are compared after each."
TOPOLOGY = "stage6"
NODES = 3
ROUND_SECONDS = 10.0
LINES_A_SECOND = 120  # estimate, of the counter and the operations


def run(  # noqa: PLR0913, PLR0917  a run's parts
    options: NemesisOptions, cluster: Cluster, backend: Backend, place: Placement, report: Report, runs: Path
) -> NemesisResult:
    """Runs rounds on the existing cluster, or creates one.

    Raises:
        SpecError: the nemesis cannot run on this cluster; nothing was changed.
        LabError: an error other than a failed check.
    """
    admit(options, cluster)
    try:
        with held(cluster.name, f"lab chaos run {NAME}", report, seconds=0):
            kinds, left_out = rounds.chosen(backend.capabilities(), _topology(cluster), options.without, options.also)
            prepared = preflight(cluster, backend, report)
            manifest = {"summary": SUMMARY, "wanted": asdict(options), "kinds": kinds, "left_out": left_out}
            manifest["versions"] = versions(backend, prepared.plan)
            requests = options.rounds * ROUND_SECONDS * LINES_A_SECOND
            record = Record.begin(runs, NAME, options.seed, manifest, requests)
            if not prepared.existing.nodes:
                report.say(f"creating the cluster '{cluster.name}'")
                prepared = up(cluster, backend, report)
            result = NemesisResult(record, options, left_out=left_out)
            _execute(result, kinds, Nemesis(cluster, backend, place, prepared.plan, report))
            return result
    except Locked as error:
        raise SpecError(error.what, next_step=error.next_step) from None


def admit(options: NemesisOptions, cluster: Cluster) -> None:
    """Refuses options and topologies that the nemesis cannot run on; needs no engine.

    Raises:
        SpecError: an unknown kind, another number of mysql nodes than three, or no tcp-lb.
    """
    rounds.refuse_unknown((*options.without, *options.also))
    if cluster.mysql is None or cluster.mysql.count != NODES:
        next_step = f"use another topology, such as '-f {TOPOLOGY}'"
        raise SpecError(f"the nemesis needs {NODES} mysql nodes", next_step=next_step)
    if cluster.tcp_lb is None:
        raise SpecError("the nemesis needs a tcp-lb", next_step=f"use another topology, such as '-f {TOPOLOGY}'")


def _topology(cluster: Cluster) -> str:
    return cluster.mysql.topology if cluster.mysql else "replication"


def _execute(result: NemesisResult, kinds: Sequence[str], nemesis: Nemesis) -> None:
    """Runs all rounds; at the end, also after an error, reverts all faults and writes the record."""
    records: list[RoundData] = []
    begun = nemesis.backend.clock.now()
    try:
        with nemesis:
            for number in range(result.options.first, result.options.first + result.options.rounds):
                records += _played(result, rounds.drawn(result.options.seed, number, kinds), nemesis)
                if records[-1].played.failures:
                    if not result.options.go_on:
                        break
                    nemesis.mend()
    finally:
        try:
            heal(nemesis.backend)
        except LabError as error:
            nemesis.report.say(f"the cluster did not recover: {error.what}")
        record_run(result, records, nemesis, begun)


def _played(result: NemesisResult, one: NemesisRound, nemesis: Nemesis) -> list[RoundData]:
    """Plays a round and records it; again, while a stall hides whether an outage was too long."""
    records: list[RoundData] = []
    for number in range(rounds_at_most(nemesis.backend.clock)):
        if number:
            nemesis.report.say(f"round {one.number} is played again: it is unknown")
        records.append(nemesis.round(one))
        result.played.append(records[-1].played)
        record_round(result, records[-1], nemesis)
        if not records[-1].played.unknown:
            break
    return records
