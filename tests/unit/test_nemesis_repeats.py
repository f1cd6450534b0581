"""A round of the nemesis that a stall hides is unknown: counted apart, and played again three times at most."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from lab.backends.memory import MemoryBackend
from lab.chaos.record import Record
from lab.clock import EMULATED
from lab.errors import NotReady, SpecError
from lab.evidence.verdicts import PromiseVerdict
from lab.nemesis.context import RoundContext
from lab.nemesis.figures import Played
from lab.nemesis.judging import FailedCheck
from lab.nemesis.keep import NemesisOptions, NemesisResult
from lab.nemesis.load import STREAMS
from lab.nemesis.play import Nemesis, RoundData
from lab.nemesis.rounds import drawn
from lab.nemesis.run import _execute, admit
from lab.plan import plan
from lab.topology import Placement, parse
from lab.topology.loading import find, load
from tests.unit.backends import Heard
from tests.unit.run_data import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.nemesis.load import NemesisLoad
    from lab.nemesis.rounds import NemesisRound

HIDDEN = "no write succeeded for 12.0 s with a connected majority; the machine was stalled for 2.50 of 12.00 s"
GOOD, UNKNOWN, FAILED = "", HIDDEN, "no write succeeded for 12.0 s"


class Scripted(Nemesis):
    """A nemesis whose rounds end as a test says.

    Attributes:
        ends: of the next rounds, `GOOD` for all further ones.
        drawn: the rounds that it played.
    """

    ends: Sequence[str] = ()

    def set_up(self) -> None:
        self.drawn: list[NemesisRound] = []

    def play_faults(self, at: RoundContext, one: NemesisRound, load: NemesisLoad) -> tuple[list[FailedCheck], str]:
        """The part of a round with its faults."""
        return self._done(at, one, load)

    def round(self, one: NemesisRound) -> RoundData:
        end = self.ends[len(self.drawn)] if len(self.drawn) < len(self.ends) else GOOD
        self.drawn.append(one)
        failures = (FailedCheck("writes", FAILED),) if end == FAILED else ()
        unknown = HIDDEN if end == UNKNOWN else ""
        outage = 12.0 if end else 3.0
        played = Played(one.number, one.kind, str(one), 8.0, outage, 100, failures, unknown=unknown)
        return RoundData(played, {name: [] for name in STREAMS}, [], [], [], [])


@pytest.fixture
def nemesis(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setattr("lab.nemesis.play.skew", lambda _: 0.0)
    cluster = load(find("stage6"), network="10.90.0.0/24")
    backend, planned = MemoryBackend(cluster.name), plan(cluster, "debian")
    for node in planned.nodes:
        backend.create(planned, node, {})
        backend.start(node.name)
    return Scripted(cluster, backend, Placement(), planned, Heard(), primary="mysql1")


def _ran(nemesis: Scripted, folder: Path, ends: Sequence[str], rounds: int = 2) -> NemesisResult:
    nemesis.ends = ends
    record = Record.begin(folder, "mysql-nemesis", 7, {"summary": "rounds", "versions": VERSIONS}, 10)
    result = NemesisResult(record, NemesisOptions(7, rounds))
    _execute(result, ["kill", "pause"], nemesis)
    return result


def _verdicts(result: NemesisResult) -> dict[str, PromiseVerdict]:
    return {one.promise.removeprefix("nemesis-"): one.result for one in result.record.results}


def test_a_topology_without_a_balancer_is_refused() -> None:
    """The bound has the balancer's checks, and without one a client reaches one node alone."""
    with pytest.raises(SpecError, match="needs a tcp-lb"):
        admit(NemesisOptions(7), parse("mysql: {count: 3}\n"))
    admit(NemesisOptions(7), parse("mysql: {count: 3}\ntcp-lb: {count: 1}\n"))


