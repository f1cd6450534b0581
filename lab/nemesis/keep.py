"""Output and record of a run of the nemesis: one line per round, and a folder as of every run."""

from __future__ import annotations

import json
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
    from lab.nemesis.figures import Played
    from lab.nemesis.play import Nemesis, RoundData

NAME = "mysql-nemesis"
ROUNDS_FILE = "rounds.jsonl"
READS = "mysql-read-3306"


@dataclass(frozen=True)
class NemesisOptions:
    """Options of a run.

    Attributes:
        first: number of the first round.
        without: excluded kinds.
        also: kinds that are excluded with Galera, and played all the same.
        go_on: whether the run continues after a failed round.
    """

    seed: int
    rounds: int = 25
    first: int = 1
    without: Sequence[str] = ()
    also: Sequence[str] = ()
    go_on: bool = False


@dataclass
class NemesisResult:
    """Result of a run.

    Attributes:
        left_out: reasons by excluded kind.
    """

    record: Record
    options: NemesisOptions
    played: list[Played] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[Played]:
        """Rounds with a failed check."""
        return [one for one in self.played if one.failures]

    @property
    def undecided(self) -> list[Played]:
        """Rounds that are unknown, also when they were played for the last time."""
        return undecided(self.played)

    @property
    def holds(self) -> bool:
        """Whether all rounds ran, no check failed, and none is unknown."""
        ran = len({one.number for one in self.played})
        return ran == self.options.rounds and not self.failed and not self.undecided

    def again(self, one: Played) -> str:
        """The command that repeats a round."""
        kinds = "".join(f" --without {kind}" for kind in self.options.without)
        kinds += "".join(f" --also {kind}" for kind in self.options.also)
        return f"lab chaos run {NAME} --seed {self.options.seed} --first {one.number} --rounds 1{kinds}"


def undecided(played: Sequence[Played]) -> list[Played]:
    """The last play of each round, where that is unknown."""
    return [one for one in {one.number: one for one in played}.values() if one.unknown]


def record_round(result: NemesisResult, data: RoundData, nemesis: Nemesis) -> None:
    """Prints a round in one line, and appends it to the record; of a failed one the record has the nodes' logs, too."""
    played = data.played
    outage = "none" if played.outage is None else f"{played.outage:.1f} s"
    if played.outage and played.connected is not None and played.connected < played.outage:
        outage += f", {played.connected:.1f} s in a row of it with a connected majority"
    verdict = f"skipped: {played.skipped}" if played.skipped else "good"
    if played.unknown:
        verdict = f"unknown: {played.unknown}"
    if played.failures:
        verdict = "; ".join(f"{one.check}: {one.why}" for one in played.failures)
    nemesis.report.say(f"round {played.number}: {played.did}; no writes: {outage}; {played.seconds:.1f} s; {verdict}")
    line = json.dumps(asdict(played) | {"notes": list(data.notes)})
    path = result.record.folder / ROUNDS_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    result.record.write(ROUNDS_FILE, f"{before}{line}\n")
    if played.failures:  # engines keep the last lines of a log only
        result.record.keep_logs(nemesis.plan, nemesis.backend, f"logs/round-{played.number}")


def record_run(result: NemesisResult, rounds: Sequence[RoundData], nemesis: Nemesis, begun: float) -> None:
    """Writes the files of every run, and the statistics by kind."""
    happened: list[FaultEvent] = [fault for one in rounds for fault in one.happened]
    rows = {
        MYSQL: [row for one in rounds for row in one.beats[BEAT]],
        READS: [row for one in rounds for row in one.beats[READ]],
    }
    stalls = [stall for one in rounds for stall in one.stalls]
    data = RunData(
        nemesis.plan, [], rows, happened, {}, nemesis.backend.clock, begun, nemesis.backend.clock.now(), stalls=stalls
    )
    operations = {"nemesis": [operation for one in rounds for operation in one.operations]}
    result.record.keep(data, verdicts(result.played), operations, nemesis.backend, nemesis.cluster, results(result))


def results(result: NemesisResult) -> dict[str, Any]:
    """Further keys of results.json."""
    return {
        "rounds": [asdict(one) for one in figures.by_kind(result.played)],
        "left_out": result.left_out,
        "failed": [asdict(one) | {"again": result.again(one)} for one in result.failed],
        "unknown": [asdict(one) | {"again": result.again(one)} for one in result.undecided],
    }


def verdicts(played: Sequence[Played]) -> list[PromiseResult]:
    """Each check as a promise: it holds if a round tested it, and none failed it or left it unknown."""
    outcomes = []
    for check, says in CHECKS.items():
        hidden = undecided(played) if check == "writes" else []
        tested = [one for one in played if not one.skipped and not (check == "writes" and one.unknown)]
        failed = [(one, failure) for one in played for failure in one.failures if failure.check == check]
        holds = tested and not hidden
        result = PromiseVerdict.BROKEN if failed else PromiseVerdict.HOLDS if holds else PromiseVerdict.UNKNOWN
        figure = f"{len(tested)} rounds, {len({one.number for one, _ in failed})} failed"
        if failed:
            figure += f"; the first, {failed[0][0].number}: {failed[0][1].why}"
        if hidden:
            figure += f"; {len(hidden)} unknown; the first, {hidden[0].number}: {hidden[0].unknown}"
        ids = tuple(one for _, failure in failed for one in failure.ids)
        outcomes.append(PromiseResult(f"nemesis-{check}", result, figure, says=says, event="after each round", ids=ids))
    return outcomes
