"""How long it takes until a dead node is out and a returning one is back, beside the formulas that promise it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, promised
from lab.lifecycle import ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.testing import LabCluster

LOOK_SECONDS = 0.02  # between two looks inside a node
LONGEST_SECONDS = 60
READY_SECONDS = 30


def run(cluster: LabCluster, runs: int) -> list[Figure]:
    """Kills and pauses, `runs` times each; the cluster is made whole in between."""
    moves = {fault: [_vip_move(cluster, fault) for _ in range(runs)] for fault in ("kill", "pause")}
    webs = {fault: [_web(cluster, fault) for _ in range(runs)] for fault in ("kill", "pause")}
    rows = [
        figure(f"VIP on the other balancer after a {fault}", "s", values, *promised("vip-moves", cluster.spec))
        for fault, values in moves.items()
    ]
    for fault, pairs in webs.items():
        rows.append(
            figure(
                f"web node out of the pool after a {fault}",
                "s",
                [pair[0] for pair in pairs],
                *promised("web-node-leaves", cluster.spec),
            )
        )
        rows.append(
            figure(
                f"web node back after being ready again ({fault})",
                "s",
                [pair[1] for pair in pairs],
                *promised("web-node-returns", cluster.spec),
            )
        )
    return rows


def _vip_move(cluster: LabCluster, fault: str) -> float:
    cluster.heal()
    (old,) = cluster.vip_holders()
    (other,) = [name for name in cluster.require("tcp-lb", 2) if name != old]
    moved = _moment(cluster, other, f"ip -o address show to {cluster.plan.vip}/32 | grep -q inet")
    return moved(lambda: getattr(cluster.backend, fault)(old))


def _web(cluster: LabCluster, fault: str) -> tuple[float, float]:
    cluster.heal()
    metric = "curl -s http://127.0.0.1:8404/metrics | grep -q"
    row = 'haproxy_server_status{proxy="web",server="web1",state="UP"}'
    out = _moment(cluster, "http-lb1", f"{metric} '^{row} 0'")(lambda: getattr(cluster.backend, fault)("web1"))

    def start() -> None:
        cluster.backend.start("web1")
        ready.node(cluster.backend, "web1", READY_SECONDS)

    back = _moment(cluster, "http-lb1", f"{metric} '^{row} 1'")(start, from_end=True)
    return out, max(0.0, back)


def _moment(cluster: LabCluster, node: str, condition: str) -> Callable[..., float]:
    """Measures, with the node's own eyes, how long after an event a condition comes true in it."""
    loop = f"until {condition}; do sleep {LOOK_SECONDS}; done; date +%s.%N"

    def measure(event: Callable[[], object], *, from_end: bool = False) -> float:
        now = cluster.clock.now
        before = now()
        there = float(cluster.run(node, "date +%s.%N").stdout)
        skew = there - (before + now()) / 2
        with ThreadPoolExecutor(1) as pool:
            watch: Future[str] = pool.submit(lambda: cluster.run(node, loop, seconds=LONGEST_SECONDS).stdout)
            begun = now()
            event()
            since = now() if from_end else begun
            return float(watch.result()) - skew - since

    return measure
