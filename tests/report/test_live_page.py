"""The live page in a real browser, on an engine of plain values: what does not depend on a cluster's daemons."""

from __future__ import annotations

import ctypes
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.evidence import outcomes
from lab.evidence.outcomes import green, red
from lab.faults import present
from lab.learning import starting
from lab.learning.library import lesson
from lab.learning.panel import LessonPanel
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import parse
from tests.accessibility import AXE, serious
from tests.durations import at_most
from tests.pages import served
from tests.unit.conftest import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from lab.topology import Cluster
    from tests.browser import Opened
    from tests.pages import Served

PROJECTOR = {"width": 1280, "height": 720}
STALE_SECONDS = 2.0
CAN = Capabilities("memory", frozenset({"nf_tables", "sch_netem"}))


@pytest.fixture
def topology() -> Cluster:
    """The web tier, with ports that no other cluster has."""
    return parse(FULL.replace("ports: {site: 8443, site-http: 8081, stats: 8404}", ""))


@pytest.fixture
def backend(topology: Cluster) -> MemoryBackend:
    """A cluster that is up, whose nodes pass their readiness checks."""
    made = MemoryBackend("golden", CAN)
    up(topology, made, Silent())
    made.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    return made


@pytest.fixture
def page(backend: MemoryBackend, topology: Cluster, tmp_path: Path) -> Iterator[Served]:
    """Its page."""
    with served(backend, topology, folder=tmp_path) as made:
        yield made


