"""The probes of a cluster: one for each address that its roles serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.load_run import LONGEST_SECONDS, Stream
from lab.evidence.probes import MYSQL, RATE, REPLICAS, SITE, VIP, Probes
from lab.recipes import manifest
from lab.services.ledgers import database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.plan import Host, Plan

STATUS_PORT = 8404


def cluster_probes(
    backend: Backend, plan: Plan, site: str, seconds: float = LONGEST_SECONDS, host: Host | None = None
) -> Probes:
    """The probes of a cluster, at a rate that its client sustains."""
    probes = streams(plan, site, backend.clock.rate(RATE), host)
    return Probes(backend, probes, seconds)


def streams(plan: Plan, site: str, rate: float = RATE, host: Host | None = None) -> list[Stream]:
    """A probe for each address of a cluster: a site as seen by visitors, the VIP's holder, and every node.

    Args:
        plan: the cluster.
        site: the host name of the guest book.
        rate: per second, of each probe.
        host: the site or application that is probed instead.
    """
    path = page(host) if host else "/whoami"
    probes = [Stream(SITE, f"{plan.scheme}://{host.names[0] if host else site}{path}", rate, keep=False)]
    probes = probes if host or plan.role("web") else []
    if plan.vip:
        probes.append(Stream(VIP, f"http://{plan.vip}:{STATUS_PORT}/node", rate, keep=False, value="body"))
    balancers = [*(plan.role("tcp-lb") if plan.role("http-lb") else []), *plan.role("http-lb")]
    probes += [_node(node.name, f"{node.address}:{STATUS_PORT}/servers", rate) for node in balancers]
    probes += [_node(node.name, f"{node.address}/healthz", rate) for node in plan.role("web")]
    for pool in plan.pools:
        if not pool.track:
            probes += [_node(each.name, f"{each.address}:{pool.port}{pool.health}", rate) for each in pool.servers]
    if plan.role("mysql"):
        write = "REPLACE INTO probes VALUES (1, {n})"
        probes.append(Stream(MYSQL, database(plan), rate, keep=False, post=write, value="body"))
        if plan.vip:  # a port of the TCP balancers alone: no mysql node listens there
            read = "SELECT @@hostname"
            probes.append(Stream(REPLICAS, database(plan, 3307), rate, keep=False, post=read, value="body"))
        probes += [_node(node.name, f"{node.address}:9104/role", rate) for node in plan.role("mysql")]
    return probes


def served(plan: Plan, probes: Sequence[Stream]) -> list[Stream]:
    """Those of the probes whose address can answer: on nodes by hand, what the lab runs elsewhere is not run."""
    lacking = {node.name for node in plan.nodes if node.by_hand and manifest(node.role).by_hand.services}
    unserved = set(lacking)
    if lacking >= {node.name for node in plan.role("mysql")}:
        unserved |= {MYSQL, REPLICAS}
    return [stream for stream in probes if stream.name not in unserved]


def roles_shown(plan: Plan, stream: str) -> frozenset[str]:
    """The role whose faults a probe shows; none for the site and the VIP, which are always probed closely."""
    if stream in {MYSQL, REPLICAS}:
        return frozenset({"mysql"})
    return frozenset(node.role for node in plan.nodes if node.name == stream)


def page(host: Host) -> str:
    """The default path of requests to a site or application."""
    return host.pool.health or "/"


def _node(name: str, where: str, rate: float) -> Stream:
    return Stream(name, f"http://{where}", rate, keep=False, value="body")
