"""Faults on an engine of plain values: whom they hit, that they are noted first, proven, and reverted."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities, State
from lab.backends.memory import MemoryBackend
from lab.backends.optional import notes
from lab.chaos import fault_runner
from lab.chaos.fault_runner import FaultRunner
from lab.chaos.schedule import Planned
from lab.cli.heal import heal as verb
from lab.errors import BackendError, SpecError, Unable
from lab.faults import (
    KINDS,
    Crash,
    Cut,
    Fault,
    Fill,
    Freeze,
    Hang,
    Kill,
    ProbeResult,
    SkewedClock,
    Slow,
    fault,
    heal,
    inject,
    present,
    targets,
)  # fmt: skip
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.recipes import manifest
from lab.topology import units
from tests.unit.backends import EVERYTHING, breakable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.topology import Cluster


def noted(backend: Backend) -> list[str]:
    """The faults that are noted with the cluster."""
    return [key for key in notes(backend).notes() if key.startswith("fault-")]


@pytest.fixture
def made(full: Cluster) -> MemoryBackend:
    """A cluster that is up, whose nodes answer no ping."""
    return breakable(full)


@dataclass(frozen=True)
class Switch(Fault):
    """A fault that is effective as its field says, active from `apply` to `revert`."""

    kind = "switch"
    effective: bool = True
    heals: bool = True

    def apply(self, backend: Backend, mark: str) -> dict[str, str]:
        noted = json.loads(notes(backend).notes()[f"fault-{mark}"])
        assert noted["fault"]["kind"] == "switch", "it is noted before it is done"
        backend.put(self.nodes[0], {"/switch": (b"on", 0o644)})
        return {"saw": "before"}

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark, facts
        return ProbeResult(self.effective and backend.get(self.nodes[0], "/switch") == b"on", "the switch")

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        if self.heals:
            backend.put(self.nodes[0], {"/switch": (b"off", 0o644)})


def test_a_fault_is_noted_proven_and_gone(made: MemoryBackend) -> None:
    with inject(made, Switch(("web1",))) as injected:
        assert injected.proof == "the switch"
        assert made.get("web1", "/switch") == b"on"
    assert made.get("web1", "/switch") == b"off"
    assert not noted(made)


def test_a_fault_that_does_not_bite_is_an_error_and_taken_back(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.faults.injection.PROOF_SECONDS", 0.0)
    with pytest.raises(BackendError, match="is not effective"):
        inject(made, Switch(("web1",), effective=False))
    assert made.get("web1", "/switch") == b"off"
    assert not noted(made)


@dataclass(frozen=True)
class Stuck(Switch):
    """Fails when it is done, and when it is reverted."""

    def apply(self, backend: Backend, mark: str) -> dict[str, str]:
        del backend, mark
        raise BackendError("it can't be done", next_step="ask somebody")

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del backend, mark, facts
        raise BackendError("the wire is stuck")


def test_what_failed_is_told_though_taking_back_fails_too(made: MemoryBackend) -> None:
    with pytest.raises(BackendError, match="it can't be done") as caught:
        inject(made, Stuck(("web1",)))
    (note,) = noted(made)
    mark = note.removeprefix("fault-")
    assert caught.value.next_step == (f"ask somebody; then 'lab heal {mark}': reverting failed: the wire is stuck")


def test_a_fault_that_is_over_is_not_undone_again(made: MemoryBackend) -> None:
    with inject(made, Kill(("web1",))) as injected:
        injected.heal()
        starts = made.done.count("start web1")
    assert made.done.count("start web1") == starts
    assert not noted(made)


def test_a_fault_that_does_not_heal_keeps_its_note(made: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.faults.injection.GONE_SECONDS", 0.0)
    monkeypatch.setitem(KINDS, "switch", Switch)
    injected = inject(made, Switch(("web1",), heals=False))
    with pytest.raises(Exception, match="to be reverted"):
        injected.heal()
    assert [one.mark for one in present(made)] == [injected.mark]


def test_another_process_heals_by_the_notes_the_newest_first(made: MemoryBackend) -> None:
    first, second = inject(made, Kill(("web1",))), inject(made, Kill(("web2",)))
    assert [one.fault for one in present(made)] == [Kill(("web1",)), Kill(("web2",))]
    assert [one.mark for one in heal(made)] == [second.mark, first.mark]
    assert {node.state for node in made.observe().nodes} == {State.RUNNING}
    assert heal(made) == []


def test_heal_takes_one_by_its_mark_and_no_strangers_note(made: MemoryBackend) -> None:
    made.note("theirs", "something else")
    first = inject(made, Kill(("web1",)))
    inject(made, Kill(("web2",)))
    heal(made, [first.mark])
    assert [one.fault.nodes for one in present(made)] == [("web2",)]
    assert made.notes()["theirs"] == "something else"
    with pytest.raises(SpecError, match="no active fault 'ffff'"):
        heal(made, ["ffff"])


def test_the_verb_names_nodes_that_are_down_without_a_fault(
    made: MemoryBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    made.kill("web1")
    first, second = inject(made, Kill(("web2",))), inject(made, Kill(("http-lb1",)))
    verb(made, [second.mark])
    healed, others = capsys.readouterr().out.splitlines()
    assert healed == f"{second.mark} kill http-lb1: reverted"
    assert others.startswith("not running, and no fault of 'lab fault': web1;"), "web2 is down by an active fault"
    made.start("web1")
    verb(made)
    assert capsys.readouterr().out == f"{first.mark} kill web2: reverted\n"


def test_what_can_not_be_done_is_refused_before_anything_is(made: MemoryBackend) -> None:
    made.kill("web1")
    done = list(made.done)
    with pytest.raises(SpecError, match="web1 is stopped; a fault needs"):
        inject(made, Kill(("web1",)))
    with pytest.raises(SpecError, match="no node 'web9'"):
        inject(made, Kill(("web9",)))
    assert (made.done, noted(made)) == (done, [])
    inject(made, Kill(("web2",)))
    made.start("web2")
    with pytest.raises(SpecError, match="is already active"):
        inject(made, Kill(("web2",)))


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Cut(("web1",)), "nf_tables"),
        (Slow(("web1",), delay=0.1), "sch_netem"),
        (Slow(("web1",), rate=1000), "sch_tbf"),
        (Fill(("web1",), "guestbook"), "this machine's disk"),
        (SkewedClock(("web1",)), "share this machine's clock"),
    ],
)
def test_what_a_backend_can_not_do_it_says(full: Cluster, wanted: Fault, why: str) -> None:
    poor = MemoryBackend("golden")
    up(full, poor, Silent())
    with pytest.raises(Unable, match=why):
        inject(poor, wanted)
    assert wanted.needs(EVERYTHING) == ""
    assert not noted(poor)


def test_a_process_that_is_not_there_is_said_and_one_that_is_stopped_is_found_so(made: MemoryBackend) -> None:
    made.answers |= {"pgrep": (0, "7\n8\n"), "ps": (0, "T\nT\n")}
    with inject(made, Hang(("web1",), "httpd")) as injected:
        assert injected.proof == "web1: 2 processes stopped"
        made.answers["ps"] = (0, "S\nS\n")
    assert not noted(made)
    made.answers["pgrep"] = (1, "")
    for wanted in (Hang(("web1",), "httpd"), Crash(("web1",), "httpd")):
        with pytest.raises(SpecError, match="web1 has no process with 'httpd'"):
            inject(made, wanted)


def test_memory_may_be_filled_anywhere() -> None:
    assert Fill(("web1",), "/tmp").needs(Capabilities("poor")) == ""


@pytest.mark.parametrize(
    "wanted",
    [
        Kill(("web1", "web2")),
        Cut(("web1",), ("http-lb1",), "in"),
        Slow(("web1",), 0.1, 0.01, 1.0, 1000),
        Fill(("web1",), "/tmp"),
        SkewedClock(("web1",), -60),
        Freeze(("web1",), "httpd"),
        Hang(("web1",), "httpd"),
        Crash(("web1",), "php-fpm"),
    ],
)
def test_a_fault_survives_being_written_down(wanted: Fault) -> None:
    assert fault(json.loads(json.dumps(wanted.as_dict()))) == wanted


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"kind": "kil"}, "did you mean 'kill'"),
        ({"kind": "kill", "nodes": ["web1"], "delay": 1}, "has no setting 'delay'"),
        ({"kind": "cut", "nodes": ["web1"], "way": "up"}, "'up' is not a direction"),
        ({"kind": "slow", "nodes": ["web1"]}, "needs a delay"),
        ({"kind": "slow", "nodes": ["web1"], "loss": 100.0}, "'cut' drops all packets"),
        ({"kind": "slow", "nodes": ["web1"], "delay": 0.1, "jitter": 0.2}, "jitter is larger"),
        ({"kind": "clock", "nodes": ["web1"], "skew": 1}, "10 s or more"),
        ({"kind": "hang", "nodes": ["web1"]}, "a longer part of its command line"),
    ],
)
def test_a_bad_fault_is_explained(told: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        fault(told)
    assert said in str(caught.value)


def test_a_cut_drops_where_it_would_arrive() -> None:
    groups = Cut(("a", "b"), ("c",))
    assert groups.edges() == [("a", "c"), ("b", "c"), ("c", "a"), ("c", "b")]
    assert Cut(("a",), ("c",), "in").edges() == [("c", "a")]
    assert Cut(("a",), ("c",), "out").edges() == [("a", "c")]
    assert len(Cut(("a", "b", "c"), ("a", "b", "c")).edges()) == 6


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("web2", ["web2"]),
        ("web", ["web1", "web2", "web3"]),
        ("web1,http-lb", ["web1", "http-lb1", "http-lb2"]),
        ("web1, web1", ["web1"]),
        ("all", ["tcp-lb1", "tcp-lb2", "http-lb1", "http-lb2", "web1", "web2", "web3"]),
    ],
)
def test_targets_by_name_and_role(made: MemoryBackend, said: str, found: list[str]) -> None:
    assert sorted(targets(made, said, random.Random(1))) == sorted(found)


def test_targets_by_chance_follow_the_seed(made: MemoryBackend) -> None:
    drawn = [targets(made, "random", random.Random(seed)) for seed in range(40)]
    assert drawn == [targets(made, "random", random.Random(seed)) for seed in range(40)]
    assert len(set(drawn)) > 3
    assert ("client",) not in drawn
    assert len(targets(made, "minority:web", random.Random(1))) == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("web9", "did you mean"),
        ("wep", "did you mean 'web'"),
        ("random:wep", "no role 'wep'"),
        ("minority:http-lb", "no minority"),
        ("primary", "'mysql' has one"),
        ("vip-holder", "the VIP has 0 holders"),
    ],
)
def test_a_target_that_is_none_is_explained(made: MemoryBackend, said: str, why: str) -> None:
    with pytest.raises(SpecError) as caught:
        targets(made, said, random.Random(1))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("5s", 5.0), ("2m", 120.0), ("1.5", 1.5), ("1h", 3600.0), ("7d", 604800.0), ("-60s", -60.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.seconds(text) == pytest.approx(seconds)


def test_rates_and_shares() -> None:
    assert (units.bits("500kbit"), units.bits("1mbit"), units.percent("5%")) == (500_000, 1_000_000, 5.0)
    for wrong in ("5 apples", "", "fast"):
        with pytest.raises(SpecError, match="can't be read"):
            units.seconds(wrong)


def test_a_scenario_with_a_former_name_of_a_service_has_a_notice(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, line: str) -> None:
            self.lines.append(line)

    def refuse(_backend: object, fault: Fault) -> None:
        raise SpecError(str(fault))

    monkeypatch.setattr(fault_runner, "inject", refuse)
    report = Heard()
    planned = [Planned(0.0, 1.0, "freeze", "web1", settings={"service": service}) for service in ("names", "dnsmasq")]
    runner = FaultRunner(made, planned[:1], 1, report)
    runner.run(time.time())
    assert report.lines == ["WARNING: the service 'names' is 'dnsmasq' now; 0.3 removes the old name"]
    assert [error.what for error in runner.failed] == ["freeze dnsmasq of web1"]
    FaultRunner(made, planned[1:], 1, report).run(time.time())
    assert len(report.lines) == 1, "the new name has none"


def test_a_service_is_named_as_its_daemon_and_by_its_former_name() -> None:
    assert Freeze(("tcp-lb1",), "names") == Freeze(("tcp-lb1",), "dnsmasq")
    assert str(Freeze(("mail1",), "dkim")) == "freeze opendkim of mail1"
    assert Freeze(("mysql1",), "mysql") == Freeze(("mysql1",), "mysql-keeper")
    for role, service in (
        *(("tcp-lb", "dnsmasq"), ("shell", "fail2ban"), ("mail", "opendkim")),
        *(("tcp-lb", "haproxy-watchdog"), ("http-lb", "haproxy-drain"), ("mysql", "mysql-keeper")),
    ):
        assert service in manifest(role).services, role
