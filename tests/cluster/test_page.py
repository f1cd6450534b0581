"""The live page in a real browser, on a real cluster: what happens is seen, and what is pressed is done."""

from __future__ import annotations

import gc
import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as BrowserTimeout

from lab.backends.base import State
from lab.faults import present
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.page.security import Tokens
from lab.progress import Silent
from lab.testing.rounds import repeated
from lab.topology import load
from tests.descriptors import sockets
from tests.pages import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from lab.testing import LabCluster
    from tests.browser import Opened
    from tests.pages import Served

PROJECTOR = {"width": 1280, "height": 720}
TURNS = 4
Figures = dict[str, tuple[str, str]]
"""By promise: its result and its text, as a page shows them."""

SPAN = "60s"
"""How long a fault lasts at most: each is healed by the button, when what it does was seen by every viewer."""
SEEN_SECONDS = JUDGED_SECONDS = 30.0
READY_SECONDS = 60.0
INJECTED_SECONDS = 30.0
"""From the click until the fault is proven. None of these is a promise: they end a wait for what never comes. How soon
it comes is measured by `make bench`; two slow processors with another cluster take several times as long."""


@pytest.fixture
def page(cluster: LabCluster, tmp_path: Path) -> Iterator[Served]:
    """The page of the cluster."""
    with served(cluster.backend, cluster.spec, folder=tmp_path) as made:
        yield made


def _ready(opened: Opened, cluster: LabCluster, seconds: float = READY_SECONDS) -> Page:
    """The page, once every node is shown as ready."""
    limit = cluster.clock.guard(seconds) * 1000
    opened.page.wait_for_selector("#verdict.ready", timeout=limit)
    return opened.page


def _do(page: Page, chosen: str, action: str, cluster: LabCluster) -> None:
    """Injects a fault by its button; `chosen`: what is clicked to choose the node."""
    page.click(chosen)
    page.select_option("#for", SPAN)
    page.click(f'[data-do="{action}"]')
    _wait(page, "#works li.running:has-text(' left)')", cluster, INJECTED_SECONDS)


def _picked(page: Page, pick: str, cluster: LabCluster) -> str:
    """The node that a button of roles names, once it is known."""
    _wait(page, f'[data-pick="{pick}"]:visible', cluster)
    return page.inner_text(f'[data-pick="{pick}"]').partition(": ")[2]


def _wait(page: Page, selector: str, cluster: LabCluster, seconds: float = SEEN_SECONDS) -> None:
    page.wait_for_selector(selector, timeout=cluster.clock.guard(seconds) * 1000, state="attached")


def _judged(page: Page, cluster: LabCluster, *promises: str) -> Figures:
    """The figures of promises, as shown once they hold, or unknown: the page shows that only where a stall hid it."""
    figures = {}
    for name in promises:
        row = f'[data-promise="{name}"]'
        try:
            _wait(page, f'{row}[data-result="holds"]', cluster, JUDGED_SECONDS)
        except BrowserTimeout:
            result, figure = page.get_attribute(row, "data-result"), page.inner_text(row)
            assert result == "unknown", figure
            figures[name] = (result, figure)
        else:
            figures[name] = ("holds", page.inner_text(f"{row} .figure"))
    return figures


def _rounds(cluster: LabCluster, folder: Path, play: Callable[[Served], Figures]) -> Figures:
    """Plays until all promises hold. Each round has a page of its own, which judges no fault of an earlier one."""

    def judge() -> Figures:
        with served(cluster.backend, cluster.spec, folder=folder) as page:
            return play(page)

    def excuse(figures: Figures) -> str:
        return "; ".join(figure for result, figure in figures.values() if result == "unknown")

    return repeated(cluster.clock, judge, excuse, partial(cluster.heal, cluster.applied))


def test_a_web_node_is_killed_by_its_button(cluster: LabCluster, tmp_path: Path, visit: Callable[..., Opened]) -> None:
    """Red, out of every pool, back, and no visitor saw an error. How soon it is red is measured by `make bench`."""
    cluster.require("web", 2)
    _rounds(cluster, tmp_path, partial(_killed, cluster, visit))