def test_an_unknown_round_is_played_again_with_the_same_faults(nemesis: Scripted, tmp_path: Path) -> None:
    result = _ran(nemesis, tmp_path, [UNKNOWN, UNKNOWN, GOOD, GOOD])
    first, second = (drawn(7, number, ["kill", "pause"]) for number in (1, 2))
    assert nemesis.drawn == [first, first, first, second]
    assert (result.holds, result.failed, result.undecided) == (True, [], [])
    assert set(_verdicts(result).values()) == {PromiseVerdict.HOLDS}
    lines = nemesis.report.lines  # type: ignore[attr-defined]  # of `Heard`
    assert sum(f"unknown: {HIDDEN}" in line for line in lines) == 2
    assert lines.count("round 1 is played again: it is unknown") == 2
    assert sum(line.endswith("; good") for line in lines) == 2
    kept = json.loads((result.record.folder / "results.json").read_text(encoding="utf-8"))
    everything = kept["rounds"][-1]
    assert (everything["rounds"], everything["failed"], everything["unknown"], everything["most"]) == (4, 0, 2, 3.0)
    assert kept["unknown"] == []


def test_a_round_that_stays_unknown_neither_holds_nor_fails(nemesis: Scripted, tmp_path: Path) -> None:
    result = _ran(nemesis, tmp_path, [UNKNOWN, UNKNOWN, UNKNOWN, GOOD])
    assert [one.number for one in nemesis.drawn] == [1, 1, 1, 2], "three times at most, and the run goes on"
    assert (result.holds, result.failed, [one.number for one in result.undecided]) == (False, [], [1])
    results = _verdicts(result)
    assert (results.pop("writes"), set(results.values())) == (PromiseVerdict.UNKNOWN, {PromiseVerdict.HOLDS})
    page = (result.record.folder / "report.html").read_text(encoding="utf-8")
    for part in ("1 rounds, 0 failed; 1 unknown; the first, 1", f"is unknown: {HIDDEN}", "--first 1 --rounds 1"):
        assert part in page


def test_a_round_that_fails_when_it_is_played_again_fails(nemesis: Scripted, tmp_path: Path) -> None:
    result = _ran(nemesis, tmp_path, [UNKNOWN, FAILED, GOOD])
    assert [one.number for one in nemesis.drawn] == [1, 1]
    assert (result.holds, len(result.failed)) == (False, 1)
    assert _verdicts(result)["writes"] is PromiseVerdict.BROKEN


def test_a_good_round_and_one_on_emulated_processors_are_played_once(nemesis: Scripted, tmp_path: Path) -> None:
    assert _ran(nemesis, tmp_path / "good", []).holds
    assert [one.number for one in nemesis.drawn] == [1, 2]
    nemesis.backend.clock = EMULATED
    assert not _ran(nemesis, tmp_path / "emulated", [UNKNOWN, UNKNOWN]).holds
    assert [one.number for one in nemesis.drawn] == [1, 2]


@pytest.mark.parametrize("signal", [SystemExit(143), KeyboardInterrupt()])
def test_a_signal_ends_the_run_though_a_fault_can_not_be_reverted(
    nemesis: Scripted, monkeypatch: pytest.MonkeyPatch, signal: BaseException
) -> None:
    """The error of the revert took its place, and the next rounds were played."""

    def interrupted(*_: object) -> None:
        try:
            raise signal
        finally:
            raise NotReady("mysql1 is not ready")

    monkeypatch.setattr("lab.nemesis.play.play", interrupted)
    load = cast("NemesisLoad", SimpleNamespace(taken=lambda _: None))
    at = RoundContext(nemesis.cluster, nemesis.backend, nemesis.place, ["mysql1", "mysql2", "mysql3"])
    with pytest.raises(type(signal)):
        nemesis.play_faults(at, drawn(7, 1, ["kill"]), load)


def test_a_node_that_is_late_when_its_fault_is_reverted_again_fails_the_round(
    nemesis: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reverting it again waits for the node again: that ended the run."""
    why = "mysql3 is not ready after 119 s: a replica that is not fresh yet"

    def late(*_: object) -> None:
        raise NotReady(why)

    monkeypatch.setattr("lab.nemesis.play.play", late)
    monkeypatch.setattr("lab.nemesis.play.heal", late)
    load = cast("NemesisLoad", SimpleNamespace(taken=lambda _: None))
    at = RoundContext(nemesis.cluster, nemesis.backend, nemesis.place, ["mysql1", "mysql2", "mysql3"])
    failures, skipped = nemesis.play_faults(at, drawn(7, 1, ["kill"]), load)
    assert failures == [FailedCheck("whole", why)]
    assert not skipped
