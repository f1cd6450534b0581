"""The stall meter sees a machine stand still, and a figure that rests on a stall proves nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.clock import EMULATED, REAL
from lab.evidence.checks import judged
from lab.evidence.delays import Delays
from lab.evidence.promises import promise
from lab.evidence.stalls import HERE, Meter, Stall, longest, stalled, window
from lab.evidence.verdicts import PromiseVerdict, Timed
from lab.topology import parse
from tests.unit.conftest import FULL
from tests.unit.run_data import BEGUN, STEP, happened, rows, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.verdicts import PromiseResult

STOPPED_SECONDS = 0.4
PROGRAM = """
import json, sys
from lab.evidence.stalls import Meter
with Meter() as meter:
    print("on", flush=True)
    sys.stdin.readline()
print(json.dumps([[stall.begun, stall.ended] for stall in meter.stalls]), flush=True)
"""


def test_a_meter_sees_that_its_process_stood_still() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        stopped = time.time()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        os.kill(process.pid, signal.SIGCONT)
        woken = time.time()
        out, _ = process.communicate("\n")
    found = [Stall(HERE, *pair) for pair in json.loads(out)]
    assert longest(found) >= STOPPED_SECONDS * 0.9
    assert stalled(found, stopped, woken) == pytest.approx(woken - stopped, abs=0.1)


def test_a_meter_ends_its_thread() -> None:
    with Meter():
        assert any(thread.name == "stall meter" for thread in threading.enumerate())
    assert not any(thread.name == "stall meter" for thread in threading.enumerate())


def test_what_two_meters_saw_at_once_counts_once() -> None:
    both = [Stall("client", 10.0, 12.0), Stall(HERE, 11.0, 13.0), Stall(HERE, 11.5, 11.6), Stall(HERE, 20.0, 21.0)]
    assert stalled(both, 0.0, 30.0) == pytest.approx(4.0)
    assert stalled(both, 11.0, 12.5) == pytest.approx(1.5)
    assert stalled(both, 14.0, 19.0) == 0.0
    assert stalled([], 0.0, 30.0) == 0.0


def test_a_window_grows_by_the_stalls_in_it_and_by_those_in_what_it_grew_by() -> None:
    first, second, third = Stall(HERE, 11.5, 12.5), Stall("client", 12.0, 13.5), Stall(HERE, 14.0, 15.0)
    assert window([], 10.0, 2.0) == 2.0
    assert window([third, second, first], 10.0, 2.0) == pytest.approx(5.0)
    assert window([third, second, first], 10.0, 1.9) == pytest.approx(3.9), "the third begins after its end"
    assert window([first], 12.0, 2.0) == pytest.approx(2.5), "of a stall that began before, the rest"
    assert window([Stall(HERE, 8.0, 10.0)], 10.0, 2.0) == 2.0
    assert window([Stall(HERE, 11.0, 11.5)] * 2, 10.0, 2.0) == pytest.approx(2.5)


def _moved(late: float, stalls: Sequence[Stall] = ()) -> PromiseResult:
    """The VIP moves `late` seconds after the formula's time, counted from the last moment at which it was there."""
    declared, cluster = promise("vip-moves"), parse(FULL)
    bound = declared.bound(cluster)
    assert bound
    died = 5.0
    moved = died + bound + late
    vip = rows(lambda at: "tcp-lb1" if at < died else None if at < moved else "tcp-lb2")
    probed = {"vip": vip, "tcp-lb1": rows(lambda at: None if died <= at < 12.4 else "ok")}
    return judged(declared, bound, seen(probed, [happened("kill", "tcp-lb1", at=died)], stalls=stalls))


def test_a_vip_that_is_late_on_a_quiet_machine_breaks_its_promise() -> None:
    assert _moved(late=0.0).result is PromiseVerdict.HOLDS
    assert _moved(late=0.3).result is PromiseVerdict.BROKEN
    assert _moved(late=2.5).result is PromiseVerdict.BROKEN


def test_a_vip_that_is_late_by_a_stall_is_unknown() -> None:
    found = _moved(late=0.3, stalls=[Stall(HERE, BEGUN + 5.2, BEGUN + 5.6)])
    assert (found.result, found.holds, found.excused) == (PromiseVerdict.UNKNOWN, False, True)
    assert "the machine was stalled for 0.40 s" in found.figure


