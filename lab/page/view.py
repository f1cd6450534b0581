"""From what the sources say to the values of the state. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lab.backends.base import State
from lab.clock import REAL
from lab.evidence import probes
from lab.export.graph import edges
from lab.page.nodes import PROBE_AGE, NodeState, Proof, proven
from lab.plan import exposure
from lab.recipes import manifest
from lab.services import live

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.clock import Clock
    from lab.evidence.load_run import Row
    from lab.page.judging import FaultSeen
    from lab.page.watch import Look
    from lab.plan import Plan
    from lab.services.live import Badge


@dataclass(frozen=True)
class PageFacts:
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
    clock: Clock = REAL,
) -> dict[str, Proof]:
    """The state of each node that exists or should; `doomed`: nodes that this page kills, and since when."""
    killed = {name: fault.begun for fault in faults if fault.kind == "kill" for name in fault.nodes} | dict(doomed)
    stopped = {name for fault in faults if fault.kind == "stop" for name in fault.nodes}
    states = {}
    for node in look.existing.nodes:
        states[node.name] = proven(
            node,
            latest.get(node.name),
            checks.get(node.name),
            stopped=node.name in stopped,
            engine_at=look.at,
            now=now,
            killed=killed.get(node.name),
            clock=clock,
        )
    for name in look.expected:
        if name not in states:
            states[name] = Proof(NodeState.DEAD, "does not exist; 'lab up' creates it", look.at)
    return states


def _fresh(row: Row | None, now: float, clock: Clock) -> bool:
    return row is not None and now - (row.due + row.seconds) <= clock.limit(PROBE_AGE)


def pools(plan: Plan | None, latest: Mapping[str, Row], now: float, clock: Clock = REAL) -> dict[str, dict[str, bool]]:
    """The pool of each balancer that reports it: whether each server is inside."""
    balancers = {}
    for node in plan.nodes if plan else ():
        row = latest.get(node.name)
        if row is not None and _fresh(row, now, clock) and probes.good(row) and "=" in row.value:
            inside = probes.members(row.value)
            balancers[node.name] = {
                word.partition("=")[0]: word.partition("=")[0] in inside for word in row.value.split()
            }
    return balancers


def holder(row: Row | None, now: float, clock: Clock = REAL) -> str | None:
    """The node that answers on the VIP; None without a fresh answer."""
    return row.value.strip() if row is not None and _fresh(row, now, clock) and probes.good(row) else None


def primary(plan: Plan, latest: Mapping[str, Row], now: float, clock: Clock = REAL) -> str | None:
    """The node that reports to be the primary."""
    fresh = {name: row for name, row in list(latest.items()) if _fresh(row, now, clock)}
    return live.primary(fresh, {node.name: node.role for node in plan.nodes})


def values(facts: PageFacts, now: float, *, backend: Backend, stale: float) -> dict[str, Any]:
    """The values of the state, by key; `stale`: seconds after which a source counts as lost.

    Nodes that are by hand are not awaited, as in `lab status`: `ready` and `down` leave them out.
    """
    look = facts.look
    fed = facts.probed is not None and now - facts.probed <= stale + 1
    gone = bool(look.at) and not look.existing.nodes and not look.error
    answers = bool(look.at) and now - look.at <= stale
    by_hand = {node.name for node in look.existing.nodes if node.fixed.by_hand}
    states = {name: proof.state for name, proof in facts.proofs.items()}
    unready = sorted(name for name, state in states.items() if state is not NodeState.READY and name not in by_hand)
    shown: dict[str, Any] = {
        "cluster": {
            "name": backend.cluster,
            "backend": backend.name,
            "family": look.existing.family,
            "gone": gone,
            "ready": bool(states) and answers and not unready,
            "nodes": len(states),
            "down": unready,
            "byHand": sorted(by_hand),
            "endpoints": list(_addresses(tuple(look.existing.ports.items()))),
        },
        "source": {
            "engine": answers or not look.at,
            "engineWhy": look.error or ("" if answers or not look.at else "it does not answer"),
            "probes": fed,
            "probesWhy": facts.lost or ("" if fed else "no answer of a probe yet"),
        },
        "vip": {"address": look.existing.vip, "holder": facts.holder if fed else None},
        "primary": facts.primary if fed else None,
        "proofs": {name: round(proof.at, 1) for name, proof in facts.proofs.items() if proof.at is not None},
    }
    nodes = _existing(facts, answers=answers)
    missing = {} if gone else {key: value for key, value in _missing(facts).items() if key not in nodes}
    balancers = {f"pool/{balancer}": dict(pool) for balancer, pool in facts.pools.items()}
    return shown | nodes | missing | balancers | _faults(facts) | _edges(facts) | _roles(facts)


def _existing(facts: PageFacts, *, answers: bool) -> dict[str, Any]:
    """The nodes that the engine has; `answers`: whether it answers."""
    rates, nodes = _rates(facts), {}
    for node in facts.look.existing.nodes:
        proof = facts.proofs.get(node.name, Proof(NodeState.UNKNOWN))
        if not answers:
            proof = Proof(NodeState.UNKNOWN, "the engine does not answer")
        nodes[f"node/{node.name}"] = {
            "role": node.role,
            "address": node.address,
            "state": proof.state.value,
            "reason": proof.reason,
            "badges": [asdict(badge) for badge in facts.badges.get(node.name, ())],
            "faults": [fault.mark for fault in facts.faults if node.name in fault.nodes],
            "rate": round(rates.get(node.name, 0)),
            "volumes": sorted(node.fixed.volumes),
        }
        if node.fixed.by_hand:
            nodes[f"node/{node.name}"]["services"] = _services(node.role, by_hand=True)
    return nodes


def _services(role: str, *, by_hand: bool = False) -> list[str]:
    """The services that nodes of a role run, or those of them that are by hand."""
    try:
        known = manifest(role)
    except KeyError:
        return []
    if not by_hand:
        return sorted(known.services)
    return sorted((known.services.keys() - set(known.by_hand.services)) | known.by_hand.runs.keys())


def _missing(facts: PageFacts) -> dict[str, Any]:
    """The nodes with a proof, as the engine has none of them."""
    return {
        f"node/{name}": {
            "role": name.rstrip("0123456789"), "address": "", "state": proof.state.value, "reason": proof.reason,
            "badges": [], "faults": [], "rate": 0, "volumes": [],
        }
        for name, proof in facts.proofs.items()
    }  # fmt: skip


def _faults(facts: PageFacts) -> dict[str, Any]:
    """The active faults."""
    return {
        f"fault/{fault.mark}": {
            "kind": fault.kind, "text": fault.text, "nodes": list(fault.nodes), "edges": [list(e) for e in fault.edges],
            "begun": round(fault.begun, 3), "until": fault.until, "proof": fault.proof,
        }
        for fault in facts.faults
    }  # fmt: skip


@cache
def _addresses(ports: tuple[tuple[str, int], ...]) -> tuple[dict[str, str], ...]:
    """The published addresses; which roles publish what is read from files."""
    return tuple({"name": name, "url": exposure.url(name, port)} for name, port in ports)


def _rates(facts: PageFacts) -> dict[str, float]:
    """Requests a second by node."""
    rates: dict[str, float] = {}
    for balancer, servers in facts.flow.items():
        rates[balancer] = sum(servers.values())
        for server, rate in servers.items():
            rates[server] = rates.get(server, 0) + rate
    if facts.holder:
        rates.setdefault(facts.holder, sum(sum(servers.values()) for servers in facts.flow.values()))
    return rates


def _edges(facts: PageFacts) -> dict[str, Any]:
    """The edges that differ from a quiet one: requests a second, out of the pool, cut, slow."""
    if facts.plan is None:
        return {}
    rates, shown = _rates(facts), {}
    cut = {frozenset(edge) for fault in facts.faults for edge in fault.edges}
    alone = {name for fault in facts.faults if fault.kind == "cut" and not fault.edges for name in fault.nodes}
    slow = {name for fault in facts.faults if fault.kind == "slow" for name in fault.nodes}
    entry = {node.name for node in facts.plan.nodes if node.holds_vip}
    for left, right in edges(facts.plan):
        changes: dict[str, Any] = {}
        rate = facts.flow.get(left, {}).get(right, 0.0)
        if right in facts.flow and (left == facts.holder or left not in entry):
            rate = rates[right]
        if right in entry:
            rate = rates.get(right, 0.0) if right == facts.holder else 0.0
        if rate:
            changes["rate"] = round(rate)
        if facts.pools.get(left, {}).get(right, True) is False:
            changes["out"] = True
        if frozenset((left, right)) in cut or {left, right} & alone:
            changes["cut"] = True
        if {left, right} & slow:
            changes["slow"] = True
        if changes:
            shown[f"edge/{left}>{right}"] = changes
    return shown


def _roles(facts: PageFacts) -> dict[str, Any]:
    """What may be done to the nodes of a role: the services that it runs, and how many nodes it has."""
    roles = {}
    for role in sorted({node.role for node in facts.look.existing.nodes}):
        services = _services(role)
        count = sum(node.role == role for node in facts.look.existing.nodes)
        roles[f"role/{role}"] = {"services": services, "count": count, "primary": role in live.SWITCHOVERS}
    return roles
