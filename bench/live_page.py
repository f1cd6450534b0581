"""The live page: what it and a browser cost with 18 nodes at rest, its weight, and how soon it shows something.

How soon a dead node is red counts from its end by the engine's own note, to the moment at which the browser draws it.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
import requests
from playwright.sync_api import sync_playwright

from bench.figures import Figure, figure
from lab.backends.docker import container
from lab.backends.docker.backend import DockerBackend
from lab.topology import DEFAULT_FILE
from tests.browser import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright, Request

    from lab.testing import LabCluster

VIEWERS = 3
SETTLED_SECONDS, MEASURED_SECONDS = 12.0, 20.0
BEGIN_SECONDS = 30.0
CORE, MEMORY, WEIGHT, FIRST, RED = 5.0, 60.0, 300.0, 1.0, 1.0
READY_SECONDS, DEAD_SECONDS = 60.0, 20.0
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
DRAWN = "() => document.querySelectorAll('.node').length && !document.body.classList.contains('waiting')"

WATCH = """drawn => {
  const look = () => { if (!window.drawn && drawn()) window.drawn = performance.now(); };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""

RED_AT = """id => {
  const dead = () => document.getElementById(id).classList.contains("dead");
  const look = () => { if (!window.red && dead()) window.red = Date.now(); };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


def run(cluster: LabCluster, runs: int) -> list[Figure]:
    """The page as a command, without load, on a cluster that is at rest."""
    import shutil

    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip("there is no Chromium here")
    cores, memories, resident, nodes, weights, firsts, reds, drawing = [], [], [], [], [], [], [], []
    for _ in range(runs):
        with _Process(cluster) as page, sync_playwright() as playwright:
            with _browser(playwright, binary) as browser:
                weights.append(_weight(browser.new_page(), page.address))
                firsts.append(_first(browser.new_page(), page.address))
            with _browser(playwright, binary) as browser:
                drawing.append(_drawing(browser, page.address))
            streams = [page.listen() for _ in range(VIEWERS)]
            time.sleep(SETTLED_SECONDS)
            before, machine, begun = page.seconds(), _machine_seconds(), time.monotonic()
            time.sleep(MEASURED_SECONDS)
            took = time.monotonic() - begun
            cores.append((page.seconds() - before) / took * 100)
            nodes.append((_machine_seconds() - machine) / took * 100)
            memories.append(page.memory("Anonymous"))
            resident.append(page.memory("Rss"))
            for stream in streams:
                stream.terminate()
            with _browser(playwright, binary) as browser:  # last: after a fault the page looks closely for a while
                reds.append(_red(browser.new_page(), page.address, cluster))
    return [
        figure("processor of 'lab page', 18 nodes, three viewers, no load", "%", cores, f"{CORE:g} % of a core", CORE),
        figure("memory of 'lab page', the same, without files of programs", "MiB", memories, f"{MEMORY:g} MiB", MEMORY),
        figure("the same with them (resident)", "MiB", resident),
        figure("processors of the whole machine meanwhile, all nodes and the engine included", "%", nodes),
        figure("processor of a browser that shows it, 20 visitors a second, no GPU", "%", drawing),
        figure("weight of the page", "KiB", weights, f"{WEIGHT:g} KiB", WEIGHT),
        figure("first picture", "s", firsts, f"{FIRST:g} s", FIRST),
        figure("red, after a node was killed by its button", "s", reds, f"{RED:g} s", RED),
    ]


@contextmanager
def _browser(playwright: Playwright, binary: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()


class _Process:
    """`lab page` as a process of its own."""

    def __init__(self, cluster: LabCluster) -> None:
        source = cluster.spec.source or str(DEFAULT_FILE)
        argv = [sys.executable, "-u", "-c", "from lab.cli.main import main; main()", "page", "-n", cluster.spec.name]
        self._argv = [*argv, "-f", source, "--no-visitors"]
        self.address = self._token = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout  # noqa: S101  it is a pipe
        self.address = self._process.stdout.readline().strip()
        self._token = self.address.partition("token=")[2]
        deadline = time.monotonic() + BEGIN_SECONDS
        while time.monotonic() < deadline:
            try:
                requests.get(self.address, timeout=5)
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)

    def listen(self) -> subprocess.Popen[str]:
        """A viewer without a browser, whose drawing is not the page's cost."""
        base = self.address.partition("?")[0]
        argv = ["curl", "-sN", "-o", os.devnull, "-H", f"Authorization: Bearer {self._token}", f"{base}events"]
        return subprocess.Popen(argv, text=True)

    def seconds(self) -> float:
        """Its processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, which: str) -> float:
        """Its memory in MiB: `Anonymous`, its own; `Rss`, with the pages of Python's and the libraries' files."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(encoding="utf-8")
        return int(next(line for line in rollup.splitlines() if line.startswith(f"{which}:")).split()[1]) / 1024


def _machine_seconds() -> float:
    """Processor time of the whole machine so far, idle time left out."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:8]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / TICKS


def _weight(page: Page, address: str) -> float:
    """KiB of all that a visit loads, but for the stream."""
    sizes: list[int] = []

    def finished(request: Request) -> None:
        told = request.sizes()
        sizes.append(told["responseHeadersSize"] + told["responseBodySize"])

    page.on("requestfinished", finished)
    page.goto(address)
    page.wait_for_function(DRAWN)
    return sum(sizes) / 1024


def _first(page: Page, address: str) -> float:
    """Seconds from the address to a picture with states, by the browser's own clock: polling would add to them."""
    page.add_init_script(f"addEventListener('DOMContentLoaded', () => ({WATCH})({DRAWN}))")
    page.goto(address)
    page.wait_for_function("() => window.drawn")
    return float(page.evaluate("window.drawn")) / 1000


def _drawing(browser: Browser, address: str) -> float:
    """Percent of a core that a browser takes while requests flow, all its processes together."""
    asked = browser.new_browser_cdp_session()

    def seconds() -> float:
        return sum(float(one["cpuTime"]) for one in asked.send("SystemInfo.getProcessInfo")["processInfo"])

    page = browser.new_page()
    page.goto(address)
    page.wait_for_function(DRAWN)
    page.click("#visitors")
    page.wait_for_selector(".edge.flows", state="attached")
    before, begun = seconds(), time.monotonic()
    time.sleep(MEASURED_SECONDS)
    taken = (seconds() - before) / (time.monotonic() - begun) * 100
    page.click("#visitors")
    return taken


def _red(page: Page, address: str, cluster: LabCluster) -> float:
    """Seconds from the death of a web node, killed by its button, to its red picture. It is ready again at the end."""
    node = cluster.plan.role("web")[0].name
    picture = f"#node-{node}"
    page.goto(address)
    page.wait_for_selector("#verdict.ready", timeout=READY_SECONDS * 1000)
    page.evaluate(RED_AT, picture[1:])
    page.click(picture)
    page.select_option("#for", "5s")
    page.click('[data-do="kill"]')
    page.wait_for_function("() => window.red", timeout=DEAD_SECONDS * 1000)
    died = _died(cluster, node)
    page.wait_for_selector(f"{picture}.ready", timeout=READY_SECONDS * 1000)
    return float(page.evaluate("window.red")) / 1000 - died


def _died(cluster: LabCluster, node: str) -> float:
    """The end of a killed node by the engine's note, in Unix seconds."""
    engine = DockerBackend(cluster.spec.name)
    noted = engine.api.inspect_container(container.name(cluster.spec.name, node))["State"]["FinishedAt"]
    return dt.datetime.fromisoformat(f"{noted[:26].rstrip('Z')}+00:00").timestamp()