def test_a_stall_elsewhere_or_too_short_excuses_nothing() -> None:
    assert _moved(late=0.3, stalls=[Stall(HERE, BEGUN + 2.0, BEGUN + 4.0)]).result is PromiseVerdict.BROKEN
    assert _moved(late=0.3, stalls=[Stall(HERE, BEGUN + 5.2, BEGUN + 5.3)]).result is PromiseVerdict.BROKEN
    assert _moved(late=0.0, stalls=[Stall(HERE, BEGUN + 5.2, BEGUN + 5.6)]).result is PromiseVerdict.HOLDS


@pytest.mark.parametrize(("late", "ended"), [(2.0, 7.5), (2.5, 8.5)])
def test_a_stall_longer_than_the_rest_of_the_bound_excuses_its_whole_length(late: float, ended: float) -> None:
    result = _moved(late, stalls=[Stall(HERE, BEGUN + 5.5, BEGUN + ended)])
    assert (result.result, result.excused) == (PromiseVerdict.UNKNOWN, True), result.figure
    assert _moved(late + 0.3, stalls=[Stall(HERE, BEGUN + 5.5, BEGUN + ended - 0.3)]).result is PromiseVerdict.BROKEN


@given(st.floats(0, 6), st.lists(st.tuples(st.floats(0, 9), st.floats(0, 3)), max_size=4))
def test_promises_and_lessons_excuse_by_one_rule(late: float, spans: list[tuple[float, float]]) -> None:
    stalls = [Stall(HERE, BEGUN + at, BEGUN + at + seconds) for at, seconds in spans]
    declared, cluster = promise("vip-moves"), parse(FULL)
    bound = declared.bound(cluster)
    assert bound
    time_ = Timed(bound + STEP + late, BEGUN + 1)
    result = judged(declared, bound, seen({}, measured={"vip-moves": [time_]}, stalls=stalls)).result
    hidden = Delays(stalls, REAL).hiding(time_.begun, time_.seconds, bound + STEP)
    within = time_.seconds <= bound + STEP
    assert result is (PromiseVerdict.HOLDS if within else PromiseVerdict.UNKNOWN if hidden else PromiseVerdict.BROKEN)


def test_a_vip_that_was_away_beyond_its_bound_when_a_stalled_run_ended_is_unknown() -> None:
    """Without an observed end, and later than the bound only by the stall: the round can be repeated."""
    declared = promise("vip-moves")
    bound = declared.bound(parse(FULL))
    assert bound
    seconds = 5.0 + bound + 0.5
    vip = rows(lambda at: "tcp-lb1" if at < 5.0 else None, seconds)
    probed = {"vip": vip, "tcp-lb1": rows(lambda at: None if at >= 5.0 else "ok", seconds)}
    for stalls, result in (
        ([Stall(HERE, BEGUN + 5.2, BEGUN + 5.9)], PromiseVerdict.UNKNOWN),
        ([], PromiseVerdict.BROKEN),
    ):
        run = seen(probed, [happened("kill", "tcp-lb1")], stalls=stalls, seconds=seconds)
        outcome = judged(declared, bound, run)
        assert (outcome.result, outcome.excused) == (result, bool(stalls)), outcome.figure
        assert "had no observed end" in outcome.figure


def test_only_one_interval_of_the_probes_is_added_to_a_formula() -> None:
    found = _moved(late=0.0)
    assert found.bound is not None
    assert found.allowed == pytest.approx(found.bound + STEP)


def test_a_time_that_is_late_on_an_emulated_processor_is_unknown_and_not_for_ever() -> None:
    """A domain there may stand still while the client and this machine do not; the limit is what it was before."""
    declared, cluster = promise("vip-moves"), parse(FULL)
    bound = declared.bound(cluster)
    assert bound
    for late, result in ((3.0, PromiseVerdict.UNKNOWN), (24.0, PromiseVerdict.UNKNOWN), (26.0, PromiseVerdict.BROKEN)):
        times = {"vip-moves": [Timed(bound + late, BEGUN + 1)]}
        run = dataclasses.replace(seen({}, measured=times), clock=EMULATED)
        assert judged(declared, bound, run).result is result
