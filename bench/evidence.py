"""What measuring costs, and how far it is to be trusted: beside wrk, beside an outage that is known, in a browser."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, figure
from lab.backends.memory import MemoryBackend
from lab.chaos.record import Record
from lab.evidence import Load, Stream, outages, until
from lab.evidence.latency import percentiles
from lab.services.streams import cluster_probes
from tests.unit import run_data

if TYPE_CHECKING:
    from lab.testing import LabCluster

RATE, SECONDS, FIRST = 500.0, 8.0, 100
MINUTES, FEW_MINUTES = 10, 1  # of the run whose page is opened; few where there is one round only: a look
ONE_CORE, CLOSE, OFF, OPEN_SECONDS, MEGABYTES = 10.0, 1.1, 50.0, 2.0, 5.0
QUICK, SLOW = "/whoami", "/slow?ms=20"
# The node itself stops its web server and says for how long, to the nanosecond.
FREEZE = """
tree() { echo "$1"; for child in $(pgrep -P "$1"); do tree "$child"; done; }
pids=$(tree "$(supervisorctl -c /etc/lab/supervisord.conf pid httpd)")
kill -STOP $pids; begun=$(date +%s.%N); sleep 2; kill -CONT $pids; echo "$begun $(date +%s.%N)"
"""


def run(cluster: LabCluster, runs: int) -> list[Figure]:
    """Everything of one cluster."""
    load, probing = [], []
    off: list[float] = []
    quick: list[tuple[float, float]] = []
    slow: list[tuple[float, float]] = []
    for _ in range(runs):
        load.append(_generator(cluster))
        probing.append(_probes(cluster))
        off.append(_outage(cluster))
        quick += _beside_wrk(cluster, QUICK)
        slow += _beside_wrk(cluster, SLOW)
    minutes = MINUTES if runs > 1 else FEW_MINUTES
    size, opening = _page(runs, minutes)
    whole = f"≤ {ONE_CORE:g} %"
    rows = [
        figure(f"generator at {RATE:g} requests/s, TLS: of one core", "%", load, whole, ONE_CORE),
        figure("probes of every address at 20 Hz: of one core", "%", probing, whole, ONE_CORE),
        figure("an outage of 2 s, as probed: off by", "ms", off, f"≤ {OFF:g} ms", OFF),
        figure(f"the page of {minutes} minutes at 500/s", "MB", [size], f"≤ {MEGABYTES:g} MB", MEGABYTES),
    ]
    for name, pairs in {"a page of 1 ms": quick, "a page of 20 ms": slow}.items():
        if pairs:
            ratio, above = zip(*pairs, strict=True)
            rows.append(figure(f"{name}: median, the generator's / wrk's", "×", ratio, f"≤ {CLOSE:g}", CLOSE))
            rows.append(figure(f"{name}: median, the generator's above wrk's", "ms", above))
    if opening:
        rows.append(figure("the same page, opened in Chromium", "s", opening, f"≤ {OPEN_SECONDS:g} s", OPEN_SECONDS))
    return rows


def _load(cluster: LabCluster, rate: float, path: str = QUICK) -> Load:
    return Load(cluster.backend, Stream("load", f"https://{cluster.host}{path}", rate))


def _generator(cluster: LabCluster) -> float:
    """Percent of one core."""
    with _load(cluster, RATE) as load:
        before, begun = load.load_run.processor_seconds(), time.monotonic()
        load.more(round(RATE * SECONDS))
        used = load.load_run.processor_seconds() - before
        return 100 * used / (time.monotonic() - begun)


def _probes(cluster: LabCluster) -> float:
    with cluster_probes(cluster.backend, cluster.plan, cluster.host) as probes:
        before, begun, count = probes.load_run.processor_seconds(), time.monotonic(), probes.load_run.count()
        until("many answers", 60, probes.load_run.count, lambda now: now > count + 1000)
        used = probes.load_run.processor_seconds() - before
        return 100 * used / (time.monotonic() - begun)


def _outage(cluster: LabCluster) -> float:
    """Milliseconds between what the probes saw and what the node did."""
    with cluster_probes(cluster.backend, cluster.plan, cluster.host) as probes:
        until("a first answer", 10, probes.load_run.count, lambda now: now > FIRST)
        begun, ended = map(float, cluster.run("web1", FREEZE).stdout.split())
        now = probes.load_run.count()
        until("more answers", 10, probes.load_run.count, lambda count: count > now + FIRST)
    (seen,) = outages(probes.rows["web1"])
    return abs(seen.seconds - (ended - begun)) * 1000


def _beside_wrk(cluster: LabCluster, path: str) -> list[tuple[float, float]]:
    """The generator's median response time, as a multiple of wrk's and in milliseconds above it.

    wrk has one connection and asks as fast as it is answered; the generator asks half as often.
    """
    said = cluster.run("client", f"wrk --latency -t1 -c1 -d4s 'https://{cluster.host}{path}'").stdout
    found, rate = re.search(r"\s50%\s+([\d.]+)(us|ms)", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not found or not rate:
        print("skipped: this family has no wrk", file=sys.stderr)
        return []
    theirs = float(found[1]) / (1e6 if found[2] == "us" else 1e3)
    with _load(cluster, float(rate[1]) / 2, path) as load:
        load.more(round(float(rate[1]) * 1.5))
    ours = percentiles(load.answers)[50.0]
    return [(ours / theirs, (ours - theirs) * 1000)]


def _page(runs: int, minutes: int) -> tuple[float, list[float]]:
    """Megabytes, and the seconds of each opening; none where there is no browser."""
    from tests.browser import NAMES, opened

    folder = Path(tempfile.mkdtemp(prefix="labbench-"))
    try:
        page = _written(folder, 60 * minutes)
        size = page.stat().st_size / 1e6
        opening = []
        for _ in range(runs if any(map(shutil.which, NAMES)) else 0):
            with opened(page) as made:
                timing = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
                opening.append(float(made.page.evaluate(timing)))
        return size, opening
    finally:
        shutil.rmtree(folder)


def _written(folder: Path, seconds: int) -> Path:
    """A run of so many seconds with a fault every ten."""
    from lab.topology import parse
    from tests.unit.conftest import FULL

    probed = {
        name: run_data.rows(lambda at: "ok" if at % 10 > 1 else None, seconds) for name in ("site", "web1", "web2")
    }
    faults = [run_data.happened("kill", "web1", at, at + 3) for at in range(5, seconds - 10, 10)]
    seen = run_data.seen(probed, faults, run_data.load(rate=500, seconds=seconds), seconds=seconds)
    told = {"summary": f"{seconds} seconds", "versions": run_data.VERSIONS}
    record = Record.begin(folder, "long", 1, told, 1000)
    record.keep(seen, [], {}, MemoryBackend("golden"), parse(FULL))
    return record.folder / "report.html"
