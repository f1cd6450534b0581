"""The MySQL cluster as one node, with replication and with Galera: transactions a second, and outages after faults."""

from __future__ import annotations

import os
import re
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, promised
from lab.backends import backend
from lab.evidence import Load, Stream, until
from lab.lifecycle.authority import own
from lab.lifecycle.down import down
from lab.lifecycle.secrets import folder
from lab.progress import Silent
from lab.services.ledgers import database
from lab.services.mysql import Member, members, switchover
from lab.testing import LabCluster
from lab.topology import Cluster, Mysql, Placement, TcpLb

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = f"labbench-{os.getpid()}-mysql"
KINDS = {
    "one node": Mysql(count=1),
    "replication": Mysql(),
    "galera": Mysql(topology="galera"),
}
SECONDS, THREADS, ROWS = 10, 8, 10_000
CERTIFICATES = "/var/tmp/bench"  # noqa: S108  in the client, whose users are root alone
RATE = 20.0  # writes a second, while a fault is waited for
SEMI_SYNC_SHARE, PLANNED_SECONDS, WAIT_SECONDS = 0.6, 1.0, 60.0
OUTAGES = {"kill": (3.0, 5.0), "pause": (4.0, 4.0)}
"""The goals after a fault: seconds at the median, and always; the promise's formula is longer."""

REST_SECONDS, REST_SHARE = 20.0, 0.5
INSERT = "INSERT INTO ledger (run, id) VALUES ('bench', '{n}')"


def run(runs: int) -> list[Figure]:
    """Each kind of cluster in turn, all of its figures."""
    rows: list[Figure] = []
    rates: dict[str, list[float]] = {}
    for kind, options in KINDS.items():
        made = backend(Placement(), NAME)
        spec = Cluster(name=NAME, mysql=options, tcp_lb=TcpLb(count=1))
        try:
            begun = time.perf_counter()
            cluster = LabCluster(spec, made)
            rows.append(figure(f"{kind}: until all is ready", "s", [time.perf_counter() - begun]))
            taken = transactions(cluster, min(runs, 5))
            rates[kind] = [rate for rate, _ in taken]
            rows.append(figure(f"{kind}: transactions through the VIP", "/s", rates[kind]))
            rows.append(figure(f"{kind}: p99 of a transaction", "ms", [p99 for _, p99 in taken]))
            if options.count > 1:
                rows += _outages(cluster, kind, runs)
                rows += [_switchovers(cluster, kind, runs), _keepers(cluster, kind)]
        finally:
            down(made, Silent(), volumes=True)
    for kind in ("replication", "galera"):
        share = [one / alone for one, alone in zip(rates[kind], rates["one node"], strict=True)]
        row = figure(f"{kind}: transactions / those of one node", "×", share)
        if kind == "replication":
            row = _at_least(row, SEMI_SYNC_SHARE)
        rows.append(row)
    return rows


def look(cluster: LabCluster, runs: int) -> list[Figure]:
    """Of a cluster that is there, with replication: transactions, and the outage after each fault."""
    taken = transactions(cluster, runs)
    return [
        figure("replication: transactions through the VIP", "/s", [rate for rate, _ in taken]),
        figure("replication: p99 of a transaction", "ms", [p99 for _, p99 in taken]),
        *_outages(cluster, "replication", runs),
    ]


def _at_least(row: Figure, goal: float) -> Figure:
    return Figure(**vars(row) | {"goal": f"≥ {goal:g}", "held": row.median >= goal})


def transactions(cluster: LabCluster, runs: int, seconds: int = SECONDS) -> list[tuple[float, float]]:
    """Transactions a second and their 99th percentile in ms, of sysbench's OLTP mix of reads and writes."""
    if not cluster.run("client", "command -v sysbench").ok:
        print("skipped: this family has no sysbench", file=sys.stderr)
        return [(float("nan"), float("nan"))] * runs
    where = f"--mysql-host={cluster.plan.vip or cluster.plan.node('mysql1').address} --mysql-user=evidence"
    login = f'{where} --mysql-password="$(cat /etc/lab/passwords/evidence)" --mysql-db=evidence --mysql-ssl=on'
    work = f"sysbench oltp_read_write --table-size={ROWS} --create_secondary=off --threads={THREADS} {login}"
    work = f"cd {_certified(cluster)} && {work}"
    _said(cluster, f"{work} prepare")
    found = []
    for _ in range(runs):
        # A conflict between two writers is part of the work, and tried again.
        said = _said(cluster, f"{work} --time={seconds} --percentile=99 --mysql-ignore-errors=1213,1020,1205 run")
        rate = re.search(r"transactions:\s+\d+\s+\(([\d.]+) per sec", said)
        percentile = re.search(r"99th percentile:\s+([\d.]+)", said)
        if rate is None or percentile is None:
            raise RuntimeError(f"sysbench said:\n{said}")
        found.append((float(rate[1]), float(percentile[1])))
    return found


