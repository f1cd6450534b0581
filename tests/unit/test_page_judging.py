"""Faults, promises and log lines on the live page."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED
from lab.faults import fault, inject, present
from lab.page import view
from lab.page.feed import CLOSE, REST, Paces
from lab.page.judging import FaultLog, FaultSeen, Judge
from lab.page.watch import Look
from lab.plan import plan
from lab.services import lines
from tests.unit import run_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.load_run import Row
    from lab.topology import Cluster
    from tests.unit.live_page import Engine


def test_a_fault_is_followed_from_its_note_to_its_end(engine: Engine) -> None:
    log = FaultLog()
    injected = inject(engine, fault({"kind": "kill", "nodes": ("web1",)}))
    (begun,) = log.note(present(engine), view.running(Look(1, engine.observe())), 10.0)
    assert (begun[0], begun[1].text, begun[1].ended) == ("begun", "kill web1", None)
    engine.start("web1")
    assert log.note(present(engine), view.running(Look(1, engine.observe())), 11.0) == []
    injected.heal()
    ((change, ended),) = log.note(present(engine), [], 12.0)
    assert (change, ended.mending, ended.ended) == ("ended", 11.0, 12.0)
    assert log.active == []
    assert log.latest(13.0) == [ended]
    assert log.latest(100.0) == []


def test_a_fault_of_an_emulated_node_is_judged_for_as_long_by_its_clock(engine: Engine) -> None:
    log = FaultLog(EMULATED)
    injected = inject(engine, fault({"kind": "kill", "nodes": ("web1",)}))
    log.note(present(engine), [], 10.0)
    injected.heal()
    log.note(present(engine), [], 12.0)
    assert log.latest(200.0) == log.latest(13.0) != []
    assert log.latest(1000.0) == []


def test_a_fault_may_be_noted_while_an_action_asks_for_the_active_ones() -> None:
    """Actions ask in threads of their own."""
    log = FaultLog()
    later = FaultSeen("later", "kill", "kill web2", ("web2",), (), 2.0, "")

    class Noted(FaultSeen):
        """Another fault is noted at the moment when this one is looked at."""

        def __getattribute__(self, name: str) -> object:
            if name == "ended":
                log.by_mark["later"] = later
            return super().__getattribute__(name)

    log.by_mark["first"] = Noted("first", "kill", "kill web1", ("web1",), (), 1.0, "")
    assert [one.mark for one in log.active] == ["first"]
    assert [one.mark for one in log.active] == ["first", "later"]


def _since(moment: float, rows: list[Row]) -> list[Row]:
    return [replace(row, due=row.due - run_data.BEGUN + moment) for row in rows]


def test_the_promise_shows_what_was_just_measured(full: Cluster) -> None:
    made = plan(full, "debian")
    moment = time.time() - 10

    def rows(value: Callable[[float], str | None]) -> list[Row]:
        return _since(moment - 5, run_data.rows(value, 15))

    probed = {
        "vip": rows(lambda at: None if 5 <= at < 5.5 else "tcp-lb1" if at < 5.5 else "tcp-lb2"),
        "tcp-lb1": rows(lambda at: None if at >= 5 else "http-lb1=1 "),
    }
    judge = Judge(made, full, MemoryBackend("x").clock)
    before = dict(judge.shown["vip-moves"])
    assert before["bound"] == pytest.approx(0.65, abs=0.01)
    seen = FaultSeen("m", "kill", "kill tcp-lb1", ("tcp-lb1",), (), moment - 0.02, "", ended=moment + 8)
    changed = judge.judge([seen], probed, [], rate=20, stalls=[], holders=["tcp-lb2"])
    assert "vip-moves" in changed
    assert judge.judge([seen], probed, [], rate=20, stalls=[], holders=["tcp-lb2"]) == []
    shown = judge.shown["vip-moves"]
    assert shown["result"] == "holds"
    assert shown["seconds"] == pytest.approx(0.5, abs=0.06)
    assert shown["of"] == "kill tcp-lb1"
    assert "result" not in judge.shown["web-node-leaves"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "Server web/web1 is DOWN, reason: Layer4 timeout, check duration: 501ms. 2 active left.",
            "http-lb1 took web1 out: no answer",
        ),
        ("Server web/web1 is UP, reason: Layer7 check passed, code: 200.", "http-lb1 put web1 back"),
        ("(www) Entering MASTER STATE", "http-lb1 took the VIP"),
        (
            "12:00:01.2 epoch 4: elected by mysql1, mysql2, at 400012",
            "http-lb1 was elected the primary by mysql1, mysql2",
        ),
        ("12:00:01.2 primary of epoch 4", "http-lb1 is the primary"),
        ('10.90.0.81 "GET /whoami HTTP/1.1" 200 12 900us', None),
    ],
)
def test_raw_lines_in_plain_words(line: str, said: str | None) -> None:
    assert lines.words("http-lb1", line) == said


def test_a_request_is_counted_by_the_balancer_s_own_line() -> None:
    line = '10.90.0.81:4000 site~ web/web2 0/0/1/2/3 200 84 ---- retries=0 0/0 "GET /whoami HTTP/1.1"'
    assert lines.request(line) == "web2"
    assert lines.words("http-lb1", line) is None


@pytest.mark.parametrize(("rate", "result"), [(CLOSE.rate, "broken"), (REST.rate, "holds")])
def test_a_time_is_judged_by_the_rate_at_which_it_was_measured(full: Cluster, rate: float, result: str) -> None:
    """The VIP moved in 0.6 s, and the page asked twice a second: the first answer came 1.02 s after the first miss."""
    moment = time.time() - 10
    at_rest = list(run_data.rows(lambda at: "tcp-lb1" if at < 5 else None if at < 6 else "tcp-lb2", 15))
    own = list(run_data.rows(lambda at: None if at >= 5 else "http-lb1=1 ", 15))
    probed = {"vip": _since(moment - 5, at_rest[::10]), "tcp-lb1": _since(moment - 5, own[::10])}
    judge = Judge(plan(full, "debian"), full, MemoryBackend("x").clock)
    seen = FaultSeen("m", "cut", "cut tcp-lb1", ("tcp-lb1",), (), moment - 0.02, "", ended=moment + 8)
    judge.judge([seen], probed, [], rate=rate, stalls=[], holders=["tcp-lb2"])
    shown = judge.shown["vip-moves"]
    assert (shown["result"], shown["seconds"]) == (result, pytest.approx(1.0, abs=0.06))
    assert ("seen 2 times a second" in shown["figure"]) is (rate == REST.rate)


def test_the_slowest_pace_since_a_fault_counts() -> None:
    paces, web = Paces(), frozenset({"web"})
    assert paces.slowest(0, web) == REST.rate
    paces.change(REST, 10)
    paces.change(None, 20)
    assert paces.slowest(25, web) == REST.rate
    paces.change(CLOSE, 21)
    assert (paces.slowest(15, web), paces.slowest(20.5, web)) == (REST.rate, CLOSE.rate)
    paces.change(replace(CLOSE, roles=frozenset({"mysql"})), 22)
    assert paces.slowest(21.5, web) == REST.rate, "the web nodes were probed as at rest"
    assert paces.slowest(21.5, frozenset({"mysql"})) == CLOSE.rate
