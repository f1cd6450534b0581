"""What the live page injected ends with it: faults of buttons, and those of a running scenario."""

from __future__ import annotations

import threading
import time
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self

import pytest

from lab.backends.base import State
from lab.chaos.fault_runner import FaultRunner
from lab.chaos.schedule import Planned
from lab.faults import fault, inject, present
from lab.page import actions
from lab.progress import Silent
from tests.durations import at_most
from tests.pages import served
from tests.unit.live_page import Engine, until

if TYPE_CHECKING:
    from pathlib import Path

    from lab.topology import Cluster
    from tests.pages import Served

pytestmark = pytest.mark.slow("a page is served, and waits for what it began")


class Quiet:
    """Measurements without a client."""

    def __init__(self, *_: object) -> None:
        self.load_run = SimpleNamespace(stalls=[])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def more(self, _: int) -> None:
        """As if there were answers."""


@pytest.fixture
def _no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios whose only part is their faults."""
    module = import_module("lab.chaos.run")  # `lab.chaos` has a function of this name
    monkeypatch.setattr(module, "cluster_probes", Quiet)
    monkeypatch.setattr(module, "Load", Quiet)


def _running(engine: Engine) -> bool:
    return {node.state for node in engine.observe().nodes} == {State.RUNNING}


def _play(page: Served, engine: Engine) -> None:
    assert page.post("/scenario", {"name": "web-node-dies"}).status_code == 200
    until("the fault of the scenario", lambda: present(engine) and present(engine)[0].proof)


def test_a_run_that_is_ended_reverts_its_faults_and_injects_no_other(engine: Engine) -> None:
    stop = threading.Event()
    planned = [Planned(0.0, 60.0, "kill", "web1"), Planned(50.0, 60.0, "kill", "web2")]
    thread = threading.Thread(target=FaultRunner(engine, planned, 1, Silent(), stop).run, args=(time.time(),))
    thread.start()
    until("the fault", lambda: present(engine) and present(engine)[0].proof)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert present(engine) == []
    assert "kill web2" not in engine.done


@pytest.mark.usefixtures("_no_client")
def test_the_end_of_the_page_ends_its_scenario(engine: Engine, full: Cluster, tmp_path: Path) -> None:
    with served(engine, full, folder=tmp_path) as page:
        _play(page, engine)
        with at_most(6):
            page.end()
    assert present(engine) == []
    assert _running(engine)


@pytest.mark.usefixtures("_no_client")
def test_heal_ends_a_scenario_at_once(page: Served, engine: Engine) -> None:
    _play(page, engine)
    with at_most(6):
        page.post("/heal", {})
        until("all to run", lambda: not present(engine) and _running(engine))
        state = until("its end", lambda: (t := page.get("/state").json()) and t["work"]["2"]["state"] == "done" and t)
    assert state["work"]["1"]["said"].startswith("the run was ended before the end of its scenario")


def test_heal_waits_a_short_time_for_a_work_that_goes_on(
    page: Served, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "HEAL_SECONDS", 0.3)
    ended = threading.Event()
    page.page.actions.begin("a long one", lambda *_: str(ended.wait(30)))
    engine.kill("web1")
    page.post("/heal", {})
    until("web1 to run", lambda: _running(engine))
    ended.set()


def test_the_end_of_the_page_reverts_what_was_injected_until_healed(engine: Engine, full: Cluster) -> None:
    with served(engine, full) as page:
        page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "none"}})
        until("the work", lambda: page.page.actions.works[1].state == "done")
        assert "and so does the end of this page" in page.page.actions.works[1].message
        assert len(present(engine)) == 1
        page.end()
    assert present(engine) == []
    assert _running(engine)


def test_the_end_of_the_page_leaves_the_faults_of_others(engine: Engine, full: Cluster) -> None:
    with served(engine, full) as page:
        inject(engine, fault({"kind": "stop", "nodes": ("web2",)}))
        page.end()
    assert [str(one.fault) for one in present(engine)] == ["stop web2"]
