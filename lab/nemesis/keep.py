"""What is told and kept of a run of the nemesis: a line a round, and a folder like that of every other run."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lab.evidence.probes import MYSQL
from lab.evidence.verdicts import PromiseResult, PromiseVerdict, RunData
from lab.nemesis import figures
from lab.nemesis.judging import CHECKS
from lab.nemesis.load import BEAT, READ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.chaos.record import Record
    from lab.evidence.verdicts import FaultEvent
    from lab.lifecycle.report import Report
    from lab.nemesis.figures import Played
    from lab.nemesis.play import Nemesis, RoundData

NAME = "mysql-nemesis"
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


def told(made: Told, seen: RoundData, report: Report) -> None:
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


def kept(made: Told, seen: Sequence[RoundData], nemesis: Nemesis, begun: float) -> None:
    """What other runs have, and the table of rounds by kind."""
    happened: list[FaultEvent] = [fault for one in seen for fault in one.happened]
    rows = {
        MYSQL: [row for one in seen for row in one.beats[BEAT]],
        READS: [row for one in seen for row in one.beats[READ]],
    }
    stalls = [stall for one in seen for stall in one.stalls]
    run_ = RunData(nemesis.plan, [], rows, happened, {}, nemesis.backend.clock, begun, time.time(), stalls=stalls)
    operations = {"nemesis": [operation for one in seen for operation in one.operations]}
    made.record.keep(run_, verdicts(made.played), operations, nemesis.backend, nemesis.cluster, results(made))


def results(made: Told) -> dict[str, Any]:
    """What results.json has beside what it has of every run."""
    return {
        "rounds": [asdict(one) for one in figures.by_kind(made.played)],
        "left_out": made.left_out,
        "failed": [asdict(one) | {"again": made.again(one)} for one in made.failed],
    }


def verdicts(played: Sequence[Played]) -> list[PromiseResult]:
    """Each check as a promise: it holds when it was tested in some round, and failed in none."""
    tested = [one for one in played if not one.skipped]
    found = []
    for check, says in CHECKS.items():
        failed = [(one, failure) for one in played for failure in one.failures if failure.check == check]
        result = PromiseVerdict.BROKEN if failed else PromiseVerdict.HOLDS if tested else PromiseVerdict.UNKNOWN
        figure = f"{len(tested)} rounds, {len({one.number for one, _ in failed})} failed"
        if failed:
            figure += f"; the first, {failed[0][0].number}: {failed[0][1].why}"
        ids = tuple(one for _, failure in failed for one in failure.ids)
        found.append(PromiseResult(f"nemesis-{check}", result, figure, says=says, event="after each round", ids=ids))
    return found
