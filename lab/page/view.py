"""From what the sources say to the values of the state. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lab.backends.base import State
from lab.evidence import probes
from lab.export.graph import edges
from lab.page.nodes import PROBE_AGE, NodeState, Proof, proven
from lab.plan import exposure
from lab.recipes import manifest
from lab.services import live

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.evidence.load_run import Row
    from lab.page.judging import FaultSeen
    from lab.page.watch import Look
    from lab.plan import Plan
    from lab.services.live import Badge


@dataclass(frozen=True)
class Seen:
    """All that is known at a moment.

    Attributes:
        flow: requests a second by balancer and server.
        probed: when the last answer of a probe arrived; None: never.
        lost: why there are no answers now.
    """

    look: Look
    plan: Plan | None
    proofs: Mapping[str, Proof]
    pools: Mapping[str, Mapping[str, bool]]
    holder: str | None
    primary: str | None
    faults: Sequence[FaultSeen]
    badges: Mapping[str, Sequence[Badge]]
    flow: Mapping[str, Mapping[str, float]]
    probed: float | None
    lost: str


def running(look: Look) -> list[str]:
    """The nodes that run, as the engine has them."""
    return [node.name for node in look.existing.nodes if node.state is State.RUNNING]


def proofs(  # noqa: PLR0913, PLR0917  the sources
    look: Look,
    latest: Mapping[str, Row],
    checks: Mapping[str, Proof],
    faults: Sequence[FaultSeen],
    now: float,
    doomed: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Proof]:
    """The state of each node that exists or should; `doomed`: nodes that this page kills, and since when."""
    killed = {name: fault.begun for fault in faults if fault.kind == "kill" for name in fault.nodes} | dict(doomed)
    stopped = {name for fault in faults if fault.kind == "stop" for name in fault.nodes}
    found = {}
    for node in look.existing.nodes:
        found[node.name] = proven(
            node,
            latest.get(node.name),
            checks.get(node.name),
            stopped=node.name in stopped,
            engine_at=look.at,
            now=now,
            killed=killed.get(node.name),
        )
    for name in look.expected:
        if name not in found:
            found[name] = Proof(NodeState.DEAD, "does not exist; 'lab up' creates it", look.at)
    return found


def _fresh(row: Row | None, now: float) -> bool:
    return row is not None and now - (row.due + row.seconds) <= PROBE_AGE


def pools(plan: Plan | None, latest: Mapping[str, Row], now: float) -> dict[str, dict[str, bool]]:
    """The pool of each balancer that reports it: whether each server is inside."""
    found = {}
    for node in plan.nodes if plan else ():
        row = latest.get(node.name)
        if row is not None and _fresh(row, now) and probes.good(row) and "=" in row.value:
            inside = probes.members(row.value)
            found[node.name] = {word.partition("=")[0]: word.partition("=")[0] in inside for word in row.value.split()}
    return found


def holder(row: Row | None, now: float) -> str | None:
    """The node that answers on the VIP; None without a fresh answer."""
    return row.value.strip() if row is not None and _fresh(row, now) and probes.good(row) else None


def primary(plan: Plan, latest: Mapping[str, Row], now: float) -> str | None:
    """The node that reports to be the primary."""
    fresh = {name: row for name, row in list(latest.items()) if _fresh(row, now)}
    return live.primary(fresh, {node.name: node.role for node in plan.nodes})


def values(seen: Seen, now: float, *, backend: Backend, stale: float) -> dict[str, Any]:
    """The values of the state, by key; `stale`: seconds after which a source counts as lost."""
    look = seen.look
    fed = seen.probed is not None and now - seen.probed <= stale + 1
    gone = bool(look.at) and not look.existing.nodes and not look.error
    answers = bool(look.at) and now - look.at <= stale
    rates = _rates(seen)
    states = {name: proof.state for name, proof in seen.proofs.items()}
    found: dict[str, Any] = {
        "cluster": {
            "name": backend.cluster,
            "backend": backend.name,
            "family": look.existing.family,
            "gone": gone,
            "ready": bool(states) and answers and all(state is NodeState.READY for state in states.values()),
            "nodes": len(states),
            "down": sorted(name for name, state in states.items() if state is not NodeState.READY),
            "endpoints": list(_addresses(tuple(look.existing.ports.items()))),
        },
        "source": {
            "engine": answers or not look.at,
            "engineWhy": look.error or ("" if answers or not look.at else "it does not answer"),
            "probes": fed,
            "probesWhy": seen.lost or ("" if fed else "no answer of a probe yet"),
        },
        "vip": {"address": look.existing.vip, "holder": seen.holder if fed else None},
        "primary": seen.primary if fed else None,
        "proofs": {name: round(proof.at, 1) for name, proof in seen.proofs.items() if proof.at is not None},
    }
    for node in look.existing.nodes:
        proof = seen.proofs.get(node.name, Proof(NodeState.UNKNOWN))
        if not answers:
            proof = Proof(NodeState.UNKNOWN, "the engine does not answer")
        found[f"node/{node.name}"] = {
            "role": node.role,
            "address": node.address,
            "state": proof.state.value,
            "reason": proof.reason,
            "badges": [asdict(badge) for badge in seen.badges.get(node.name, ())],
            "faults": [fault.mark for fault in seen.faults if node.name in fault.nodes],
            "rate": round(rates.get(node.name, 0)),
            "volumes": sorted(node.fixed.volumes),
        }
    for name, proof in seen.proofs.items():
        if f"node/{name}" not in found and not gone:
            found[f"node/{name}"] = {
                "role": name.rstrip("0123456789"), "address": "", "state": proof.state.value, "reason": proof.reason,
                "badges": [], "faults": [], "rate": 0, "volumes": [],
            }  # fmt: skip
    for balancer, pool in seen.pools.items():
        found[f"pool/{balancer}"] = dict(pool)
    for fault in seen.faults:
        found[f"fault/{fault.mark}"] = {
            "kind": fault.kind, "text": fault.text, "nodes": list(fault.nodes), "edges": [list(e) for e in fault.edges],
            "begun": round(fault.begun, 3), "until": fault.until, "proof": fault.proof,
        }  # fmt: skip
    return found | _edges(seen) | _roles(seen)


@cache
def _addresses(ports: tuple[tuple[str, int], ...]) -> tuple[dict[str, str], ...]:
    """The published addresses; which roles publish what is read from files."""
    return tuple({"name": name, "url": exposure.url(name, port)} for name, port in ports)


def _rates(seen: Seen) -> dict[str, float]:
    """Requests a second by node."""
    found: dict[str, float] = {}
    for balancer, servers in seen.flow.items():
        found[balancer] = sum(servers.values())
        for server, rate in servers.items():
            found[server] = found.get(server, 0) + rate
    if seen.holder:
        found.setdefault(seen.holder, sum(sum(servers.values()) for servers in seen.flow.values()))
    return found


def _edges(seen: Seen) -> dict[str, Any]:
    """The edges that differ from a quiet one: requests a second, out of the pool, cut, slow."""
    if seen.plan is None:
        return {}
    rates, found = _rates(seen), {}
    cut = {frozenset(edge) for fault in seen.faults for edge in fault.edges}
    alone = {name for fault in seen.faults if fault.kind == "cut" and not fault.edges for name in fault.nodes}
    slow = {name for fault in seen.faults if fault.kind == "slow" for name in fault.nodes}
    entry = {node.name for node in seen.plan.nodes if node.holds_vip}
    for left, right in edges(seen.plan):
        told: dict[str, Any] = {}
        rate = seen.flow.get(left, {}).get(right, 0.0)
        if right in seen.flow and (left == seen.holder or left not in entry):
            rate = rates[right]
        if right in entry:
            rate = rates.get(right, 0.0) if right == seen.holder else 0.0
        if rate:
            told["rate"] = round(rate)
        if seen.pools.get(left, {}).get(right, True) is False:
            told["out"] = True
        if frozenset((left, right)) in cut or {left, right} & alone:
            told["cut"] = True
        if {left, right} & slow:
            told["slow"] = True
        if told:
            found[f"edge/{left}>{right}"] = told
    return found


def _roles(seen: Seen) -> dict[str, Any]:
    """What may be done to the nodes of a role: the services that it runs, and how many nodes it has."""
    found = {}
    for role in sorted({node.role for node in seen.look.existing.nodes}):
        try:
            services = sorted(manifest(role).services)
        except KeyError:
            services = []
        count = sum(node.role == role for node in seen.look.existing.nodes)
        found[f"role/{role}"] = {"services": services, "count": count, "primary": role in live.SWITCHOVERS}
    return found