def _certified(cluster: LabCluster) -> str:
    """A folder in the client with the files that sysbench 1.0 reads for TLS, by names that it does not let one choose.

    It takes no CA without a certificate of its own, which the cluster's CA must have issued.
    """
    ca = own(folder(cluster.plan.cluster))
    if ca is None:
        raise RuntimeError(f"the CA of {cluster.plan.cluster} is not on this machine")
    leaf = ca.issued([f"bench.{cluster.plan.cluster}.test"], "bench").encode()
    files = {"cacert.pem": ca.certificate.encode(), "client-cert.pem": leaf, "client-key.pem": leaf}
    _said(cluster, f"install -d -m 700 {CERTIFICATES}")
    cluster.backend.put("client", {f"{CERTIFICATES}/{name}": (text, 0o600) for name, text in files.items()})
    return CERTIFICATES


def _said(cluster: LabCluster, command: str, node: str = "client") -> str:
    done = cluster.run(node, command, seconds=SECONDS + 60)
    if not done.ok:
        raise RuntimeError(f"{command}: {done.last_line}")
    return done.stdout


def _outages(cluster: LabCluster, kind: str, runs: int) -> list[Figure]:
    faults: dict[str, Callable[[str], None]] = {"kill": cluster.backend.kill, "pause": cluster.backend.pause}
    formula, _ = promised("mysql-fails-over", cluster.spec)
    rows = []
    for name, fault in faults.items():
        median, always = OUTAGES[name]
        taken = [_outage(cluster, fault) for _ in range(runs)]
        row = figure(f"{kind}: no writes after a {name}", "s", taken)
        goal = f"≤ {median:g} s, always ≤ {always:g} s; promised: {formula}"
        held = row.median <= median and row.most <= always
        rows.append(Figure(**vars(row) | {"goal": goal, "held": held}))
    return rows


def _switchovers(cluster: LabCluster, kind: str, runs: int) -> Figure:
    taken = [_outage(cluster, lambda _: switchover(cluster.backend, "")) for _ in range(runs)]
    row = figure(f"{kind}: no writes during a planned change", "s", taken)
    return Figure(**vars(row) | {"goal": f"always ≤ {PLANNED_SECONDS:g} s", "held": row.most <= PLANNED_SECONDS})


def _keepers(cluster: LabCluster, kind: str) -> Figure:
    """Shares of a processor that the keepers take while nobody asks for anything."""
    nodes = [node.name for node in cluster.plan.role("mysql")]
    before = [_used(cluster, node) for node in nodes]
    begun = time.monotonic()
    until("a while at rest", 2 * REST_SECONDS, lambda: time.monotonic() - begun > REST_SECONDS)
    spent = [_used(cluster, node) - used for node, used in zip(nodes, before, strict=True)]
    row = figure(f"{kind}: a keeper at rest", "% of a core", [100 * one / (time.monotonic() - begun) for one in spent])
    return Figure(**vars(row) | {"goal": f"≤ {REST_SHARE:g} %", "held": row.median <= REST_SHARE})


def _used(cluster: LabCluster, node: str) -> float:
    """Seconds of a processor that a node's keeper has used, by proc(5): fields 14 and 15, in clock ticks."""
    fields = (
        _said(cluster, "cat /proc/$(pgrep -of lab_node.keeper)/stat; getconf CLK_TCK", node).rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / int(fields[-1])


def _outage(cluster: LabCluster, fault: Callable[[str], object]) -> float:
    """The longest time between two acknowledged writes, when the node that takes them is lost."""
    cluster.heal()
    until("the nodes to be whole", WAIT_SECONDS, lambda: members(cluster.backend), _whole)
    (primary,) = _serving(cluster)
    stream = Stream("writes", database(cluster.plan), RATE, keep=False, post=INSERT)
    with Load(cluster.backend, stream) as load:
        load.more(int(RATE))
        fault(primary)
        until("another to take writes", WAIT_SECONDS, lambda: _serving(cluster) - {primary})
        load.more(2 * int(RATE))
    times = sorted(answer.sent + answer.seconds for answer in load.answers if not answer.failed)
    return max(later - earlier for earlier, later in pairwise(times))


def _serving(cluster: LabCluster) -> set[str]:
    return {member.name for member in members(cluster.backend) if member.serves}


def _whole(found: list[Member]) -> bool:
    """One takes writes, the others follow it; one that was just woken may still believe that it is as before."""
    agreed = len({member.epoch for member in found}) == 1 and not any(member.reason for member in found)
    return agreed and sorted(member.role for member in found) == ["primary", *["replica"] * (len(found) - 1)]
