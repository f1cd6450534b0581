"""Rounds of tests: faults of the test's own are recorded, and a round that a stall hides is repeated."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED, REAL
from lab.evidence.verdicts import PromiseResult, PromiseVerdict
from lab.plan import plan
from lab.testing.evidence import Evidence
from lab.testing.rounds import Round, Rounds, repeated
from lab.topology import parse

if TYPE_CHECKING:
    from lab.clock import Clock


def test_a_fault_is_mended_and_its_end_counts_from_the_beginning_of_that() -> None:
    """A node may be back before the command that begins it returns; also where the test fails meanwhile."""
    made = plan(parse("name: golden\nnetwork: 10.90.0.0/24\nweb: {count: 1}\n"), "debian")
    cluster: Any = SimpleNamespace(backend=MemoryBackend("golden"), plan=made, host=None, clock=REAL)
    evidence, moments = Evidence(cluster), list[float]()
    with (
        pytest.raises(RuntimeError),
        Round(cluster, evidence).broken("freeze", "web1", lambda: moments.append(time.time())),
    ):
        raise RuntimeError
    (event,), (moment,) = evidence.happened, moments
    assert event.begun <= event.mending <= moment <= event.mended
    assert (event.kind, event.nodes) == ("freeze", ("web1",))


HIDDEN, BROKEN, UNTESTED, HOLDS = (
    PromiseResult("vip-moves", PromiseVerdict.UNKNOWN, "0.90 s, stalled for 0.40 s", 0.9, 0.6, 0.65, 0.4, excused=True),
    PromiseResult("vip-moves", PromiseVerdict.BROKEN, "0.90 s", 0.9, 0.6, 0.65),
    PromiseResult("vip-moves", PromiseVerdict.UNKNOWN, "no fault of this run showed it"),
    PromiseResult("vip-moves", PromiseVerdict.HOLDS, "0.50 s", 0.5, 0.6, 0.65),
)


class Script:
    """What the rounds of a test end with, and the cluster that they run on.

    Attributes:
        played: how many rounds began.
        healed: how often the cluster was repaired.
    """

    applied = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends: list[list[PromiseResult]], clock: Clock = REAL) -> None:
        self.ends, self.clock = iter(ends), clock
        self.played = self.healed = 0
        monkeypatch.setattr("lab.testing.rounds.Round", lambda *_: SimpleNamespace(judge=lambda _: next(self.ends)))
        self.evidence: Any = SimpleNamespace(results=())

    def heal(self, to: object) -> None:
        assert to is self.applied
        self.healed += 1

    def play(self) -> None:
        """The loop of a test."""
        cluster: Any = self
        for _ in Rounds(cluster, self.evidence)("vip-moves"):
            self.played += 1


def test_a_round_that_a_stall_hides_is_repeated_on_a_repaired_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, [[HIDDEN], [HOLDS, HIDDEN], [HOLDS, HOLDS]])
    script.play()
    assert (script.played, script.healed) == (3, 2)
    assert script.evidence.results == [HOLDS, HOLDS], "of the last round"
    once = Script(monkeypatch, [[HOLDS]])
    once.play()
    assert (once.played, once.healed) == (1, 0)


@pytest.mark.parametrize(("clock", "count"), [(REAL, 3), (EMULATED, 1)])
def test_a_round_that_a_stall_hides_each_time_is_unknown(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, count: int
) -> None:
    script = Script(monkeypatch, [[HIDDEN]] * 4, clock)
    with pytest.raises(pytest.skip.Exception, match=r"^unknown: 'vip-moves' unknown: 0\.90 s, stalled for 0\.40 s"):
        script.play()
    assert script.played == count


@pytest.mark.parametrize("bad", [BROKEN, UNTESTED])
@pytest.mark.parametrize("before", [0, 2])
def test_a_round_that_is_broken_or_tests_nothing_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, bad: PromiseResult, before: int
) -> None:
    script = Script(monkeypatch, [*[[HIDDEN]] * before, [HOLDS, HIDDEN, bad], [HOLDS]])
    with pytest.raises(pytest.fail.Exception, match=bad.figure) as failed:
        script.play()
    assert str(failed.value).count("'vip-moves'") == 1, "only what failed is named"
    assert script.played == before + 1


def test_what_a_test_judges_by_itself_is_repeated_by_the_same_rule() -> None:
    answers = iter(["stalled", "stalled", "good"])
    excuses = {"stalled": "the machine was stalled"}
    calls = list[int]()
    judge, repair = lambda: next(answers), lambda: calls.append(0)
    assert repeated(REAL, judge, lambda answer: excuses.get(answer, ""), repair) == "good"
    assert len(calls) == 2
    for clock, count in ((REAL, 3), (EMULATED, 1)):
        calls.clear()
        with pytest.raises(pytest.skip.Exception, match="unknown: the machine was stalled"):
            repeated(clock, lambda: calls.append(1), lambda _: "the machine was stalled")
        assert len(calls) == count
