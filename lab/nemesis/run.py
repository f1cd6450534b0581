"""A whole run of the nemesis, admitted like a scenario's, played until a check fails, and kept like a scenario's."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from lab.chaos.preflight import preflight
from lab.chaos.record import Record, versions
from lab.errors import LabError, Locked, SpecError
from lab.faults import heal
from lab.lifecycle.lock import held
from lab.lifecycle.up import up
from lab.nemesis import rounds
from lab.nemesis.keep import NAME, Told, Wanted, kept, told
from lab.nemesis.play import Nemesis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.lifecycle.report import Report
    from lab.nemesis.play import RoundData
    from lab.topology import Cluster, Placement

SUMMARY = "Rounds of faults by chance on three mysql nodes under load; every copy is compared after each."
TOPOLOGY = "stage6"
NODES = 3
ROUND_SECONDS = 10.0
LINES_A_SECOND = 120  # of beats and operations


def run(  # noqa: PLR0913, PLR0917  what a run is of
    wanted: Wanted, cluster: Cluster, backend: Backend, place: Placement, report: Report, runs: Path
) -> Told:
    """Plays rounds on a cluster that is there, or is made.

    Raises:
        SpecError: it can't be played as asked; nothing was touched.
        LabError: something of it failed that is no check's business.
    """
    admit(wanted, cluster)
    try:
        with held(cluster.name, f"lab chaos run {NAME}", report, seconds=0):
            kinds, left_out = rounds.chosen(backend.capabilities(), _topology(cluster), wanted.without)
            prepared = preflight(cluster, backend, report)
            begun_as = {"summary": SUMMARY, "wanted": asdict(wanted), "kinds": kinds, "left_out": left_out}
            begun_as["versions"] = versions(backend, prepared.plan)
            asked = wanted.rounds * ROUND_SECONDS * LINES_A_SECOND
            record = Record.begin(runs, NAME, wanted.seed, begun_as, asked)
            if not prepared.existing.nodes:
                report.say(f"there is no cluster '{cluster.name}': making it")
                prepared = up(cluster, backend, report)
            made = Told(record, wanted, left_out=left_out)
            _played(made, kinds, Nemesis(cluster, backend, place, prepared.plan, report))
            return made
    except Locked as error:
        raise SpecError(error.what, next_step=error.next_step) from None


def admit(wanted: Wanted, cluster: Cluster) -> None:
    """Whether it can be played at all, before any engine is asked.

    Raises:
        SpecError: a kind is none, or the cluster has not three mysql nodes.
    """
    rounds.known(wanted.without)
    if cluster.mysql is None or cluster.mysql.count != NODES:
        next_step = f"take another topology, such as '-f {TOPOLOGY}'"
        raise SpecError(f"the nemesis needs {NODES} mysql nodes", next_step=next_step)


def _topology(cluster: Cluster) -> str:
    return cluster.mysql.topology if cluster.mysql else "replication"


def _played(made: Told, kinds: Sequence[str], nemesis: Nemesis) -> None:
    """All rounds; whatever ends them, what was seen is kept, and nothing of the run's is left on."""
    seen: list[RoundData] = []
    begun = time.time()
    try:
        with nemesis:
            for number in range(made.wanted.first, made.wanted.first + made.wanted.rounds):
                one = rounds.drawn(made.wanted.seed, number, kinds)
                seen.append(nemesis.round(one))
                made.played.append(seen[-1].played)
                told(made, seen[-1], nemesis.report)
                if seen[-1].played.failures:
                    if not made.wanted.go_on:
                        break
                    nemesis.mend()
    finally:
        try:
            heal(nemesis.backend)
        except LabError as error:
            nemesis.report.say(f"the cluster is not whole again: {error.what}")
        kept(made, seen, nemesis, begun)
