"""The nemesis' pure parts: rounds follow from a seed, each check finds what it is for, figures are what they say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.chaos.record import Record
from lab.errors import SpecError
from lab.evidence.ledger import Operation, Outcome
from lab.evidence.load_run import Row
from lab.evidence.verdicts import PromiseVerdict
from lab.nemesis import figures, judging, rounds, statements
from lab.nemesis.copies import reading
from lab.nemesis.figures import Played
from lab.nemesis.judging import FailedCheck, NodeCopy
from lab.nemesis.keep import NemesisOptions, NemesisResult, record_round, results, verdicts
from lab.nemesis.play import Nemesis, RoundData
from lab.nemesis.rounds import KINDS, PRIMARY, chosen, drawn
from lab.plan import plan
from lab.progress import Silent
from lab.topology import Placement, parse
from tests.unit.command import lab
from tests.unit.conftest import FULL
from tests.unit.run_data import VERSIONS, happened, seen

if TYPE_CHECKING:
    from pathlib import Path

ALL = list(KINDS)
HERE = Capabilities("memory", frozenset({"nf_tables"}), sized_volumes=True)
NODES = ("mysql1", "mysql2", "mysql3")

SEEDS = st.integers(0, 10**9)
NUMBERS = st.integers(1, 2000)


@given(SEEDS, NUMBERS, st.sets(st.sampled_from(ALL), min_size=1))
def test_the_same_seed_and_number_give_the_same_round(seed: int, number: int, kinds: set[str]) -> None:
    one = drawn(seed, number, sorted(kinds))
    assert one == drawn(seed, number, sorted(kinds, reverse=True)), "in whatever order the kinds are given"
    assert one.kind in kinds
    assert rounds.SHORTEST <= one.seconds <= rounds.LONGEST
    assert all(act.place in (0, 1, 2) for act in one.acts)
    assert (one.kind in rounds.SINGLE) == (len(one.acts) == 1)
    assert str(one).startswith(one.kind)


@given(SEEDS)
def test_every_kind_comes_once_in_as_many_rounds_as_there_are_kinds(seed: int) -> None:
    for turn in (0, 1, 7):
        first = turn * len(ALL) + 1
        assert Counter(drawn(seed, first + place, ALL).kind for place in range(len(ALL))) == Counter(ALL)


def test_other_seeds_and_numbers_give_other_rounds() -> None:
    assert len({drawn(seed, 1, ALL) for seed in range(100)}) > 50
    kills = [drawn(1, number, ["kill"]).acts[0].place for number in range(1, 201)]
    assert 60 < kills.count(PRIMARY) < 140, "the primary in about half of them"
    assert set(kills) == {0, 1, 2}


def test_two_faults_are_on_two_nodes() -> None:
    for number in range(1, 200):
        first, second = drawn(5, number, ["two"]).acts
        assert first.place != second.place


def test_a_replica_that_is_cloned_hangs_in_each_way() -> None:
    drawn_acts = [drawn(5, number, ["pause-in-clone"]).acts for number in range(1, 100)]
    assert all(clone.kind == "clone" and clone.place == fault.place != PRIMARY for clone, fault in drawn_acts)
    assert {fault.kind for _, fault in drawn_acts} == set(rounds.IN_CLONE)


def test_what_can_not_be_done_is_left_out_by_name_with_the_reason() -> None:
    kinds, left_out = chosen(HERE, "replication", ["fill"])
    assert set(kinds) | set(left_out) == set(KINDS)
    assert "share this machine's clock" in left_out["clock"]
    assert left_out["fill"] == "excluded by --without"
    assert "no size of their own" in chosen(replace(HERE, sized_volumes=False), "replication", [])[1]["fill"]
    assert chosen(replace(HERE, own_clocks=True), "replication", [])[1] == {}
    assert set(chosen(HERE, "galera", [])[1]) == {"clock", *rounds.GALERA_EXCEPT}
    assert set(chosen(HERE, "galera", [], list(rounds.GALERA_EXCEPT))[1]) == {"clock"}
    assert "two" in chosen(HERE, "galera", ["two"], ["two"])[1], "who excludes a kind has the last word"
    bare, _ = chosen(Capabilities("bare"), "replication", [])
    assert not [kind for kind in bare if "cut" in kind]
    assert not {"two", "pause-in-clone"} & set(bare), "they draw a cut"
    with pytest.raises(SpecError, match="no kind 'kil'"):
        chosen(HERE, "replication", ["kil"])
    with pytest.raises(SpecError, match="no kind of round is left"):
        chosen(HERE, "replication", ALL)


def _operation(name: str, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Operation:
    return Operation(name, 1.0, 1.1, outcome)


GOOD = NodeCopy(
    {"ledger": ["a", "b"]},
    {"ledger": "7 123 456"},
    {"ledger": "9 124 789"},
    {"nemesis.ledger": "shape 55"},
    statements.TOTAL,
)
WROTE = {
    "ledger": [
        _operation("a"),
        _operation("b", Outcome.UNKNOWN),
        _operation("c", Outcome.UNKNOWN),
        _operation("d", Outcome.FAILED),
    ]
}


def _copies(**other: NodeCopy) -> dict[str, NodeCopy]:
    return {node: other.get(node, GOOD) for node in NODES}


def test_good_copies_fail_no_check() -> None:
    assert judging.acknowledged(WROTE, _copies()) == [], "what nobody knows of may be there, or not"
    assert judging.sealed({"ledger": "7 123 456"}, _copies()) == []
    assert judging.equal(_copies()) == []
    assert judging.summed(statements.TOTAL, _copies(), [_read(1, str(statements.TOTAL))]) == []


@pytest.mark.parametrize(
    ("there", "said", "ids"),
    [
        (["b"], "1 of 1 acknowledged are missing in ledger of mysql2", ("a",)),
        (["a", "b", "b"], "1 are duplicated", ("b",)),
        (["a", "a", "b"], "1 are duplicated", ("a",)),
        (["a", "b", "d"], "1 were refused and are present", ("d",)),
        (["a", "b", "z"], "1 were written by no client", ("z",)),
    ],
)
def test_a_row_that_is_lost_or_twice_on_one_node_is_found(there: list[str], said: str, ids: tuple[str, ...]) -> None:
    (failure,) = judging.acknowledged(WROTE, _copies(mysql2=replace(GOOD, ids={"ledger": there})))
    assert failure.check == "kept"
    assert said in failure.why
    assert failure.ids == ids


def test_a_table_that_could_not_be_read_has_lost_everything() -> None:
    assert judging.acknowledged(WROTE, _copies(mysql3=replace(GOOD, ids={})))[0].ids == ("a",)


def test_what_earlier_rounds_left_may_not_change() -> None:
    (failure,) = judging.sealed({"ledger": "7 123 456"}, _copies(mysql1=replace(GOOD, earlier={"ledger": "6 1 2"})))
    assert "ledger of mysql1 are 6 1 2, and were 7 123 456" in failure.why
    assert judging.sealed({"ledger": "7 123 456"}, _copies(mysql1=replace(GOOD, earlier={})))


@pytest.mark.parametrize("tables", [{"nemesis.ledger": "shape 56"}, {"nemesis.ledger": "other 55"}, {}])
def test_a_table_that_differs_on_one_node_is_found(tables: dict[str, str]) -> None:
    (failure,) = judging.equal(_copies(mysql3=replace(GOOD, tables=tables)))
    assert failure.check == "equal"
    assert "nemesis.ledger differs" in failure.why


def test_a_sum_that_changed_is_found_on_a_node_and_in_a_read() -> None:
    (failure,) = judging.summed(statements.TOTAL, _copies(mysql1=replace(GOOD, total=9999)), [])
    assert failure.why == "the accounts of mysql1 have 9999, not 10000"
    (failure,) = judging.summed(statements.TOTAL, _copies(), [_read(1, "9998"), _read(2, "10000")])
    assert failure.why == "1 reads returned a wrong sum, the first '9998', not 10000"
    assert judging.summed(statements.TOTAL, {}, [_read(1, "", status=0)]) == [], "a read that failed shows nothing"


def _read(due: float, value: str, *, seconds: float = 0.01, status: int = 200) -> Row:
    return Row(0, due, seconds, status, value, "")


def _beat(due: float, value: int, *, seconds: float = 0.01, status: int = 200) -> tuple[int, Row]:
    return value, Row(0, due, seconds, status, "", "")


def test_reads_that_go_forward_are_good() -> None:
    beats = [_beat(1, 10), _beat(2, 11), _beat(3, 12, seconds=5), _beat(4, 13, status=0)]
    reads = [_read(1.5, "10"), _read(2.5, "11"), _read(3.5, "12"), _read(3.6, "12"), _read(5, "", status=0)]
    assert judging.forward(9, beats, reads) == []
    assert judging.forward(0, [_beat(1, 10, seconds=1)], [_read(1.5, "9")]) == [], "the write was still on its way"
    together = [_read(1, "7", seconds=1), _read(1.5, "6", seconds=1)]
    assert judging.forward(0, [], together) == [], "neither read had ended when the other began"


@pytest.mark.parametrize(
    ("floor", "beats", "reads"),
    [
        (0, [], [_read(1, "7"), _read(2, "6")]),
        (0, [_beat(1, 8)], [_read(2, "7")]),
        (9, [], [_read(1, "8")]),
        (9, [], [_read(1, "")]),
    ],
    ids=["after another read", "after an acknowledged write", "after a round before", "no row at all"],
)
def test_a_read_that_goes_back_is_found(floor: int, beats: list[tuple[int, Row]], reads: list[Row]) -> None:
    (failure,) = judging.forward(floor, beats, reads)
    assert failure.check == "reads"
    assert f"1 of {len(reads)} reads went back" in failure.why


def test_a_row_that_was_shown_and_is_gone_is_found_on_its_node() -> None:
    reads = [_read(1, ""), _read(2, "a"), _read(3, "b", status=0), _read(4, "b")]
    assert judging.shown(reads[:3], _copies(mysql2=replace(GOOD, ids={"ledger": ["a"]}))) == []
    (failure,) = judging.shown(reads, _copies(mysql2=replace(GOOD, ids={"ledger": ["a"]})))
    assert (failure.check, failure.ids) == ("shown", ("b",))
    assert "ledger of mysql2" in failure.why


def test_a_nodes_answer_is_read_line_by_line() -> None:
    lines = [
        ["position", "0-1-5"],
        ["waiting", "1", "INSERT"],
        ["id", "ledger", "a"],
        ["earlier", "ledger", "7", "1", "2"],
        ["now", "ledger", "8", "3", "4"],
        ["sum", "10000"],
        ["shape", "nemesis.ledger", "d1"],
        ["shape", "nemesis.ledger", "d2"],
        ["nemesis.ledger", "55"],
        ["position", "0-1-5"],
    ]
    found = reading({"mysql1": lines, "mysql2": lines})
    copy = found.copies["mysql1"]
    assert (copy.ids["ledger"], copy.earlier["ledger"], copy.now["ledger"]) == (["a"], "7 1 2", "8 3 4")
    assert (copy.tables, copy.total) == ({"nemesis.ledger": "d1 d2 55"}, 10000)
    assert found.together
    assert found.waiting["mysql2"] == "1, such as INSERT"
    apart = [["position", "0-1-6"], *lines[1:]]
    assert not reading({"mysql1": lines, "mysql2": apart}).together, "it moved while it was read"


def _played(number: int, kind: str, outage: float | None, *failed: str, skipped: str = "", unknown: str = "") -> Played:
    failures = tuple(FailedCheck(check, f"{check} in {number}", ("x",)) for check in failed)
    return Played(number, kind, f"{kind} mysql1", 8.0, outage, 100, failures, skipped, unknown)


def test_figures_by_kind_and_of_all() -> None:
    played = [_played(1, "kill", 3.0), _played(2, "kill", 2.0, "kept"), _played(3, "kill", None, skipped="no")]
    played += [_played(4, "kill", 9.0), _played(5, "pause", None)]
    kill, pause, everything = figures.by_kind(played)
    assert (kill.kind, kill.rounds, kill.failed, kill.skipped, kill.outages) == ("kill", 4, 1, 1, 3)
    assert (kill.least, kill.median, kill.most) == (2.0, 3.0, 9.0)
    assert (pause.outages, pause.least, pause.median, pause.most) == (0, None, None, None)
    assert (everything.kind, everything.rounds) == ("all", 5)
    assert figures.by_kind([]) == []
    hidden = figures.by_kind([_played(1, "kill", 3.0), _played(2, "kill", 19.0, unknown="stalled")])[0]
    assert (hidden.rounds, hidden.failed, hidden.unknown, hidden.outages, hidden.most) == (2, 0, 1, 1, 3.0)


def test_each_check_is_a_verdict_that_holds_only_when_it_was_tested() -> None:
    found = {one.promise: one for one in verdicts([_played(1, "kill", 3.0), _played(2, "pause", 1.0, "kept")])}
    assert set(found) == {f"nemesis-{check}" for check in judging.CHECKS}
    assert found["nemesis-kept"].result is PromiseVerdict.BROKEN
    assert "the first, 2: kept in 2" in found["nemesis-kept"].figure
    assert found["nemesis-kept"].ids == ("x",)
    assert found["nemesis-sum"].result is PromiseVerdict.HOLDS
    assert {one.result for one in verdicts([])} == {PromiseVerdict.UNKNOWN}
    assert {one.result for one in verdicts([_played(1, "kill", None, skipped="no")])} == {PromiseVerdict.UNKNOWN}


def test_a_failed_round_leaves_the_logs_of_its_nodes(tmp_path: Path) -> None:
    """At the end of a run the engine may not have them any more."""
    cluster = parse(FULL)
    backend, made = MemoryBackend(cluster.name), plan(cluster, "debian")
    backend.done.append("killed web1")
    nemesis = Nemesis(cluster, backend, Placement(), made, Silent())
    result = NemesisResult(Record.begin(tmp_path, "mysql-nemesis", 7, {}, 10), NemesisOptions(7))
    for number, failed in ((1, ()), (2, ("kept",))):
        record_round(result, RoundData(_played(number, "kill", 3.0, *failed), {}, [], [], [], []), nemesis)
    logs = result.record.folder / "logs"
    assert [folder.name for folder in logs.iterdir()] == ["round-2"]
    assert (logs / "round-2" / "web1.log").read_text(encoding="utf-8") == "killed web1\n"
    assert len(list((logs / "round-2").iterdir())) == len(made.nodes)


def test_every_writer_has_ids_of_its_own_and_the_sum_is_moved_only() -> None:
    made = statements.sessions(3)
    assert len([one for one in made if one.table == "ledger"]) == 8, "six writers, and two of transfers"
    assert {one.table for one in made} == {*statements.LEDGERS, ""}
    for one in made:
        texts = [text for turn in one.statements for text in turn]
        assert not one.table or all(f"'3-{one.name}-{{n}}'" in turn[0] for turn in one.statements), texts
    assert NemesisOptions(1).rounds == 25


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mysql-nemesis", "--without", "kil", "-f", "stage6"], "no kind 'kil'"),
        (["mysql-nemesis", "--also", "kil", "-f", "galera"], "no kind 'kil'"),
        (["mysql-nemesis", "-f", "stage1"], "needs 3 mysql nodes"),
        (["mysql-nemesis", "--rounds", "0"], "--rounds"),
        (["web-node-dies", "--rounds", "3"], "--rounds is an option of 'mysql-nemesis'"),
        (["web-node-dies", "--go-on"], "--go-on is an option of 'mysql-nemesis'"),
    ],
)
def test_what_can_not_be_played_is_one_screen(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = lab("chaos", "run", *arguments, "--runs", str(tmp_path / "runs"), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_table_of_rounds_is_in_the_results_and_in_the_report(tmp_path: Path) -> None:
    told = {"summary": "rounds", "versions": VERSIONS}
    record = Record.begin(tmp_path, "mysql-nemesis", 7, told, 10)
    played = [_played(1, "kill", 3.25), _played(2, "pause", None, "kept")]
    made = NemesisResult(record, NemesisOptions(7, 2, without=("fill",), also=("two",)), played, {"clock": "no clocks"})
    again = "lab chaos run mysql-nemesis --seed 7 --first 2 --rounds 1 --without fill --also two"
    assert (made.again(played[1]), made.holds, made.failed) == (again, False, [played[1]])
    run = seen({}, [happened("kill", "web1")])
    record.keep(run, verdicts(played), {}, MemoryBackend("golden"), parse(FULL), results(made))
    kept = json.loads((record.folder / "results.json").read_text(encoding="utf-8"))
    assert [one["kind"] for one in kept["rounds"]] == ["kill", "pause", "all"]
    assert kept["failed"][0]["again"] == again
    page = (record.folder / "report.html").read_text(encoding="utf-8")
    for shown in ('<table id="rounds">', "3.25 s", "kept: kept in 2", again, "Left out: clock (no clocks)"):
        assert shown in page