def _ready(opened: Opened, seconds: float = 20) -> Page:
    """The page, once every node is shown as ready."""
    opened.page.wait_for_selector("body:not(.stale) #verdict.ready", timeout=seconds * 1000)
    return opened.page


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_killed_collector_is_said_within_two_seconds_and_comes_back(
    page: Served, visit: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.page.routes.WATCH_SECONDS", 1.5)  # long enough to be seen on a busy machine
    opened = visit(page.address)
    shown = _ready(opened)
    thread = page.page.collector.thread
    assert thread
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    thread.join(2)
    assert not thread.is_alive()
    with at_most(STALE_SECONDS):
        shown.wait_for_selector("body.stale", timeout=10_000)
    assert shown.locator(".node.ready").count() == 0
    assert "stale" in shown.inner_text("#stale")
    shown.wait_for_selector("body:not(.stale) #verdict.ready", timeout=20_000)
    assert page.page.collector.thread is not thread
    assert opened.errors == []


def test_the_browser_finds_a_restarted_page_again(
    backend: MemoryBackend, topology: Cluster, visit: Callable[..., Opened], tmp_path: Path
) -> None:
    with served(backend, topology, folder=tmp_path) as page:
        opened = visit(page.address)
        shown = _ready(opened)
        port = page.port
        with at_most(5):  # with an open stream
            page.end()
    with at_most(STALE_SECONDS + 0.5):
        shown.wait_for_selector("body.stale", timeout=10_000)
    assert "lost its server" in shown.inner_text("#stale")
    with served(backend, topology, folder=tmp_path, port=port):
        shown.wait_for_selector("body:not(.stale) #verdict.ready", timeout=20_000)
    assert [text for text in opened.errors if "ERR_CONNECTION" not in text and "ERR_INCOMPLETE" not in text] == []


_OTHER_PART = pytest.mark.nightly("five seconds each; at every change the first script and the events")


@pytest.mark.parametrize(
    "part", ["store.js", "events", *(pytest.param(part, marks=_OTHER_PART) for part in ("page.css", "page.js"))]
)
def test_a_page_of_which_a_part_was_not_loaded_loads_again(
    page: Served, visit: Callable[..., Opened], part: str
) -> None:
    """Browsers abort requests when an address of the machine comes or goes, as the networks of clusters do."""
    opened = visit("about:blank")
    times = 1 if part == "events" else 2
    opened.page.route(f"**/{part}", lambda route: route.abort("failed"), times=times)
    opened.page.goto(page.address)
    opened.page.wait_for_function(
        "() => getComputedStyle(document.querySelector('header')).position === 'sticky'"
        " && sessionStorage.getItem('lab-page-loads') === null",
        timeout=20_000,
    )
    _ready(opened)
    assert len([text for text in opened.errors if "ERR_FAILED" in text]) == times
    assert "token" not in opened.page.url


def test_another_site_in_the_same_browser_does_nothing(
    backend: MemoryBackend, page: Served, visit: Callable[..., Opened]
) -> None:
    """It knows the address, and the browser has the cookie."""
    session = visit(page.address)
    _ready(session)
    script = f"""
        const send = (address, options) => fetch(address, options).then(() => "sent", error => "failed");
        const body = JSON.stringify({{do: "kill", target: "web1"}});
        Promise.all([
          send("{page.base}/do", {{method: "POST", mode: "no-cors", credentials: "include", body}}),
          send("{page.base}/do", {{method: "POST", credentials: "include", headers: {{"X-Lab-Page": "1"}}, body}}),
          send("{page.base}/heal", {{mode: "no-cors", credentials: "include"}}),
        ]).then(all => {{ document.title = all.join(); }});"""

    class Foreign(http.server.BaseHTTPRequestHandler):
        """A page of another origin."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><script>{script}</script>".encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tab = session.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{server.server_port}/")
        tab.wait_for_function("document.title.includes(',')", timeout=10_000)
        assert tab.title().split(",")[1] == "failed"  # the header asks for permission first, which is refused
        server.shutdown()
    assert page.page.actions.works == {}
    assert not present(backend)


@pytest.mark.parametrize(
    "scheme", ["light", pytest.param("dark", marks=pytest.mark.nightly("the same page in other colours: six seconds"))]
)
def test_axe_finds_nothing_serious(page: Served, visit: Callable[..., Opened], scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: 'scripts/axe' installs it")
    opened = visit(page.address, viewport=PROJECTOR, color_scheme=scheme, bypass_csp=True)
    shown = _ready(opened)
    shown.click("#node-web1")
    assert serious(shown) == []
    assert opened.errors == []


@pytest.fixture
def lesson_page(tmp_path: Path) -> Iterator[Served]:
    """The page of a lesson that was just begun."""
    backend = MemoryBackend("golden", CAN)
    attempt = starting.start(lesson(1), backend, Silent())
    backend.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    with served(backend, attempt.scene.cluster, panel=LessonPanel(backend, "-n golden"), folder=tmp_path) as made:
        yield made


_WIDER = pytest.param((1280, 720), id="projector", marks=pytest.mark.nightly("the same page, wider: six seconds each"))


@pytest.mark.parametrize("size", [pytest.param((360, 740), id="phone"), _WIDER])
def test_a_lesson_is_done_beside_the_picture(
    lesson_page: Served, visit: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    answers = [red("refused", "nothing answers on port 80", "curl: 7"), green("httpd runs", "200")]
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: answers[0])
    monkeypatch.setattr("lab.learning.panel.PATIENCE", 0.0)
    opened = visit(lesson_page.address, viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    watcher = visit(lesson_page.read_only)
    shown = opened.page
    shown.wait_for_selector('[data-task="first-page"].next details[open]')
    assert "Part 1: A web server" in shown.inner_text("#lesson")
    assert "LoadModule" in shown.inner_text('[data-task="first-page"]')
    assert shown.locator('[data-task="php"] details[open]').count() == 0
    assert "lab learn check -n golden" in shown.inner_text("#lessonActions")
    assert shown.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert shown.evaluate("(box => box.scrollWidth - box.clientWidth)(document.getElementById('pictureBox'))") == 0
    shown.click('[data-verb="check"]')
    shown.wait_for_selector('[data-task="first-page"].failed .said')
    assert shown.locator('[data-task="first-page"] .hints').count() == 0, "the person looks first"
    shown.click('[data-verb="check"]')
    shown.wait_for_selector('[data-task="first-page"].failed .hints')
    assert "nothing answers on port 80 (curl: 7)" in shown.inner_text('[data-task="first-page"] .said')
    answers.pop(0)
    shown.click('[data-verb="check"]')
    for page in (shown, watcher.page):
        page.wait_for_selector('[data-task="first-page"].done')
        page.wait_for_selector('[data-task="php"].next details[open]')
        assert "1 of 5 green" in page.inner_text("#lesson")
    assert "httpd answers: green" in shown.inner_text("#lessonSaid")
    assert watcher.page.locator("[data-verb]").count() == 0
    assert serious(shown, "#taught") == []
    assert opened.errors == watcher.errors == []


@pytest.mark.parametrize("size", [pytest.param((320, 640), id="phone"), _WIDER])
def test_nothing_is_wider_than_the_screen_and_a_keyboard_is_enough(
    page: Served, visit: Callable[..., Opened], size: tuple[int, int]
) -> None:
    opened = visit(page.address, viewport={"width": size[0], "height": size[1]})
    shown = _ready(opened)
    assert shown.evaluate("document.documentElement.scrollWidth") <= size[0]
    heal = shown.locator("#heal").bounding_box()
    assert heal
    assert heal["x"] + heal["width"] <= size[0]
    first = shown.locator(".node[tabindex='0']").first
    first.focus()
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("Enter")
    chosen = shown.evaluate("document.activeElement.dataset.node")
    assert chosen != first.get_attribute("data-node") or shown.locator(".node.chosen").count() == 1
    assert chosen in shown.inner_text("#chosen")
    assert "ready" in (shown.get_attribute(f"#node-{chosen}", "aria-label") or "")
