"""What the live page shows: proofs, pools, edges, the picture and the points of the charts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lab.clock import EMULATED, REAL
from lab.evidence.load_run import Row
from lab.faults import present
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.page import view
from lab.page.judging import FaultSeen
from lab.page.nodes import SOON_SECONDS, NodeState, Proof, proven, to_check
from lab.page.picture import picture
from lab.page.points import points
from lab.page.watch import Look, planned
from lab.plan import plan
from lab.progress import Silent
from lab.services import live
from lab.topology import parse
from tests.unit.conftest import FULL, WHOLE
from tests.unit.live_page import running

if TYPE_CHECKING:
    from lab.topology import Cluster
    from tests.unit.live_page import Engine


def _row(seconds_ago: float, status: int = 200, value: str = "ok", error: str = "") -> Row:
    return Row(1, time.time() - seconds_ago, 0.01, status, value, error)


def test_a_node_is_what_is_proven_of_it(engine: Engine) -> None:
    now, node = time.time(), engine.observe().node("web1")
    assert node is not None

    def judge(row: Row | None, check: Proof | None = None, *, stopped: bool = False) -> NodeState:
        found = engine.observe().node("web1")
        assert found
        return proven(found, row, check, stopped=stopped, engine_at=now, now=now).state

    assert judge(_row(0.5)) is NodeState.READY
    assert judge(_row(30)) is NodeState.UNKNOWN  # it runs, and that is no proof
    assert judge(_row(30), Proof(NodeState.READY, "", now - 5)) is NodeState.READY
    assert judge(None, Proof(NodeState.READY, "", now - 60)) is NodeState.UNKNOWN
    assert judge(_row(0.5, 0, "", "timed out")) is NodeState.NOT_READY
    killed = proven(node, _row(0.2, 0, "", "refused"), None, stopped=False, engine_at=now, now=now, killed=now - 1)
    assert killed.state is NodeState.DEAD  # before the engine lists it as stopped
    engine.pause("web1")
    assert judge(_row(0.1)) is NodeState.PAUSED
    engine.kill("web1")
    assert judge(_row(0.1)) is NodeState.DEAD
    assert judge(_row(0.1), stopped=True) is NodeState.STOPPED


def test_an_answer_is_judged_by_the_role() -> None:
    assert live.judged("web", _row(0))[0]
    assert live.judged("mysql", _row(0, value='{"role": "replica"}'))[0]
    assert live.judged("mysql", _row(0, value='{"role": "down"}')) == (False, "is down")
    assert live.judged("http-lb", _row(0, value="web1=0 web2=0 ")) == (False, "no server in its pool")
    latest = {"mysql1": _row(0, value='{"role": "replica"}'), "mysql2": _row(0, value='{"role": "primary"}')}
    assert live.primary(latest, dict.fromkeys(latest, "mysql")) == "mysql2"


def test_pools_and_the_holder_are_shown_while_their_answers_are_fresh(full: Cluster) -> None:
    made, now = plan(full, "debian"), time.time()
    latest = {"http-lb1": _row(0.2, value="web1=1 web2=0 web3=1 "), "http-lb2": _row(9, value="web1=1 ")}
    assert view.pools(made, latest, now) == {"http-lb1": {"web1": True, "web2": False, "web3": True}}
    assert view.holder(_row(0.2, value="tcp-lb2"), now) == "tcp-lb2"
    assert view.holder(_row(9, value="tcp-lb2"), now) is None


def test_ages_are_by_the_clock_of_the_nodes(engine: Engine, full: Cluster) -> None:
    """An emulated node answers one probe in five seconds."""
    now, made = time.time(), plan(full, "debian")
    row, pool = _row(9, value="tcp-lb2"), {"http-lb1": _row(9, value="web1=1 ")}
    look = Look(now - 9, engine.observe())
    for clock, state in ((REAL, NodeState.UNKNOWN), (EMULATED, NodeState.READY)):
        assert view.proofs(look, {"web1": _row(9)}, {}, (), now, clock=clock)["web1"].state is state
        assert (view.holder(row, now, clock) == "tcp-lb2") is clock.emulated
        assert (view.pools(made, pool, now, clock) != {}) is clock.emulated
        checked = to_check(look.existing.nodes, ["web1"], {}, fed=True, clock=clock)
        assert checked["web1"] == clock.limit(SOON_SECONDS)


def _values(engine: Engine, full: Cluster, **changes: Any) -> dict[str, Any]:
    now = time.time()
    look = Look(now, engine.observe(), tuple(present(engine)), ("web1", "web9"))
    parts: dict[str, Any] = {
        "look": look, "plan": planned(full, engine, look.existing)[1], "pools": {}, "holder": "tcp-lb1",
        "proofs": view.proofs(look, {}, {}, (), now), "primary": None, "faults": (), "badges": {}, "flow": {},
        "probed": now, "lost": "",
    } | changes  # fmt: skip
    return view.values(view.PageFacts(**parts), now, backend=engine, stale=1.5)


def test_edges_show_flow_pools_and_faults(engine: Engine, full: Cluster) -> None:
    cut = FaultSeen("m", "cut", "cut web1 from http-lb2", ("web1",), (("web1", "http-lb2"),), time.time(), "")
    slow = FaultSeen("n", "slow", "slow web3", ("web3",), (), time.time(), "")
    pools = {"http-lb1": {"web1": True, "web2": False, "web3": True}}
    shown = _values(engine, full, flow={"http-lb1": {"web1": 12, "web3": 8}}, pools=pools, faults=(cut, slow))
    assert shown["edge/http-lb1>web1"] == {"rate": 12}
    assert shown["edge/tcp-lb1>http-lb1"] == {"rate": 20}
    assert "edge/tcp-lb2>http-lb1" not in shown  # it does not hold the VIP
    assert shown["edge/client>tcp-lb1"] == {"rate": 20}
    assert shown["edge/http-lb1>web2"] == {"out": True}
    assert shown["edge/http-lb2>web1"] == {"cut": True}
    assert shown["edge/http-lb1>web3"] == {"rate": 8, "slow": True}
    assert shown["node/web9"]["state"] == "dead"


def test_without_its_engine_nothing_is_green(engine: Engine, full: Cluster) -> None:
    engine.pause("web2")
    old = Look(time.time() - 9, engine.observe(), (), (), "the socket is gone")
    shown = _values(engine, full, look=old, proofs=view.proofs(old, {}, {}, (), time.time()))
    assert shown["source"]["engine"] is False
    assert shown["source"]["engineWhy"] == "the socket is gone"
    assert {value["state"] for key, value in shown.items() if key.startswith("node/")} == {"unknown"}
    assert shown["cluster"]["ready"] is False


def test_a_node_by_hand_is_not_awaited() -> None:
    topology = parse(f"{FULL}by-hand: [http-lb1]\n")
    engine = running(topology)
    now = time.time()
    proofs = {
        node.name: Proof(NodeState.NOT_READY if node.name == "http-lb1" else NodeState.READY, "", now)
        for node in engine.observe().nodes
    }
    cluster = _values(engine, topology, proofs=proofs)["cluster"]
    assert (cluster["ready"], cluster["down"], cluster["byHand"]) == (True, [], ["http-lb1"])
    proofs["web1"] = Proof(NodeState.DEAD, "", now)
    cluster = _values(engine, topology, proofs=proofs)["cluster"]
    assert (cluster["ready"], cluster["down"], cluster["nodes"]) == (False, ["web1"], 8)


def test_a_cluster_that_is_removed_is_said_to_be_gone(engine: Engine, full: Cluster) -> None:
    down(engine, Silent(), volumes=False)
    empty = Look(time.time(), engine.observe())
    shown = _values(engine, full, look=empty, plan=None, proofs={})
    assert shown["cluster"]["gone"] is True
    assert not [key for key in shown if key.startswith("node/")]


def test_the_plan_is_that_of_the_nodes_that_exist(engine: Engine, full: Cluster) -> None:
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 5}")), engine, Silent())
    existing = engine.observe()
    made = planned(full, engine, existing)[1]
    assert {node.name: node.address for node in made.nodes} == {node.name: node.address for node in existing.nodes}
    assert made.scheme == "https"


def test_the_picture_has_an_id_for_each_node_and_edge() -> None:
    drawn = picture(plan(parse(WHOLE), "debian"))
    assert 'id="node-web3"' in drawn
    assert 'id="edge-http-lb2-web1" data-from="http-lb2" data-to="web1"' in drawn
    assert "<style" not in drawn
    assert " style=" not in drawn


def test_seconds_of_the_charts() -> None:
    visits = [Row(n, 100 + n / 10, 0.02 if n else 0.5, 200, f"web{n % 2 + 1}", "") for n in range(10)]
    visits.append(Row(10, 100.95, 1.0, 503, "", ""))
    probed = {"web1": [Row(0, 100.2, 1.0, 0, "", "timed out"), Row(1, 100.7, 0.01, 200, "", "")]}
    (point,) = points([100], visits, probed, 0.3)
    assert (point["n"], point["failed"], point["p50"], point["max"]) == (11, 1, 20.0, 500.0)
    assert point["served"] == {"web1": 5, "web2": 5}
    assert point["bad"] == {"web1": 0.5}
