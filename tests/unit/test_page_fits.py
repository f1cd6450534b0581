"""The live page shows and offers what its cluster has: nodes by hand, probes, scenarios, services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends.base import Capabilities
from lab.chaos import load
from lab.chaos.fitting import lacking
from lab.cli import tables
from lab.learning.library import lesson
from lab.lifecycle.status import NodeStatus, status
from lab.lifecycle.up import up
from lab.page import view, words
from lab.page.nodes import EVERY_SECONDS, NodeState, Proof, proven, to_check
from lab.page.watch import Look, planned
from lab.plan import plan
from lab.progress import Silent
from lab.services import live
from lab.services.streams import served as answering
from lab.services.streams import streams
from lab.topology import parse
from tests.pages import served
from tests.unit.conftest import WHOLE
from tests.unit.live_page import CAN, Engine, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lab.backends.base import Result
    from lab.plan import Plan
    from lab.topology import Cluster
    from tests.pages import Served

ALL = Capabilities("memory", CAN.kernel | {"fuse"}, sized_volumes=True, own_clocks=True)
NOT_LOOKED = "the backup was not looked at yet"
BY_PERSON = "a person does what archive and backup would do"


class Lesson5(Engine):
    """The lesson's nodes, of which the backup's readiness check asks programs that are not run."""

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self.answers["ready"] = (1, NOT_LOOKED) if node == "backup1" else (0, "")
        return super().run(node, argv, seconds=seconds)


@pytest.fixture
def topology() -> Cluster:
    """That of the lesson of the backup."""
    return lesson(5).cluster("golden")


@pytest.fixture
def five(topology: Cluster) -> Lesson5:
    """Its cluster."""
    engine = Lesson5("golden", ALL)
    up(topology, engine, Silent())
    engine.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    return engine


@pytest.fixture
def five_plan(five: Lesson5, topology: Cluster) -> Plan:
    """Its plan."""
    return planned(topology, five, five.observe())[1]


def _backup(five: Lesson5) -> NodeStatus:
    return next(node for node in status(five).nodes if node.name == "backup1")


def test_status_says_that_a_person_does_what_the_services_would(five: Lesson5) -> None:
    node = _backup(five)
    assert (node.ready, node.by_hand, node.reason, node.left_services) == (
        False,
        True,
        BY_PERSON,
        ["archive", "backup"],
    )
    assert status(five).ready
    assert all(other.left_services == [] for other in status(five).nodes if other.name != "backup1")
    state = tables._state(node)  # noqa: SLF001  the cell
    assert (state.plain, str(state.style)) == ("by hand", "")
    five.kill("backup1")
    assert tables._state(_backup(five)).plain == "stopped"  # noqa: SLF001


def test_a_node_that_can_get_ready_by_hand_is_still_not_ready() -> None:
    """Its person has to see whether the configuration works."""
    engine = Engine("golden", ALL)
    up(parse("name: golden\nweb: {count: 1}\nby-hand: [web1]\n"), engine, Silent())
    node, now = engine.observe().node("web1"), time.time()
    assert node
    check = Proof(NodeState.NOT_READY, "httpd does not answer", now)
    assert proven(node, None, check, stopped=False, engine_at=now, now=now) == check
    engine.answers["ready"] = (1, "httpd does not answer")
    shown = next(one for one in status(engine).nodes if one.name == "web1")
    assert (tables._state(shown).plain, shown.reason) == ("not ready", "httpd does not answer")  # noqa: SLF001


def test_the_page_has_a_neutral_state_for_it(five: Lesson5) -> None:
    node, now = five.observe().node("backup1"), time.time()
    assert node
    check = Proof(NodeState.NOT_READY, NOT_LOOKED, now)
    found = proven(node, None, check, stopped=False, engine_at=now, now=now)
    assert (found.state, found.reason) == (NodeState.BY_HAND, BY_PERSON)
    ready = Proof(NodeState.READY, "", now)
    assert proven(node, None, ready, stopped=False, engine_at=now, now=now) == ready
    assert to_check([node], [], {"backup1": found}, fed=True) == {"backup1": EVERY_SECONDS}
    assert live._backups(five) == {}, "no badge of backups that the lab does not make"  # noqa: SLF001


def test_opening_a_page_adds_no_event_of_it(five: Lesson5, topology: Cluster, tmp_path: Path) -> None:
    with served(five, topology, folder=tmp_path, visitors=False) as page:
        state = until(
            "its state", lambda: (t := page.get("/state").json())["node"]["backup1"]["state"] == "by-hand" and t
        )
        assert [one for one in state["events"] if one["node"] == "backup1"] == []
        assert state["node"]["backup1"]["badges"] == []
        assert "services" not in state["node"]["mysql1"]
        until("the cluster to be ready", lambda: page.get("/state").json()["cluster"]["ready"])


def test_only_the_first_sight_of_a_node_by_hand_is_no_event() -> None:
    unknown, bad = Proof(NodeState.UNKNOWN), Proof(NodeState.NOT_READY, "no answer")

    def said(before: Proof, now: Proof, *by_hand: str) -> list[str]:
        return [one["text"] for one in words.of_nodes({"web1": before}, {"web1": now}, 1.0, by_hand)]

    assert said(unknown, bad, "web1") == []
    assert said(unknown, bad) == ["web1 is not ready: no answer"]
    assert said(Proof(NodeState.READY), bad, "web1") == ["web1 is not ready: no answer"]
    assert said(Proof(NodeState.DEAD), Proof(NodeState.BY_HAND, BY_PERSON), "web1") == ["web1 runs, and is by hand"]


def test_no_address_is_probed_that_nothing_listens_at(five_plan: Plan) -> None:
    names = {stream.name for stream in streams(five_plan, "www.golden.test")}
    assert names == {"mysql-write", "mysql1"}, "3307 is a port of the TCP balancers"
    whole = plan(parse(WHOLE), "debian")
    assert "mysql-read" in {stream.name for stream in answering(whole, streams(whole, "w"))}


def test_the_page_probes_no_program_that_is_left_to_a_person() -> None:
    six = plan(lesson(6).cluster("golden").model_copy(update={"network": parse(WHOLE).network}), "debian")
    assert {stream.name for stream in streams(six, "w")} == {"mysql-write", "mysql1", "mysql2"}
    assert answering(six, streams(six, "w")) == []


def test_services_of_a_node_are_those_that_it_runs(five: Lesson5, topology: Cluster, five_plan: Plan) -> None:
    now = time.time()
    look = Look(now, five.observe())
    facts = view.PageFacts(look, five_plan, {}, {}, None, None, (), {}, {}, now, "")
    shown = view.values(facts, now, backend=five, stale=1.5)
    assert shown["node/backup1"]["services"] == ["mounts", "schedule"], "what can be frozen there"
    assert shown["role/backup"]["services"] == ["archive", "backup", "mounts"]
    assert topology.by_hand


def _lacking(text_of: str, cluster: Cluster, made: Plan) -> str:
    return lacking(load(assets.scenarios()[text_of]), cluster, made, ALL)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vip-holder-hangs", "the cluster has no VIP"),
        ("web-node-dies", "the cluster has no node or role 'web1'"),
        ("storage-dies", "the cluster has no node or role 'storage2'"),
        ("long-random", "no role has two nodes, of which one may fail"),
        ("mysql-primary-dies", "the cluster has no site, whose visitors are counted"),
    ],
)
def test_a_scenario_says_what_the_cluster_lacks(topology: Cluster, five_plan: Plan, name: str, why: str) -> None:
    assert _lacking(name, topology, five_plan) == why


def test_every_scenario_can_run_on_the_whole_cluster() -> None:
    cluster = parse(WHOLE)
    made = plan(cluster, "debian")
    found = {name: _lacking(name, cluster, made) for name in assets.scenarios()}
    assert {name: why for name, why in found.items() if why} == {}
    poor = Capabilities("poor")
    assert lacking(load(assets.scenarios()["late-network"]), cluster, made, poor)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Served]:
    """The page of one web node."""
    topology = parse("name: golden\nweb: {count: 1}\n")
    engine = Engine("golden", ALL)
    up(topology, engine, Silent())
    engine.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    with served(engine, topology, folder=tmp_path) as page:
        yield page


def test_the_page_offers_what_can_run_and_refuses_the_rest(small: Served) -> None:
    offered = small.get("/offers").json()["scenarios"]
    lacks = {one["name"]: one["lacks"] for one in offered}
    assert lacks["vip-holder-hangs"] == "the cluster has no VIP"
    assert lacks["narrow-network"] == ""
    assert [bool(one["lacks"]) for one in offered] == sorted(bool(one["lacks"]) for one in offered)
    answer = small.post("/scenario", {"name": "vip-holder-hangs"})
    assert (answer.status_code, "can't run on this cluster" in answer.json()["error"]) == (400, True)
