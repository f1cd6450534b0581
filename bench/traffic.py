"""Requests a second through both balancers with TLS, beside one web node reached directly: ratios of one run."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from bench.figures import Figure, figure

if TYPE_CHECKING:
    from lab.testing import LabCluster

SECONDS, CONNECTIONS, THREADS = 5, 32, 2
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def run(cluster: LabCluster, runs: int) -> list[Figure]:
    """Wrk in the client node, each way in turn."""
    ways = {
        "one web node, directly": "http://web1/healthz",
        "VIP, TLS, both balancers": f"https://{cluster.host}/healthz",
    }
    if not cluster.run("client", "command -v wrk").ok:
        print("skipped: this family has no wrk", file=sys.stderr)
        return []
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, url in ways.items():
            taken[name].append(_wrk(cluster, url))
    rows = []
    for name, found in taken.items():
        rows.append(figure(f"{name}: requests", "/s", [entry["rate"] for entry in found]))
        rows += [figure(f"{name}: {part}", "ms", [entry[part] for entry in found]) for part in ("p50", "p99")]
    direct, through = (taken[name] for name in ways)
    ratio = [b["rate"] / a["rate"] for a, b in zip(direct, through, strict=True)]
    return [*rows, figure("rate through the balancers / directly", "×", ratio)]


def _wrk(cluster: LabCluster, url: str) -> dict[str, float]:
    command = f"wrk --latency -t{THREADS} -c{CONNECTIONS} -d{SECONDS}s {url}"
    said = cluster.run("client", command, seconds=SECONDS + 30).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None or "Non-2xx" in said:
        raise RuntimeError(f"{command} said:\n{said}")
    return {"rate": float(rate[1])} | {f"p{p}": _percentile(said, p) for p in (50, 99)}


def _percentile(said: str, percent: int) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)", said)
    return float(found[1]) * UNITS[found[2]] if found else float("nan")