def _killed(cluster: LabCluster, visit: Callable[..., Opened], page: Served) -> Figures:
    (name, *_), balancers = cluster.require("web", 2), [node.name for node in cluster.plan.role("http-lb")]
    opened = visit(page.address, viewport=PROJECTOR)
    shown = _ready(opened, cluster)
    _do(shown, f"#node-{name}", "kill", cluster)
    assert shown.inner_text("#command").startswith(f"lab fault kill {name} --for {SPAN}")
    _wait(shown, f"#node-{name}.dead", cluster)
    for balancer in balancers:
        _wait(shown, f"#edge-{balancer}-{name}.out", cluster, (cluster.bound("web-node-leaves") or 0) + 3)
    shown.click("#heal")
    _wait(shown, f"#node-{name}.ready", cluster, READY_SECONDS)
    for balancer in balancers:
        _wait(shown, f"#edge-{balancer}-{name}:not(.out)", cluster)
    figures = _judged(shown, cluster, "web-node-leaves", "web-node-dies")
    assert shown.get_attribute("#rates", "data-failed") == "0"
    assert f"{balancers[0]} took {name} out" in shown.inner_text("#eventList")
    assert opened.errors == []
    assert all(address.startswith((f"{page.base}/", "data:")) for address in opened.asked)
    return figures


def test_the_vip_moves_in_the_picture_and_its_promise_shows_the_figure(
    cluster: LabCluster, tmp_path: Path, visit: Callable[..., Opened]
) -> None:
    cluster.require("tcp-lb", 2)
    figures = _rounds(cluster, tmp_path, partial(_moved, cluster, visit))
    assert f"promised {cluster.bound('vip-moves'):.2f} s" in figures["vip-moves"][1]


def _moved(cluster: LabCluster, visit: Callable[..., Opened], page: Served) -> Figures:
    opened = visit(page.address, viewport=PROJECTOR)
    shown = _ready(opened, cluster)
    holder = _picked(shown, "holder", cluster)
    assert holder == shown.get_attribute("#vip", "data-holder") == cluster.vip_holders()[0]
    _do(shown, '[data-pick="holder"]', "cut", cluster)
    _wait(shown, f'#vip:not([data-holder="{holder}"])', cluster)
    _wait(shown, f"#edge-client-{holder}.cut", cluster)
    assert "cut off" in (shown.text_content(f"#node-{holder} .faults") or "")
    shown.click("#heal")
    _wait(shown, f"#edge-client-{holder}:not(.cut)", cluster)
    figures = _judged(shown, cluster, "vip-moves")
    cluster.until("no fault to be noted", SEEN_SECONDS, lambda: not present(cluster.backend))
    assert opened.errors == []
    return figures


@pytest.mark.nightly("a minute; at every change the VIP moves in the picture")
def test_two_viewers_see_another_primary_and_agree(
    cluster: LabCluster, page: Served, visit: Callable[..., Opened]
) -> None:
    cluster.require("mysql", 3)
    first, second = visit(page.address, viewport=PROJECTOR), visit(page.read_only)
    shown, other = _ready(first, cluster), _ready(second, cluster)
    assert other.locator("[data-do]").count() == 0
    assert other.locator("button.change:visible").count() == 0
    old = _picked(shown, "primary", cluster)
    _do(shown, '[data-pick="primary"]', "kill", cluster)
    for each in (shown, other):
        _wait(each, f"#node-{old}.dead", cluster)
        _wait(each, f".node:not(#node-{old}) .badges:has-text('primary')", cluster)
    shown.click("#heal")
    for each in (shown, other):
        _wait(each, f"#node-{old}.ready", cluster, 40)
    script = "() => [...document.querySelectorAll('.node')].map(node => node.id + node.className.baseVal)"
    cluster.until(
        "both to agree", 10, lambda: [shown.evaluate(script), other.evaluate(script)], lambda both: _plain(*both)
    )
    assert first.errors == second.errors == []


