"""Each check of a promise on runs that hold, that break it, and that show nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.errors import SpecError
from lab.evidence.checks import BREAKS, CHECKS, judged
from lab.evidence.ledger import Judgement, Verdict
from lab.evidence.load import Answer
from lab.evidence.promises import promise, promises
from lab.evidence.stalls import Stall
from lab.evidence.verdicts import PromiseResult, PromiseVerdict, Timed
from lab.topology import parse
from tests.unit.conftest import FULL, WHOLE
from tests.unit.run_data import BEGUN, happened, load, rows, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.load_run import Row
    from lab.evidence.verdicts import RunData

WEB = "web1={} web2=1 web3=1 "


def _judged(name: str, run: RunData) -> PromiseResult:
    """The result; a broken promise has one of the causes of its check, and no other one has any."""
    found = judged(promise(name), promise(name).bound(parse(FULL)), run)
    good = found.result in (PromiseVerdict.HOLDS, PromiseVerdict.UNKNOWN)
    assert found.broken_by in ({""} if good else BREAKS[promise(name).declared.check]), found
    return found


def _dead(begin: float, end: float) -> Callable[[float], str | None]:
    return lambda at: None if begin <= at < end else "ok"


def _pool(out: float, back: float) -> list[Row]:
    return rows(lambda at: WEB.format(0 if out <= at < back else 1))


def _web(out: float, back: float = 13.0, *, died: float = 5.1) -> RunData:
    probed = {"web1": rows(_dead(died, 12.4)), "http-lb1": _pool(out, back), "http-lb2": _pool(out, back)}
    return seen(probed, [happened("kill", "web1")])


def test_formulas_have_the_topologys_figures() -> None:
    whole = parse(WHOLE)
    bounds = {name: one.bound(whole) for name, one in promises().items()}
    # A good check, then three (two) that run into their timeout, a fastinter apart.
    assert bounds["web-node-leaves"] == pytest.approx(0.5 + 3 * 0.5 + 2 * 0.1)
    assert bounds["http-lb-leaves"] == pytest.approx(0.5 + 2 * 0.5 + 0.1)
    # A second until the kernel finds the address again, then two good checks.
    assert bounds["web-node-returns"] == bounds["http-lb-returns"] == pytest.approx(1 + 2 * 0.1)
    # RFC 5798, 6.1: 3 × 0.2 + (256 - 199) / 256 × 0.2
    assert bounds["vip-moves"] == pytest.approx(0.645, abs=0.001)
    assert bounds["cluster-heals"] is None
    slower = parse(FULL.replace("tcp-lb: {count: 2}", "tcp-lb: {count: 2, advert-int: 1}"))
    assert promise("vip-moves").bound(slower) == pytest.approx(3.223, abs=0.001)


def test_a_promise_of_a_role_that_is_not_there_is_explained() -> None:
    with pytest.raises(SpecError, match="which the topology lacks"):
        promise("vip-moves").bound(parse("web:\n"))
    with pytest.raises(SpecError) as caught:
        promise("web-node-dyes")
    assert "did you mean 'web-node-dies'?" in str(caught.value)


def test_every_promise_has_a_check() -> None:
    assert {one.declared.check for one in promises().values()} == set(CHECKS) == set(BREAKS)


def test_out_of_the_pool_in_time_late_and_never() -> None:
    good = _judged("web-node-leaves", _web(out=6.5))
    assert good.result is PromiseVerdict.HOLDS
    assert good.seconds == pytest.approx(1.4, abs=0.06)
    assert good.allowed == pytest.approx(2.2 + 0.05)
    assert _judged("web-node-leaves", _web(out=10.5)).result is PromiseVerdict.BROKEN
    assert _judged("web-node-leaves", _web(out=99)).result is PromiseVerdict.BROKEN


def test_out_of_the_pool_is_unknown_where_nothing_died() -> None:
    assert _judged("web-node-leaves", seen({})).result is PromiseVerdict.UNKNOWN
    assert _judged("web-node-leaves", _web(out=6.5, died=99)).result is PromiseVerdict.UNKNOWN


@pytest.mark.parametrize(("out", "result"), [(6.0, PromiseVerdict.HOLDS), (99, PromiseVerdict.UNKNOWN)])
def test_a_fault_shorter_than_the_bound_shows_only_what_was_seen_in_it(out: float, result: PromiseVerdict) -> None:
    probed = {"web1": rows(_dead(5.1, 6.6)), "http-lb1": _pool(out, 13.0)}
    assert _judged("web-node-leaves", seen(probed, [happened("freeze", "web1", mending=6.5)])).result is result


def test_a_run_that_ended_before_the_bound_shows_no_return() -> None:
    probed = {"web1": rows(_dead(5.1, 12.4), 13), "http-lb1": _pool(6.5, 99)[:260]}
    assert (
        _judged("web-node-returns", seen(probed, [happened("kill", "web1")], seconds=13)).result
        is PromiseVerdict.UNKNOWN
    )


def test_what_was_not_seen_is_excused_only_where_the_machine_stood_still_for_long() -> None:
    probed = {"web1": rows(_dead(5.1, 12.4)), "http-lb1": []}
    fault = [happened("kill", "web1")]
    quiet = [Stall("this machine", BEGUN + 5 + number, BEGUN + 5.02 + number) for number in range(4)]
    busy = [Stall("client", BEGUN + 4 + number, BEGUN + 4.3 + number) for number in range(4)]
    later = [Stall("client", BEGUN + 15 + number, BEGUN + 15.9 + number) for number in range(4)]
    for stalls, excused in (([], False), (quiet, False), (busy, True), (later, False)):
        found = _judged("web-node-leaves", seen(probed, fault, stalls=stalls))
        assert (found.result, found.excused) == (PromiseVerdict.UNKNOWN, excused), found.figure
        assert ("was stalled" in found.figure) is excused


def test_back_in_the_pool() -> None:
    good = _judged("web-node-returns", _web(out=6.5, back=13.0))
    assert good.result is PromiseVerdict.HOLDS
    assert good.seconds == pytest.approx(0.6, abs=0.06)
    assert _judged("web-node-returns", _web(out=6.5, back=19.5)).result is PromiseVerdict.BROKEN
    assert _judged("web-node-returns", _web(out=6.5, back=99)).result is PromiseVerdict.BROKEN


def test_a_balancer_that_was_broken_itself_is_no_witness() -> None:
    probed = {"web1": rows(_dead(5.1, 12.4)), "http-lb1": _pool(6.5, 13.0), "http-lb2": _pool(6.5, 19.5)}
    both = [happened("kill", "web1"), happened("cut", "http-lb2", 11, 14)]
    found = _judged("web-node-returns", seen(probed, both))
    assert (found.result, found.figure) == (PromiseVerdict.HOLDS, "0.60 s")


def test_no_failed_request() -> None:
    fault = [happened("kill", "web1")]
    assert _judged("web-node-dies", seen({}, fault)).result is PromiseVerdict.HOLDS
    broken = _judged("web-node-dies", seen({}, fault, load(lambda at: 5.2 < at < 5.3)))
    assert broken.result is PromiseVerdict.BROKEN
    assert broken.figure.startswith("4 of 1000")
    assert _judged("web-node-dies", seen({}, fault, load(rate=1))).result is PromiseVerdict.UNKNOWN
    assert _judged("web-node-dies", seen({}, [happened("kill", "http-lb1")])).result is PromiseVerdict.UNKNOWN


def test_only_what_was_in_flight() -> None:
    probed = {"http-lb1": rows(_dead(5.1, 12.4))}
    fault = [happened("kill", "http-lb1")]
    assert _judged("http-lb-dies", seen(probed, fault, load(lambda at: 5.0 < at < 5.4))).result is PromiseVerdict.HOLDS
    assert _judged("http-lb-dies", seen(probed, fault, load(lambda at: 14 < at < 14.2))).result is PromiseVerdict.BROKEN
    assert _judged("http-lb-dies", seen({}, fault)).result is PromiseVerdict.UNKNOWN


def _vip(moved: float, until: float = 99.0) -> list[Row]:
    def value(at: float) -> str | None:
        if at < 5.1:
            return "tcp-lb1"
        return None if at < moved else "tcp-lb2" if at < until else "tcp-lb1"

    return rows(value)


def test_the_vip_moves() -> None:
    fault, dead = [happened("kill", "tcp-lb1")], rows(_dead(5.1, 12.4))
    good = _judged("vip-moves", seen({"vip": _vip(5.7), "tcp-lb1": dead}, fault))
    assert good.result is PromiseVerdict.HOLDS
    assert good.seconds == pytest.approx(0.6, abs=0.06)
    assert _judged("vip-moves", seen({"vip": _vip(11), "tcp-lb1": dead}, fault)).result is PromiseVerdict.BROKEN
    other = [happened("kill", "tcp-lb2")]
    assert _judged("vip-moves", seen({"vip": _vip(5.7), "tcp-lb2": dead}, other)).result is PromiseVerdict.UNKNOWN
    frozen = [happened("freeze", "tcp-lb1")]
    assert _judged("vip-moves", seen({"vip": _vip(5.7), "tcp-lb1": dead}, frozen)).result is PromiseVerdict.UNKNOWN


def _failed_once(at: float, died: float) -> Callable[[float], str | None]:
    """One answer is missing, then the node is unreachable."""
    return lambda now: None if at <= now < at + 0.05 or died <= now < 12.4 else "ok"


def test_one_answer_that_is_missing_before_a_fault_takes_effect_is_no_effect() -> None:
    """Injecting takes seconds on a busy machine, where a probe may fail as well."""
    cut = [happened("cut", "tcp-lb1", at=1.0)]
    moved = seen({"vip": _vip(5.7), "tcp-lb1": rows(_failed_once(2.0, died=5.1))}, cut)
    assert _judged("vip-moves", moved).seconds == pytest.approx(0.6, abs=0.06)
    late = seen({"vip": _vip(6.7), "tcp-lb1": rows(_failed_once(2.0, died=5.1))}, cut)
    assert _judged("vip-moves", late).result is PromiseVerdict.BROKEN
    probed = {"web1": rows(_failed_once(2.0, died=5.1)), "http-lb1": _pool(6.5, 13.0), "http-lb2": _pool(6.5, 13.0)}
    gone = _judged("web-node-leaves", seen(probed, [happened("cut", "web1", at=1.0)]))
    assert gone.seconds == pytest.approx(1.4, abs=0.06)


def test_a_node_lives_until_its_last_answer_came() -> None:
    """Answers of a tenth of a second: the probes that were sent while the last one was on its way fail as well."""
    slow = [replace(row, seconds=0.1) if row.status == 200 else row for row in rows(_dead(5.1, 12.4))]
    run = seen({"vip": _vip(5.7), "tcp-lb1": slow}, [happened("kill", "tcp-lb1")])
    assert _judged("vip-moves", run).seconds == pytest.approx(0.55, abs=0.01)


def test_what_broke_a_promise_is_one_cause() -> None:
    """What was not seen at all is mended differently from what came late."""
    fault, dead = [happened("kill", "tcp-lb1")], rows(_dead(5.1, 12.4))
    held = seen({"vip": rows(_dead(5.1, 12.4)), "tcp-lb1": dead}, fault)
    moved = {
        at: _judged("vip-moves", seen({"vip": _vip(at), "tcp-lb1": dead}, fault)).broken_by for at in (5.7, 11, 99)
    }
    assert moved == {5.7: "", 11: "above-bound", 99: "never"}
    assert _judged("vip-moves", held).result is PromiseVerdict.UNKNOWN, "who held it is not known"
    assert [_judged("web-node-leaves", _web(out=at)).broken_by for at in (5.5, 9.5, 99)] == ["", "above-bound", "never"]
    back = [happened("pause", "tcp-lb1", 5, 8)]
    late = seen({"vip": _vip(5.7, until=15)}, back, holders=("tcp-lb1",))
    both = seen({"vip": _vip(5.7)}, back, holders=("tcp-lb1", "tcp-lb2"))
    assert _judged("vip-has-one-holder", late).broken_by == "above-bound"
    assert _judged("vip-has-one-holder", both).broken_by == "not-one-holder"


def test_one_holder_and_it_stays() -> None:
    fault = [happened("pause", "tcp-lb1", 5, 8)]
    good = _judged("vip-has-one-holder", seen({"vip": _vip(5.7)}, fault, holders=("tcp-lb2",)))
    assert (good.result, good.seconds) == (PromiseVerdict.HOLDS, 0.0)
    moving = seen({"vip": _vip(5.7, until=15)}, fault, holders=("tcp-lb1",))
    assert _judged("vip-has-one-holder", moving).result is PromiseVerdict.BROKEN
    back = seen({"vip": _vip(5.7, until=8.5)}, fault, holders=("tcp-lb1",))
    assert _judged("vip-has-one-holder", back).seconds == pytest.approx(0.5, abs=0.06)
    for holders in (("tcp-lb1", "tcp-lb2"), ("tcp-lb1",), ()):
        other = seen({"vip": _vip(5.7)}, fault, holders=holders)
        assert _judged("vip-has-one-holder", other).result is PromiseVerdict.BROKEN
    assert _judged("vip-has-one-holder", seen({"vip": _vip(5.7)})).result is PromiseVerdict.UNKNOWN
    ended = seen({"vip": _vip(5.7)[:165]}, fault, holders=("tcp-lb2",))  # a quarter of a second after the return
    assert _judged("vip-has-one-holder", ended).result is PromiseVerdict.UNKNOWN


def test_the_slowest_request_while_a_node_hangs() -> None:
    fault = [happened("pause", "web1")]
    answers = load()
    held = Answer(BEGUN + 5.5, 5.4, 200, "web2", "")
    good = _judged("web-node-hangs", seen({}, fault, answers))
    assert good.result is PromiseVerdict.HOLDS
    assert _judged("web-node-hangs", seen({}, fault, [*answers, held])).result is PromiseVerdict.BROKEN
    assert _judged("web-node-hangs", seen({}, fault, load(rate=1))).result is PromiseVerdict.UNKNOWN


def test_what_only_a_node_can_measure() -> None:
    bound = promise("storage-stalls").bound(parse(WHOLE))
    assert bound
    assert judged(promise("storage-stalls"), bound, seen({})).result is PromiseVerdict.UNKNOWN
    for late, result in ((-0.1, PromiseVerdict.HOLDS), (0.3, PromiseVerdict.BROKEN)):
        run = seen({}, measured={"storage-stalls": [Timed(bound + late, BEGUN + 1)]})
        assert judged(promise("storage-stalls"), bound, run).result is result


def test_a_measured_time_does_not_hide_a_broken_check() -> None:
    fault = [happened("pause", "tcp-lb1", 5, 8)]
    measured = {"vip-has-one-holder": [Timed(0.0, BEGUN + 8)]}
    two = seen({"vip": _vip(5.7)}, fault, holders=("tcp-lb1", "tcp-lb2"), measured=measured)
    assert _judged("vip-has-one-holder", two).result is PromiseVerdict.BROKEN


def test_writes_that_nobody_takes_to_the_end() -> None:
    fault, bound = [happened("kill", "mysql1", 5, 12)], 10.0
    run = seen({"mysql-write": rows(_dead(5.1, 7.6))}, fault, plan_of=WHOLE)
    assert judged(promise("mysql-fails-over"), bound, run).seconds == pytest.approx(2.5, abs=0.06)
    slow_before = seen({"mysql-write": rows(_dead(3.9, 7.6))}, fault, plan_of=WHOLE)
    assert judged(promise("mysql-fails-over"), bound, slow_before).seconds == pytest.approx(2.6, abs=0.06)
    slow_alone = seen({"mysql-write": rows(_dead(3.9, 4.9))}, fault, plan_of=WHOLE)
    assert judged(promise("mysql-fails-over"), bound, slow_alone).result is PromiseVerdict.UNKNOWN
    never = seen({"mysql-write": rows(_dead(5.1, 99))}, fault, plan_of=WHOLE)
    assert judged(promise("mysql-fails-over"), bound, never).result is PromiseVerdict.BROKEN


def test_the_site_heals() -> None:
    fault = [happened("kill", "web1")]
    assert _judged("cluster-heals", seen({"site": rows(_dead(5, 12.8))}, fault)).result is PromiseVerdict.HOLDS
    assert _judged("cluster-heals", seen({"site": rows(_dead(5, 99))}, fault)).result is PromiseVerdict.BROKEN
    assert _judged("cluster-heals", seen({"site": rows(_dead(99, 99))})).result is PromiseVerdict.UNKNOWN
    assert _judged("cluster-heals", seen({}, fault)).result is PromiseVerdict.UNKNOWN


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_was_acknowledged(verdict: Verdict) -> None:
    book = {"guestbook": Judgement("guestbook", verdict, "why", ("run-1",))}
    found = _judged("guestbook-keeps", seen({}, [happened("kill", "web1")], judgements=book))
    assert found.result.value == verdict.value
    assert found.holds is (verdict is Verdict.HOLDS)


def test_a_ledger_that_was_not_kept_or_saw_no_fault_is_unknown() -> None:
    book = {"guestbook": Judgement("guestbook", Verdict.HOLDS, "all there")}
    assert _judged("guestbook-keeps", seen({}, judgements=book)).result is PromiseVerdict.UNKNOWN
    assert _judged("guestbook-keeps", seen({}, [happened("kill", "web1")])).result is PromiseVerdict.UNKNOWN
