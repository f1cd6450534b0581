"""A whole run of the nemesis, admitted like a scenario's, played until a check fails, and kept like a scenario's."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from lab.chaos.record import Record, versions
from lab.errors import Locked, SpecError
from lab.evidence.probes import MYSQL
from lab.evidence.verdicts import Judged, Result
from lab.evidence.verdicts import Seen as Run
from lab.faults import heal, present
from lab.lifecycle.lock import held
from lab.lifecycle.prepare import prepare
from lab.lifecycle.up import up
from lab.nemesis import figures, rounds
from lab.nemesis.judging import CHECKS
from lab.nemesis.load import BEAT, READ
from lab.nemesis.play import Nemesis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.evidence.verdicts import Happened
    from lab.lifecycle.prepare import Prepared
    from lab.lifecycle.report import Report
    from lab.nemesis.figures import Played
    from lab.nemesis.play import Seen
    from lab.spec import Cluster, Placement

NAME = "mysql-nemesis"
SUMMARY = "Rounds of faults by chance on three mysql nodes under load; every copy is compared after each."
TOPOLOGY = "stage6"
NODES = 3
ROUND_SECONDS = 10.0
LINES_A_SECOND = 120  # of beats and operations
ROUNDS_FILE = "rounds.jsonl"
READS = "mysql-read-3306"


@dataclass(frozen=True)
class Wanted:
    """What is to be played.

    Attributes:
        first: the number of the first round.
        without: kinds that are left out.
        go_on: whether failed rounds are counted instead of ending the run.
    """

    seed: int
    rounds: int = 25
    first: int = 1
    without: Sequence[str] = ()
    go_on: bool = False


@dataclass
class Told:
    """A run that is over.

    Attributes:
        left_out: the kinds that were not played, with the reason.
    """

    record: Record
    wanted: Wanted
    played: list[Played] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[Played]:
        """The rounds in which a check failed."""
        return [one for one in self.played if one.failures]

    @property
    def holds(self) -> bool:
        """Whether all rounds were played, and no check failed."""
        return len(self.played) == self.wanted.rounds and not self.failed

    def again(self, one: Played) -> str:
        """The command that plays a round again."""
        left_out = "".join(f" --without {kind}" for kind in self.wanted.without)
        return f"lab chaos run {NAME} --seed {self.wanted.seed} --first {one.number} --rounds 1{left_out}"


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
            prepared = _admitted(cluster, backend, report)
            told = {"summary": SUMMARY, "wanted": asdict(wanted), "kinds": kinds, "left_out": left_out}
            told["versions"] = versions(backend, prepared.plan)
            asked = wanted.rounds * ROUND_SECONDS * LINES_A_SECOND
            record = Record.begin(runs, NAME, wanted.seed, told, asked)
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


def _admitted(cluster: Cluster, backend: Backend, report: Report) -> Prepared:
    """The cluster that is there, as its topology says; or none, where one can be made.

    Raises:
        SpecError: it is there and is not so, or a fault is on.
    """
    left = present(backend)
    if left:
        raise SpecError(f"'{left[0].fault}' is on already", next_step="'lab heal' takes it back")
    prepared = prepare(cluster, backend, report)
    if prepared.existing.nodes and prepared.changes:
        first = prepared.changes[0]
        raise SpecError(
            f"'{cluster.name}' is not as its topology says: {first.kind.value} {first.node} ({first.why})",
            next_step="'lab up' makes it so; --name plays it on a cluster of its own",
        )
    return prepared


def _played(made: Told, kinds: Sequence[str], nemesis: Nemesis) -> None:
    """All rounds; whatever ends them, what was seen is kept, and nothing of the run's is left on."""
    seen: list[Seen] = []
    begun = time.time()
    try:
        with nemesis:
            for number in range(made.wanted.first, made.wanted.first + made.wanted.rounds):
                one = rounds.drawn(made.wanted.seed, number, kinds)
                seen.append(nemesis.round(one))
                made.played.append(seen[-1].played)
                _told(made, seen[-1], nemesis.report)
                if seen[-1].played.failures:
                    if not made.wanted.go_on:
                        break
                    nemesis.mend()
    finally:
        try:
            heal(nemesis.backend)
        finally:
            _kept(made, seen, nemesis, begun)


def _told(made: Told, seen: Seen, report: Report) -> None:
    """A round in one line, and in the run's folder, as soon as it is over."""
    played = seen.played
    outage = "none" if played.outage is None else f"{played.outage:.1f} s"
    verdict = f"skipped: {played.skipped}" if played.skipped else "good"
    if played.failures:
        verdict = "; ".join(f"{one.check}: {one.why}" for one in played.failures)
    report.say(f"round {played.number}: {played.did}; no writes: {outage}; {played.seconds:.1f} s; {verdict}")
    line = json.dumps(asdict(played) | {"notes": list(seen.notes)})
    path = made.record.folder / ROUNDS_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    made.record.write(ROUNDS_FILE, f"{before}{line}\n")


def _kept(made: Told, seen: Sequence[Seen], nemesis: Nemesis, begun: float) -> None:
    """What other runs have, and the table of rounds by kind."""
    happened: list[Happened] = [fault for one in seen for fault in one.happened]
    rows = {
        MYSQL: [row for one in seen for row in one.beats[BEAT]],
        READS: [row for one in seen for row in one.beats[READ]],
    }
    stalls = [stall for one in seen for stall in one.stalls]
    run_ = Run(nemesis.plan, [], rows, happened, {}, nemesis.backend.clock, begun, time.time(), stalls=stalls)
    operations = {"nemesis": [operation for one in seen for operation in one.operations]}
    extra = {
        "rounds": [asdict(one) for one in figures.by_kind(made.played)],
        "left_out": made.left_out,
        "failed": [asdict(one) | {"again": made.again(one)} for one in made.failed],
    }
    made.record.keep(run_, verdicts(made.played), operations, nemesis.backend, nemesis.cluster, extra)


def verdicts(played: Sequence[Played]) -> list[Judged]:
    """Each check as a promise: it holds when it was tested in some round, and failed in none."""
    tested = [one for one in played if not one.skipped]
    found = []
    for check, says in CHECKS.items():
        failed = [(one, failure) for one in played for failure in one.failures if failure.check == check]
        result = Result.BROKEN if failed else Result.HOLDS if tested else Result.UNKNOWN
        figure = f"{len(tested)} rounds, {len({one.number for one, _ in failed})} failed"
        if failed:
            figure += f"; the first, {failed[0][0].number}: {failed[0][1].why}"
        ids = tuple(one for _, failure in failed for one in failure.ids)
        found.append(Judged(f"nemesis-{check}", result, figure, says=says, event="after each round", ids=ids))
    return found
