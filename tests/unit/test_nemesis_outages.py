"""Outages of a round: the times without a majority, which recovery is not part of, and the bound of the others."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED, REAL
from lab.errors import NotReady
from lab.evidence.delays import Delays
from lab.evidence.probes import Span
from lab.evidence.promises import promise
from lab.evidence.stalls import Stall
from lab.evidence.verdicts import EMULATED_SECONDS, FaultEvent
from lab.faults import Kill
from lab.nemesis import bounds, judging, rounds
from lab.nemesis.bounds import PRIMARY_SECONDS, PROMISE, START_SECONDS, removal, with_longer_patience, writes_bound
from lab.nemesis.context import RoundContext
from lab.nemesis.load import NemesisLoad
from lab.nemesis.majority import helpless
from lab.nemesis.play import Nemesis
from lab.nemesis.rounds import KINDS, drawn
from lab.plan import plan
from lab.progress import Silent
from lab.topology import Placement, parse
from lab.topology.loading import find, load
from tests.unit.conftest import FULL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.nemesis.judging import FailedCheck

NAMES = ("mysql1", "mysql2", "mysql3")
MY_CNF = Path(__file__).parents[2] / "images/mysql/rootfs/etc/lab/my.cnf.j2"
QUIET = Delays((), REAL)


def _fault(  # noqa: PLR0913, PLR0917  its times
    kind: str, nodes: Sequence[str], begun: float, mending: float, restored: float, mended: float = 0.0
) -> FaultEvent:
    return FaultEvent(kind, kind, tuple(nodes), begun, begun, mending, mended or restored, restored)


def _judged(topology: str, kind: str, happened: Sequence[FaultEvent], outage: Span) -> list[FailedCheck]:
    """The failed checks of a round with one outage of writes, of a machine that never stalled."""
    cluster = load(find(topology), network="10.90.0.0/24")
    nemesis = Nemesis(cluster, MemoryBackend("x"), Placement(), plan(cluster, "debian"), Silent())
    writers = NemesisLoad(nemesis.backend, nemesis.plan, 1, 0.0, largest=False)
    return nemesis.judged_outages(drawn(1, 1, [kind]), [outage], happened, writers)[0]


def test_an_outage_is_too_long_where_a_majority_is_and_nobody_stood_still() -> None:
    outage = Span(100, 112)
    good: tuple[list[FailedCheck], str] = ([], "")
    (failure,), excuse = judging.written([outage], [], 10, QUIET)
    assert (failure.check, excuse) == ("writes", "")
    assert failure.why == "no write succeeded for 12.0 s with a connected majority, 10.00 s is allowed"
    assert judging.written([outage], [], 12, QUIET) == good
    assert judging.written([outage], [Span(99, 103)], 10, QUIET) == good, "no majority was there until 103"
    assert judging.written([outage], [Span(99, 101)], 10, QUIET)[0]
    assert judging.written([outage], [Span(113, 120)], 10, QUIET)[0], "that was later"


def test_an_outage_that_is_too_long_only_by_a_stall_is_no_failure_and_not_good() -> None:
    outage = Span(100, 112)
    failures, excuse = judging.written([outage], [], 10, Delays([Stall("client", 103, 105.5)], REAL))
    assert failures == []
    assert excuse.endswith("connected majority, 10.00 s is allowed; the machine was stalled for 2.50 of 12.00 s")
    for stalls in ([Stall("client", 103, 104.5)], [Stall("client", 90, 99)], [Stall("client", 112, 119)]):
        assert judging.written([outage], [], 10, Delays(stalls, REAL))[0], "the stall is too short, or elsewhere"
    without = Span(99, 101)
    early = Delays([Stall("client", 100, 101)], REAL)
    assert judging.written([outage], [without], 10, early)[0], "it stalled while there was no majority"
    both = judging.written([outage, Span(200, 220)], [], 10, Delays([Stall("client", 103, 105.5)], REAL))
    assert [failure.check for failure in both[0]] == ["writes"], "another outage is too long without a stall"
    assert both[1]


def test_the_bound_of_a_round_with_one_fault_is_the_promise_with_its_longest_patience() -> None:
    for topology in ("stage6", "galera"):
        cluster = load(find(topology))
        declared = promise(PROMISE)
        one, longer = declared.bound(cluster), declared.bound(with_longer_patience(cluster))
        assert one
        assert longer
        assert one < longer
        covered = set(rounds.FAILS_OVER) - {rounds.LONGER_PATIENCE}
        assert {writes_bound(kind, cluster, []) for kind in covered} == {one}
        assert writes_bound(rounds.LONGER_PATIENCE, cluster, []) == longer
        several = set(KINDS) - set(rounds.FAILS_OVER)
        assert {writes_bound(kind, cluster, []) for kind in several} == {PRIMARY_SECONDS}
        assert several >= {"two", "power-loss", "cut-all", "kill-in-promotion"}
    slow = load(find("stage6"), mysql={"count": 3, "patience": 9})
    assert writes_bound("two", slow, []) == writes_bound("kill", slow, []) > PRIMARY_SECONDS


def test_a_bound_is_never_stretched_for_slow_nodes() -> None:
    """There a figure up to the tolerance above it is unknown."""
    nemesis = Nemesis(load(find("stage6")), MemoryBackend("x"), Placement(), plan(parse(FULL), "debian"), Silent())
    nemesis.backend.clock = EMULATED
    writers = NemesisLoad(nemesis.backend, nemesis.plan, 1, 0.0, largest=False)
    one = drawn(1, 1, ["kill"])
    bound = writes_bound("kill", nemesis.cluster, []) + EMULATED.limit(0.05)
    tolerance = EMULATED.limit(EMULATED_SECONDS)
    for seconds, failed, unknown in ((bound, 0, 0), (bound + 1, 0, 1), (bound + tolerance + 1, 1, 0)):
        failures, excuse = nemesis.judged_outages(one, [Span(0.0, seconds)], [], writers)
        assert (len(failures), bool(excuse)) == (failed, bool(unknown)), seconds


def test_the_time_without_a_majority_ends_when_nodes_run_again_and_not_when_they_are_ready() -> None:
    """An election after a loss of power is what the round measures."""
    lost = _fault("kill", NAMES, 5, 10, 11, mended=60)
    (without,) = helpless([lost], 3)
    assert without == Span(5, 11 + START_SECONDS)
    (failure,) = _judged("stage6", "power-loss", [lost], Span(5, 60))
    assert failure.check == "writes"
    assert failure.why.startswith(f"no write succeeded for {60 - 11 - START_SECONDS:.1f} s with a connected majority")
    enough = 11 + START_SECONDS + PRIMARY_SECONDS
    assert _judged("stage6", "power-loss", [lost], Span(5, enough)) == []
    assert _judged("stage6", "power-loss", [lost], Span(5, enough + 0.1))


@pytest.mark.parametrize(
    ("happened", "without"),
    [
        ([_fault("kill", ["mysql1"], 1, 5, 6, 60)], []),
        ([_fault("pause", ["mysql1"], 1, 5, 6), _fault("hang", ["mysql2"], 2, 4, 4.5)], [Span(2, 4.5)]),
        ([_fault("cut", NAMES, 1, 5, 6)], [Span(1, 6)]),
        ([_fault("kill", ["mysql1"], 1, 20, 21, 30), _fault("kill", ["mysql2"], 4, 9, 10, 19)],
         [Span(4, 10 + START_SECONDS)]),
        ([_fault("crash", ["mysql1"], 1, 1, 1), _fault("pause", ["mysql2"], 2, 9, 9)], [Span(2, 1 + START_SECONDS)]),
        ([_fault("pause", ["mysql1"], 1, 9, 9), _fault("cut", ["mysql2"], 2, 3, 3), _fault("cut", ["mysql3"], 5, 6, 6)],
         [Span(2, 3), Span(5, 6)]),
        ([_fault("up", NAMES, 1, 50, 50), _fault("switchover", NAMES, 1, 50, 50)], []),
    ],
    ids=["one", "overlap", "all", "the second returns first", "crash", "twice", "actions"],
)  # fmt: skip
def test_a_majority_is_missing_while_faults_of_two_nodes_overlap(
    happened: list[FaultEvent], without: list[Span]
) -> None:
    assert helpless(happened, 3) == without


def test_a_node_counts_again_from_its_start_and_not_from_its_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = load(find("stage6"), network="10.90.0.0/24")
    backend, planned = MemoryBackend(cluster.name), plan(cluster, "debian")
    for node in planned.nodes:
        backend.create(planned, node, {})
        backend.start(node.name)
    backend.answers["ping"] = (1, "")
    awaited: list[tuple[float, bool]] = []

    def never_ready(*_: object) -> None:
        awaited.append((time.time(), backend.done.count("start mysql1") == 2))
        raise NotReady("mysql1 is not ready")

    monkeypatch.setattr("lab.faults.power._await_ready", never_ready)
    context = RoundContext(cluster, backend, Placement(), NAMES)
    with pytest.raises(NotReady, match="mysql1 is not ready"), context.broken(Kill(("mysql1",))):
        pass
    (event,) = context.happened
    assert event.restored
    assert awaited[0][1], "the node runs when it is awaited"
    assert event.bitten <= event.mending <= event.restored <= awaited[0][0] <= event.mended


def test_an_outage_is_measured_anew_after_each_time_without_a_majority() -> None:
    outage, between = Span(100, 130), [Span(103, 105), Span(118, 120)]
    assert [part.seconds for part in judging.connected([outage], between)] == [3, 13, 10]
    assert judging.written([outage], between, 13, QUIET)[0] == []
    assert len(judging.written([outage], between, 12, QUIET)[0]) == 1, "that between the two counts too"
    assert judging.connected([Span(0, 9)], [Span(20, 30)]) == [Span(0, 9)]


FORMULA, REQUIREMENT = 4.15, PRIMARY_SECONDS


@pytest.mark.parametrize("kind", bounds.SILENCES)
def test_with_galera_a_fault_that_ends_amid_the_removal_of_its_node_has_the_requirement(kind: str) -> None:
    """It costs a second change of the views, which no formula has; all other rounds have the formula."""
    galera = load(find("galera"))
    assert galera.mysql
    first, last = removal(galera.mysql.patience)
    assert (first, last) == (1.5, 3.25)
    for seconds, bound in (
        (first - 0.01, FORMULA),
        (first, REQUIREMENT),
        (last, REQUIREMENT),
        (last + 0.01, FORMULA),
    ):
        one = _fault("pause", ["mysql1"], 0, seconds, seconds)
        assert writes_bound(kind, galera, [one]) == pytest.approx(bound), seconds
        assert writes_bound(kind, load(find("stage6")), [one]) == pytest.approx(7.3), "replication has no views"
        assert writes_bound("keeper-hangs", galera, [one]) == pytest.approx(FORMULA), "Galera does not notice it"
        assert writes_bound("kill", galera, [one]) == pytest.approx(FORMULA), "its node does not go on as before"


def test_with_galera_the_bound_follows_what_a_fault_may_have_lasted() -> None:
    """It takes effect between its injection and its verification, and ends between the revert's start and end."""
    galera = load(find("galera"))
    first, last = removal(2.0)
    short = FaultEvent("hang", "hang", NAMES[:1], 0, 1, first, 30, first - 0.01)
    assert writes_bound("hang", galera, [short]) == pytest.approx(FORMULA)
    maybe = FaultEvent("hang", "hang", NAMES[:1], 0, 1, first - 0.2, 30, first)
    assert writes_bound("hang", galera, [maybe]) == pytest.approx(REQUIREMENT)
    maybe = FaultEvent("hang", "hang", NAMES[:1], 0, 1, last + 1, 30, last + 2)
    assert writes_bound("hang", galera, [maybe]) == pytest.approx(REQUIREMENT)
    long = FaultEvent("hang", "hang", NAMES[:1], 0, 1, last + 1.01, 30, last + 2)
    assert writes_bound("hang", galera, [long]) == pytest.approx(FORMULA)
    assert _judged("galera", "hang", [maybe], Span(2, 9)) == []
    assert _judged("galera", "hang", [long], Span(2, 9))


def test_the_timers_of_galera_are_those_of_its_configuration() -> None:
    """`join_retrans_period` is Galera's own value there."""
    text = MY_CNF.read_text(encoding="utf-8")
    timers = dict(re.findall(r"evs\.(\w+)=PT([\d.]+)S", text))
    assert float(timers["keepalive_period"]) == bounds.KEEPALIVE_SECONDS
    assert float(timers["inactive_check_period"]) == bounds.CHECK_SECONDS
    assert "evs.suspect_timeout=PT{{ options.patience }}S" in text
    assert "join_retrans_period" not in text
