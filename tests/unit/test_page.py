"""The live page on an engine of plain values: state and deltas, what is proven, who may ask, what buttons do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.backends.base import Capabilities, Lack, State
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, HostError, SpecError
from lab.evidence.load_run import Row
from lab.faults import fault, inject, present
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.page import offers, view
from lab.page.judging import FaultLog, FaultSeen, Judge
from lab.page.nodes import NodeState, Proof, proven
from lab.page.picture import picture
from lab.page.points import points
from lab.page.security import Guard, Right, Tokens
from lab.page.server import listening
from lab.page.state import KEPT_DELTAS, Delta, Store
from lab.page.watch import Look, planned
from lab.plan import plan
from lab.progress import Silent
from lab.services import lines, live
from lab.topology import parse
from tests.pages import TOKENS, served
from tests.unit import run_data
from tests.unit.conftest import FULL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lab.backends.base import Existing
    from lab.topology import Cluster
    from tests.pages import Served

SECONDS = 8.0
CAN = Capabilities("memory", frozenset({"nf_tables", "sch_netem", "sch_tbf"}), sized_volumes=True)


def _until(what: str, good: Callable[[], Any], seconds: float = SECONDS) -> Any:  # noqa: ANN401  of the question
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = good()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}")


class Engine(MemoryBackend):
    """A memory backend that may be lost, and on which a killed node answers no probe."""

    lost = ""

    def observe(self) -> Existing:
        if self.lost:
            raise BackendError(self.lost)
        return super().observe()


@pytest.fixture
def engine(full: Cluster) -> Engine:
    """A cluster that is up."""
    made = Engine("golden", CAN)
    up(full, made, Silent())
    made.answers["ping"] = (1, "")  # a killed node answers no packet
    made.answers["date"] = (0, "not a number")  # no load generator here
    return made


@pytest.fixture
def page(engine: Engine, full: Cluster, tmp_path: Path) -> Iterator[Served]:
    """Its page."""
    with served(engine, full, folder=tmp_path / "runs") as made:
        yield made


# State and deltas


def test_a_delta_holds_what_changed_alone() -> None:
    store = Store()
    store.publish({"a": 1, "b": 2})
    delta = store.publish({"a": 1, "b": 3, "c": 4})
    assert delta == Delta(2, delta.at, {"b": 3, "c": 4})
    assert store.publish({"c": 4}).gone == ("a", "b")
    assert dict(store.snapshot.values) == {"c": 4}


def test_deltas_lead_from_any_known_number_to_the_snapshot() -> None:
    store = Store()
    for number in range(10):
        store.publish({"n": number, f"only/{number}": True}, [{"at": number}], [{"text": number}])
    for seen in range(11):
        snapshot, deltas = store.since(f"{store.epoch}-{seen}")
        assert snapshot is None
        assert [delta.seq for delta in deltas] == list(range(seen + 1, 11))
    values: dict[str, object] = {}
    for delta in store.since(f"{store.epoch}-0")[1]:
        values = {key: value for key, value in (values | dict(delta.set)).items() if key not in delta.gone}
    assert values == dict(store.snapshot.values)
    assert [point["at"] for point in store.snapshot.points] == list(range(10))


@pytest.mark.parametrize("last", ["", "other-3", "nonsense", "-", "{epoch}-999", "{epoch}-x"])
def test_whoever_can_t_be_led_on_gets_a_snapshot(last: str) -> None:
    store = Store()
    store.publish({"a": 1})
    snapshot, deltas = store.since(last.format(epoch=store.epoch))
    assert snapshot is store.snapshot
    assert deltas == []


def test_a_number_that_is_too_old_gets_a_snapshot() -> None:
    store = Store()
    for number in range(KEPT_DELTAS + 5):
        store.publish({"n": number})
    assert store.since(f"{store.epoch}-2")[0] is store.snapshot


def test_a_snapshot_does_not_change_and_is_nested_for_programs() -> None:
    store = Store()
    store.publish({"node/web1": {"state": "ready"}, "vip": None})
    first = store.snapshot
    store.publish({"node/web1": {"state": "dead"}})
    assert first.nested()["node"] == {"web1": {"state": "ready"}}
    assert store.snapshot.nested()["node"]["web1"]["state"] == "dead"
    with pytest.raises(TypeError):
        first.values["x"] = 1  # type: ignore[index]


def test_the_same_second_of_the_charts_is_replaced() -> None:
    store = Store()
    store.publish({}, [{"at": 1, "n": 5}, {"at": 2, "n": 5}])
    store.publish({}, [{"at": 1, "n": 6}])
    assert [(point["at"], point["n"]) for point in store.snapshot.points] == [(1, 6), (2, 5)]


# What is proven


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


def _values(engine: Engine, full: Cluster, **seen: Any) -> dict[str, Any]:
    now = time.time()
    look = Look(now, engine.observe(), tuple(present(engine)), ("web1", "web9"))
    parts: dict[str, Any] = {
        "look": look, "plan": planned(full, engine, look.existing)[1], "pools": {}, "holder": "tcp-lb1",
        "proofs": view.proofs(look, {}, {}, (), now), "primary": None, "faults": (), "badges": {}, "flow": {},
        "probed": now, "lost": "",
    } | seen  # fmt: skip
    return view.values(view.Seen(**parts), now, backend=engine, stale=1.5)


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


# Faults and promises


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


def test_the_promise_shows_what_was_just_measured(full: Cluster) -> None:
    made = plan(full, "debian")
    moment = time.time() - 10

    def rows(value: Callable[[float], str | None]) -> list[Row]:
        return [
            Row(r.number, r.due - run_data.BEGUN + moment - 5, r.seconds, r.status, r.value, r.error)
            for r in run_data.rows(value, 15)
        ]

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


# Offers and commands


def test_each_button_shows_its_command() -> None:
    known = offers.offers(CAN)
    given = {"target": "web1", "role": "web", "for": "10s", "delay": "100ms", "loss": "5%", "service": "httpd"}
    assert offers.command(known["kill"], given) == "lab fault kill web1 --for 10s"
    assert offers.command(known["cut"], given, "-n two") == "lab fault cut web1 --for 10s -n two"
    assert offers.command(known["cut"], given | {"from": "http-lb1"}) == "lab fault cut web1 --from http-lb1 --for 10s"
    assert offers.command(known["slow"], given) == "lab fault slow web1 --delay 100ms --loss 5% --for 10s"
    assert offers.command(known["scale"], given | {"count": "4"}) == "lab up --scale web=4"
    with pytest.raises(SpecError):
        offers.command(known["freeze"], given | {"service": "x; rm -rf /"})
    with pytest.raises(SpecError):
        offers.command(known["freeze"], given | {"service": ""})


def test_what_the_backend_lacks_is_not_offered_and_says_why() -> None:
    known = offers.offers(Capabilities("poor", lacks={Lack.PAUSE: "this engine can't pause"}))
    assert known["pause"].lacks == "this engine can't pause"
    assert known["cut"].lacks
    assert known["kill"].lacks == ""
    with pytest.raises(SpecError, match="can't pause"):
        offers.named("pause", known)
    with pytest.raises(SpecError, match="does not offer"):
        offers.named("explode", known)


# The server


def test_the_state_is_that_of_the_engine(page: Served, engine: Engine) -> None:
    told = page.get("/state").json()
    assert told["cluster"]["name"] == "golden"
    assert set(told["node"]) == {node.name for node in engine.observe().nodes}
    engine.kill("web1")
    begun = time.monotonic()
    _until("web1 to be dead", lambda: page.get("/state").json()["node"]["web1"]["state"] == "dead")
    assert time.monotonic() - begun < 1


def test_the_stream_begins_with_a_snapshot_and_goes_on_with_deltas(page: Served, engine: Engine) -> None:
    with requests.get(
        f"{page.base}/events", headers={"Authorization": f"Bearer {TOKENS.read}"}, stream=True, timeout=5
    ) as answer:
        blocks = _blocks(answer)
        first = next(block for block in blocks if block["event"] == "snapshot")
        seq = json.loads(first["data"])["seq"]
        engine.kill("web2")
        for block in blocks:
            told = json.loads(block["data"])
            seq += 1
            assert (block["event"], told["seq"]) == ("delta", seq)
            if told.get("set", {}).get("node/web2", {}).get("state") == "dead":
                break
    resumed = {"Authorization": f"Bearer {TOKENS.read}", "Last-Event-ID": first["id"]}
    with requests.get(f"{page.base}/events", headers=resumed, stream=True, timeout=5) as answer:
        again = next(_blocks(answer))
        assert again["event"] == "delta"
        assert json.loads(again["data"])["seq"] == json.loads(first["data"])["seq"] + 1


def _blocks(answer: requests.Response) -> Iterator[dict[str, str]]:
    found: dict[str, str] = {}
    for raw in answer.iter_lines():
        line = raw.decode()
        name, _, text = line.partition(": ")
        if line and name:
            found[name] = text
        elif found.get("data"):
            yield found
            found = {}


def test_a_lost_engine_is_said_within_two_seconds_and_found_again(page: Served, engine: Engine) -> None:
    assert page.get("/state").json()["source"]["engine"] is True
    engine.lost = "cannot connect"
    begun = time.monotonic()
    told = _until("it to be lost", lambda: (t := page.get("/state").json()) and not t["source"]["engine"] and t)
    assert time.monotonic() - begun < 2
    assert told["source"]["engineWhy"] == "cannot connect"
    assert {node["state"] for node in told["node"].values()} == {"unknown"}
    engine.lost = ""
    _until("it to be found", lambda: page.get("/state").json()["source"]["engine"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_collector_that_ended_is_started_again(page: Served) -> None:
    assert page.get("/state").json()["seq"]
    collector = page.page.collector

    def broken() -> None:
        raise SystemExit

    turn, collector.turn = collector.turn, broken  # type: ignore[method-assign]
    thread = collector.thread
    assert thread
    thread.join(3)
    assert not thread.is_alive()
    collector.turn = turn  # type: ignore[method-assign]
    _until("another one", lambda: collector.thread is not thread and page.get("/state").json()["at"] > time.time() - 1)
    assert "started again" in str(page.get("/state").json()["events"])


def test_without_viewers_nothing_is_asked(page: Served, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.page.collector.IDLE_SECONDS", 0.3)
    page.get("/state")
    _until("it to idle", lambda: page.page.collector.idle)
    time.sleep(1.5)
    engine.done.clear()
    at = page.page.collector.engine.look.at
    time.sleep(1.5)
    assert engine.done == []
    assert page.page.collector.engine.look.at == at


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("without a token", {}, ""),
    ("with a wrong token", {}, "wrong"),
    ("with the read-only token", {}, TOKENS.read),
    ("with a foreign Host", {"Host": "evil.example"}, TOKENS.change),
    ("with a foreign Origin", {"Origin": "http://evil.example"}, TOKENS.change),
    ("with a null Origin", {"Origin": "null"}, TOKENS.change),
    ("from another port", {"Origin": "http://127.0.0.1:1"}, TOKENS.change),
    ("without the header", {"X-Lab-Page": ""}, TOKENS.change),
    ("from another site", {"Sec-Fetch-Site": "cross-site"}, TOKENS.change),
]


@pytest.mark.parametrize(("how", "headers", "token"), REFUSED, ids=[entry[0] for entry in REFUSED])
def test_a_change_is_refused(page: Served, engine: Engine, how: str, headers: dict[str, str], token: str) -> None:
    body = {"do": "kill", "target": "web1", "on": True, "name": "web-node-dies"}
    for path in ("/do", "/heal", "/scenario", "/recording", "/visitors", "/lesson"):
        answer = page.post(path, body, token, **headers)
        assert answer.status_code == 403, (how, path)
        assert "refused" in answer.text
    time.sleep(0.05)
    assert present(engine) == []
    assert {node.state for node in engine.observe().nodes} == {State.RUNNING}
    assert page.page.actions.works == {}


def test_nothing_is_changed_by_get(page: Served, engine: Engine) -> None:
    for path in ("/do?do=kill&target=web1", "/heal", "/scenario", "/recording", "/visitors"):
        assert page.get(path, **{"X-Lab-Page": "1"}).status_code == 405
    assert page.page.actions.works == {}
    assert present(engine) == []


def test_nothing_is_read_without_a_token_or_by_a_foreign_name(page: Served) -> None:
    foreign = {"Host": f"evil.example:{page.port}"}
    for path in ("/", "/state", "/events", "/picture.svg", "/offers", "/static/page.js", "/lesson"):
        for token, headers in (("", {}), ("wrong", {}), (TOKENS.change, foreign)):
            answer = page.get(path, token, **headers)
            assert answer.status_code == 403
            assert "golden" not in answer.text


def test_the_printed_address_becomes_a_cookie(page: Served) -> None:
    session = requests.Session()
    answer = session.get(page.address, timeout=5)
    said = answer.headers["Set-Cookie"]
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    assert session.get(f"{page.base}/state", timeout=5).status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert session.get(f"{page.base}/static/../server.py", timeout=5).status_code in (403, 404)
    assert session.get(f"{page.base}/static/%2e%2e%2fserver.py", timeout=5).status_code == 404


def test_tokens_are_kept_for_the_next_start_and_a_read_only_page_has_one(full: Cluster) -> None:
    first, second = Tokens.of(full.name, read_only=False), Tokens.of(full.name, read_only=False)
    assert first == second
    assert first.change != first.read
    assert len(first.change) >= 32
    shown = Tokens.of(full.name, read_only=True)
    assert shown.right("") is Right.NONE
    assert shown.right(first.change) is Right.NONE
    assert shown.right(first.read) is Right.READ


def test_a_cookie_of_another_page_is_none_here() -> None:
    guard = Guard(TOKENS, 8710)
    assert guard.right({}, {"lab-page-8710": TOKENS.change}) is Right.CHANGE
    assert guard.right({}, {"lab-page-8711": TOKENS.change}) is Right.NONE


def test_it_listens_on_this_machine_alone() -> None:
    with listening(None) as opened:
        assert opened.getsockname()[0] == "127.0.0.1"
        with pytest.raises(HostError, match="in use"):
            listening(opened.getsockname()[1])


def test_a_button_injects_a_fault_for_its_time(page: Served, engine: Engine) -> None:
    told = page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "1s"}}).json()
    assert told["command"] == "lab fault kill web1 --for 1s"
    _until("the fault", lambda: present(engine))
    _until("its end", lambda: not present(engine))
    state = _until(
        "the work to be done", lambda: (t := page.get("/state").json()) and t["work"]["1"]["state"] == "done" and t
    )
    assert state["work"]["1"]["said"] == "reverted"
    assert [one["text"] for one in state["events"] if one["kind"] == "fault"] == [
        "fault: kill web1",
        "reverted: kill web1",
    ]


def test_heal_ends_all_faults_and_starts_what_is_down(page: Served, engine: Engine) -> None:
    page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "60s"}})
    _until("the fault", lambda: present(engine) and present(engine)[0].proof)
    inject(engine, fault({"kind": "stop", "nodes": ("web2",)}))
    engine.kill("web3")
    assert page.post("/heal", {}).json()["command"] == "lab heal"
    _until(
        "all to run", lambda: {node.state for node in engine.observe().nodes} == {State.RUNNING} and not present(engine)
    )


@pytest.mark.parametrize(
    "body",
    [
        {"do": "explode", "target": "web1"},
        {"do": "kill", "target": "web9"},
        {"do": "kill", "target": "web1; reboot"},
        {"do": "kill", "target": "web1", "settings": {"for": "soon"}},
        {"do": "kill", "target": "web1", "settings": {"for": "9h"}},
        {"do": "freeze", "target": "web1", "settings": {"service": "$(reboot)"}},
        {"do": "kill", "target": "web1", "settings": "for"},
        {"do": "scale", "target": "web", "settings": {"count": "many"}},
    ],
)
def test_what_is_not_possible_is_refused_with_a_reason(page: Served, engine: Engine, body: Mapping[str, Any]) -> None:
    answer = page.post("/do", body)
    if answer.status_code == 200:
        work = str(answer.json()["work"])
        _until("its failure", lambda: page.get("/state").json()["work"][work]["state"] == "failed")
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert present(engine) == []


def test_scale_and_start_do_as_their_commands_say(page: Served, engine: Engine) -> None:
    page.post("/do", {"do": "scale", "target": "web", "settings": {"count": "4"}})
    _until("the fourth", lambda: engine.observe().node("web4"))
    _until("its picture", lambda: 'id="node-web4"' in page.get("/picture.svg").text)
    engine.kill("web4")
    told = page.post("/do", {"do": "start", "target": "web4"}).json()
    assert told["command"] == "lab start web4"
    _until("it to run", lambda: (node := engine.observe().node("web4")) and node.state is State.RUNNING)


def test_ending_the_page_ends_streams_at_once_and_reverts_its_faults(engine: Engine, full: Cluster) -> None:
    with served(engine, full) as page:
        page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "60s"}})
        _until("the fault", lambda: present(engine) and present(engine)[0].proof)
        ended = threading.Event()

        def listen() -> None:
            with requests.get(
                f"{page.base}/events", headers={"Authorization": f"Bearer {TOKENS.read}"}, stream=True, timeout=30
            ) as answer:
                for _ in answer.iter_lines():
                    pass
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        _until("a viewer", lambda: page.page.collector.store.viewers)
        assert page.end() < 4
        assert ended.wait(2)
    assert present(engine) == []
    assert {node.state for node in engine.observe().nodes} == {State.RUNNING}


SERVING = """
from lab.backends.memory import MemoryBackend
from lab.lifecycle.up import up
from lab.page.server import serve
from lab.progress import Silent
from lab.topology import parse
spec = parse("name: golden\\nweb: {count: 1}")
backend = MemoryBackend("golden")
up(spec, backend, Silent())
serve(backend, spec, say=lambda line: print(line, flush=True))
"""


def test_it_prints_its_addresses_and_ends_by_an_interrupt() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    change, read = (process.stdout.readline().split()[0] for _ in range(2))
    session = requests.Session()
    _until("an answer", lambda: _answers(session, change))
    base = change.partition("?")[0]
    assert session.get(f"{base}offers", timeout=5).json()["mayChange"] is True
    shown = requests.Session()
    assert _answers(shown, read)
    assert shown.get(f"{base}offers", timeout=5).json()["mayChange"] is False
    with session.get(f"{base}events", stream=True, timeout=5) as stream:
        next(stream.iter_lines())
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert time.monotonic() - begun < 5
    assert complaints == ""


def _answers(session: requests.Session, address: str) -> bool:
    try:
        return session.get(address, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_a_panel_is_shown_and_its_actions_are_done(engine: Engine, full: Cluster) -> None:
    class Lesson:
        """As of a lesson."""

        def __init__(self) -> None:
            self.done: list[tuple[str, dict[str, str]]] = []

        def lesson(self) -> Mapping[str, Any]:
            return {"title": "Build a balancer", "tasks": [{"id": "a", "says": "two nodes", "state": "open"}]}

        def act(self, verb: str, values: Mapping[str, str]) -> str:
            if verb != "check":
                raise SpecError("no such action")
            self.done.append((verb, dict(values)))
            return "checked"

    lesson = Lesson()
    with served(engine, full, panel=lesson) as page:
        assert page.get("/lesson").json()["title"] == "Build a balancer"
        _until("the panel", lambda: page.get("/state").json().get("lesson", {}).get("title"))
        assert page.post("/lesson", {"verb": "check", "values": {"task": "a"}}).json() == {"said": "checked"}
        assert page.post("/lesson", {"verb": "explode"}).status_code == 400
    assert lesson.done == [("check", {"task": "a"})]


def test_files_of_runs_are_shown_and_no_others(page: Served, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>report</p>", encoding="utf-8")
    (folder / "secret").write_text("x", encoding="utf-8")
    answer = page.get("/runs/one/report.html")
    assert answer.text == "<p>report</p>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    for path in ("/runs/one/secret", "/runs/../pyproject.toml", "/runs/%2e%2e/report.html", "/runs/two/report.html"):
        assert page.get(path).status_code in (403, 404)