@pytest.mark.nightly("a quarter of a minute; at every change a browser finds a restarted page again")
def test_a_page_that_is_left_and_opened_again_holds_no_more_connections(
    cluster: LabCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a `lab page` does for hours: it is left alone, and looked at again. Its followed logs leave nothing open."""
    nodes, opened = len(cluster.plan.nodes), []
    monkeypatch.setattr("lab.page.collector.IDLE_SECONDS", 3.0)
    cluster.until("the pages before to have ended", 10, lambda: not _followers())
    gc.collect()
    gc.disable()  # what only a search for cycles closes counts as open
    try:
        tokens = Tokens("another-token-that-changes", "another-token-that-reads")
        with served(cluster.backend, cluster.spec, folder=tmp_path, tokens=tokens) as page:
            for _ in range(TURNS):
                # Looked at until they are: of many nodes, the last ones are not followed yet when one look is over.
                look = partial(page.get, "/state", tokens.read)
                cluster.until("all logs to be followed", 40, look, lambda _: _followers() == nodes)
                cluster.until("none to be", 30, lambda: page.page.collector.idle and not _followers())
                opened.append(sockets())
    finally:
        gc.enable()
    assert opened[-1] < opened[0] + nodes, f"{nodes} followed logs; open after each turn: {opened}"


def _followers() -> int:
    return sum(thread.name.startswith("page log") for thread in threading.enumerate())


def _plain(one: list[str], other: list[str]) -> bool:
    return [text.replace(" chosen", "") for text in one] == other


@pytest.mark.nightly(
    "a scenario and a recording: a minute; tests/unit/test_page_end.py plays a scenario at every change"
)
def test_a_scenario_is_followed_and_a_recording_is_a_run(
    cluster: LabCluster, page: Served, visit: Callable[..., Opened], tmp_path: Path
) -> None:
    opened = visit(page.address, viewport=PROJECTOR)
    shown = _ready(opened, cluster)
    shown.select_option("#scenario", "web-node-dies")
    shown.click("#play")
    _wait(shown, "#works li.done a", cluster, 90)
    with shown.expect_popup() as report:
        shown.click("#works li.done a")
    assert "web-node-dies" in report.value.inner_text("body")
    _ready(opened, cluster)
    shown.click("#record")
    _wait(shown, '#record[aria-pressed="true"]', cluster)
    _do(shown, "#node-web1", "kill", cluster)
    _wait(shown, "#node-web1.dead", cluster)
    shown.click("#heal")
    _wait(shown, "#node-web1.ready", cluster, READY_SECONDS)
    shown.click("#record")
    cluster.until("the report", 30, lambda: list(tmp_path.glob("*-recording/report.html")))
    (history,) = tmp_path.glob("*-recording/history.jsonl")
    assert "kill web1" in history.read_text(encoding="utf-8")
    assert opened.errors == []


@pytest.mark.nightly("a cluster of its own; at every change a node is killed under the page")
def test_a_cluster_that_is_removed_under_the_page_is_gone(
    request: pytest.FixtureRequest, visit: Callable[..., Opened], tmp_path: Path
) -> None:
    from lab.backends import backend
    from lab.testing.plugin import place

    family, name = request.config.getoption("--family"), f"labtest-{os.getpid()}-page"
    spec = load(Path("tests/cluster/topologies/page.yaml"), family=family, name=name)
    made = backend(place(request.config), spec.name)
    try:
        up(spec, made, Silent())
        with served(made, spec, folder=tmp_path) as page:
            opened = visit(page.address)
            opened.page.wait_for_selector("#verdict.ready", timeout=made.clock.guard(READY_SECONDS) * 1000)
            down(made, Silent(), volumes=True)
            opened.page.wait_for_selector("#verdict:text-is('gone')", timeout=made.clock.guard(SEEN_SECONDS) * 1000)
            assert "does not exist any more" in opened.page.inner_text("#stale")
            assert opened.page.locator(".node.ready").count() == 0
            up(spec, made, Silent())
            again = "body:not(.stale) #verdict.ready"
            opened.page.wait_for_selector(again, timeout=made.clock.guard(READY_SECONDS) * 1000)
            assert all(node.state is State.RUNNING for node in made.observe().nodes)
    finally:
        down(made, Silent(), volumes=True)
