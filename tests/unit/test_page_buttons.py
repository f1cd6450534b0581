"""The buttons of the live page: offers, commands and their works."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Capabilities, Lack, State
from lab.errors import SpecError
from lab.faults import fault, inject, present
from lab.page import offers
from lab.topology import parse
from tests.pages import served
from tests.unit.conftest import FULL
from tests.unit.live_page import CAN, Engine, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pages import Served

pytestmark = pytest.mark.slow("a page is served, and its buttons wait for what they begin")


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


def test_a_button_injects_a_fault_for_its_time(page: Served, engine: Engine) -> None:
    told = page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "1s"}}).json()
    assert told["command"] == "lab fault kill web1 --for 1s"
    until("the fault", lambda: present(engine))
    until("its end", lambda: not present(engine))
    state = until(
        "the work to be done", lambda: (t := page.get("/state").json()) and t["work"]["1"]["state"] == "done" and t
    )
    assert state["work"]["1"]["said"] == "reverted"
    assert [one["text"] for one in state["events"] if one["kind"] == "fault"] == [
        "fault: kill web1",
        "reverted: kill web1",
    ]


def test_heal_ends_all_faults_and_starts_what_is_down(page: Served, engine: Engine) -> None:
    page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "60s"}})
    until("the fault", lambda: present(engine) and present(engine)[0].proof)
    inject(engine, fault({"kind": "stop", "nodes": ("web2",)}))
    engine.kill("web3")
    assert page.post("/heal", {}).json()["command"] == "lab heal"
    until(
        "all to run", lambda: {node.state for node in engine.observe().nodes} == {State.RUNNING} and not present(engine)
    )


IMPOSSIBLE: tuple[dict[str, Any], ...] = (
    {"do": "explode", "target": "web1"},
    {"do": "kill", "target": "web9"},
    {"do": "kill", "target": "web1; reboot"},
    {"do": "kill", "target": "web1", "settings": {"for": "soon"}},
    {"do": "kill", "target": "web1", "settings": {"for": "9h"}},
    {"do": "freeze", "target": "web1", "settings": {"service": "$(reboot)"}},
    {"do": "kill", "target": "web1", "settings": "for"},
    {"do": "scale", "target": "web", "settings": {"count": "many"}},
)


def _failed(page: Served, work: str) -> bool:
    """Whether a work has ended, and failed."""
    state = page.get("/state").json()["work"].get(work, {}).get("state", "running")
    assert state in {"running", "failed"}
    return bool(state == "failed")


def test_what_is_not_possible_is_refused_with_a_reason(page: Served, engine: Engine) -> None:
    for body in IMPOSSIBLE:
        answer = page.post("/do", body)
        if answer.status_code == 200:
            work = str(answer.json()["work"])
            until(f"the failure of {body}", partial(_failed, page, work))
        else:
            assert answer.status_code == 400, body
            assert answer.json()["error"], body
        assert present(engine) == [], body


def test_scale_brings_the_releases_of_sites_to_new_nodes(tmp_path: Path) -> None:
    topology = parse(f"{FULL}sites: {{blog: {{}}}}\n")
    engine = running(topology)
    engine.answers["sites"] = (0, '{"releases": [], "switched": ""}')
    with served(engine, topology, folder=tmp_path) as page:
        page.post("/do", {"do": "scale", "target": "web", "settings": {"count": "4"}})
        work = until("its end", lambda: (one := page.page.actions.works[1]).state != "running" and one)
        assert (work.state, work.message) == ("done", "web has 4 nodes")
    assert "run web4 sites" in engine.done


def test_the_picture_and_the_probes_follow_fewer_nodes(page: Served, engine: Engine) -> None:
    until("the picture", lambda: 'id="node-web3"' in page.get("/picture.svg").text)
    page.post("/do", {"do": "scale", "target": "web", "settings": {"count": "2"}})
    until("the third to be removed", lambda: engine.observe().node("web3") is None)
    until("its picture", lambda: 'id="node-web3"' not in page.get("/picture.svg").text)
    plan = page.page.collector.plan
    assert plan
    assert "web3" not in [node.name for node in plan.nodes]
    state = until("its end", lambda: (t := page.get("/state").json()) and "web3" not in t["node"] and t)
    assert "web3" not in str(state["streams"])


def test_a_node_that_is_missing_keeps_its_place(page: Served, engine: Engine) -> None:
    until("the picture", lambda: 'id="node-web3"' in page.get("/picture.svg").text)
    engine.remove("web3")
    until("it to be missed", lambda: "does not exist" in page.get("/state").json()["node"]["web3"]["reason"])
    assert 'id="node-web3"' in page.get("/picture.svg").text


def test_start_and_heal_do_not_wait_for_a_node_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.lifecycle.ready.READY_SECONDS", 0.2)
    topology = parse(f"{FULL}by-hand: [http-lb1]\n")
    engine = running(topology)
    engine.answers["await"] = (1, "HAProxy does not answer")
    with served(engine, topology, folder=tmp_path) as page:
        works = page.page.actions.works
        requests: list[tuple[str, dict[str, str]]] = [("/do", {"do": "start", "target": "http-lb1"}), ("/heal", {})]
        for path, body in requests:
            engine.kill("http-lb1")
            number = page.post(path, body).json()["work"]
            until("its end", lambda number=number: works[number].state != "running")  # type: ignore[misc]
            work = works[number]
            assert work.state == "done", work.message
            node = engine.observe().node("http-lb1")
            assert node
            assert node.state is State.RUNNING


def test_scale_and_start_do_as_their_commands_say(page: Served, engine: Engine) -> None:
    page.post("/do", {"do": "scale", "target": "web", "settings": {"count": "4"}})
    until("the fourth", lambda: engine.observe().node("web4"))
    until("its picture", lambda: 'id="node-web4"' in page.get("/picture.svg").text)
    engine.kill("web4")
    told = page.post("/do", {"do": "start", "target": "web4"}).json()
    assert told["command"] == "lab start web4"
    until("it to run", lambda: (node := engine.observe().node("web4")) and node.state is State.RUNNING)
