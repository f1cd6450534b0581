"""The probes of a cluster: one for each address that its roles serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.load_run import LONGEST_SECONDS, Stream
from lab.evidence.probes import MYSQL, RATE, REPLICAS, SITE, VIP, Probes
from lab.services.ledgers import database

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.plan import Plan

STATUS_PORT = 8404


def cluster_probes(backend: Backend, plan: Plan, site: str, seconds: float = LONGEST_SECONDS) -> Probes:
    """The probes of a cluster, at a rate that its client sustains."""
    probes = streams(plan, site, backend.clock.rate(RATE))
    return Probes(backend, probes, seconds)


def streams(plan: Plan, site: str, rate: float = RATE) -> list[Stream]:
    """A probe for each address of a cluster: the site as seen by visitors, the VIP's holder, and every node."""
    probes = [Stream(SITE, f"{plan.scheme}://{site}/whoami", rate, keep=False)] if plan.role("web") else []
    if plan.vip:
        probes.append(Stream(VIP, f"http://{plan.vip}:{STATUS_PORT}/node", rate, keep=False, value="body"))
    balancers = [*(plan.role("tcp-lb") if plan.role("http-lb") else []), *plan.role("http-lb")]
    probes += [_node(node.name, f"{node.address}:{STATUS_PORT}/servers", rate) for node in balancers]
    probes += [_node(node.name, f"{node.address}/healthz", rate) for node in plan.role("web")]
    if plan.role("mysql"):
        write = "REPLACE INTO probes VALUES (1, {n})"
        probes.append(Stream(MYSQL, database(plan), rate, keep=False, post=write, value="body"))
        probes.append(Stream(REPLICAS, database(plan, 3307), rate, keep=False, post="SELECT @@hostname", value="body"))
        probes += [_node(node.name, f"{node.address}:9104/role", rate) for node in plan.role("mysql")]
    return probes


def _node(name: str, where: str, rate: float) -> Stream:
    return Stream(name, f"http://{where}", rate, keep=False, value="body")
