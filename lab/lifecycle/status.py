"""The status of a cluster. The JSON form is a contract; see docs/status.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import Existing, Observed, State
from lab.errors import LabError
from lab.lifecycle import hand
from lab.lifecycle.expected import expected
from lab.plan import exposure

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from lab.backends.base import Backend
    from lab.plan.model import Limits

READY_SECONDS = 5.0
MISSING = "missing"
"""The state of a node that should exist, and does not."""


@dataclass(frozen=True)
class NodeStatus:
    """One node; `reason`: why it is not ready; `limits`: of its machine's resources; `by_hand`: by a person's hand.

    `left_services`: those that are not run there for that reason; without them it need not get ready.
    """

    name: str
    role: str
    state: str
    ready: bool
    address: str
    image: str
    reason: str
    limits: Limits | None = None
    by_hand: bool = False
    left_services: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Status:
    """A cluster: ready when it has nodes, all are ready, and one holds the VIP, if the cluster has one.

    Nodes that are by hand are not awaited, and neither is the VIP where only they could hold it.
    """

    cluster: str
    backend: str
    family: str | None
    ready: bool
    nodes: list[NodeStatus]
    endpoints: list[dict[str, str]]
    vip_holder: str | None

    def json(self) -> dict[str, Any]:
        """The documented form."""
        return asdict(self)


def status(backend: Backend, known_ready: Container[str] = ()) -> Status:
    """The status, from the engine's list of nodes and the readiness checks of those that run.

    `known_ready`: nodes that were found ready immediately before, which are not checked again.
    """
    existing = backend.observe()
    holders: list[str] = []
    judged: dict[str, NodeStatus] = {}

    def judge(node: Observed) -> None:
        ready, reason = _judge(backend, node, known_ready)
        judged[node.name] = _of(node, ready, reason)

    def look_for_vip() -> None:
        holders.extend(vip_holders(backend, existing))

    names_expected: list[str] = []

    def look_for_missing() -> None:
        names_expected.extend(expected(backend, existing))

    questions: list[Callable[[], None]] = [
        look_for_vip,
        look_for_missing,
        *(partial(judge, node) for node in existing.nodes),
    ]
    parallel.for_each(questions, lambda question: question())
    nodes = [judged[node.name] for node in existing.nodes]
    nodes += [_missing(name) for name in names_expected if existing.node(name) is None]
    able = [node for node in existing.nodes if node.holds_vip]
    held = existing.vip is None or len(holders) == 1 or (bool(able) and all(node.fixed.by_hand for node in able))
    return Status(
        cluster=backend.cluster,
        backend=backend.name,
        family=existing.family,
        ready=bool(nodes) and held and all(node.ready or node.by_hand for node in nodes),
        nodes=nodes,
        endpoints=endpoints(existing),
        vip_holder=holders[0] if len(holders) == 1 else None,
    )


def _of(node: Observed, ready: bool, reason: str) -> NodeStatus:  # noqa: FBT001  as the check says
    return NodeStatus(
        node.name,
        node.role,
        node.state.value,
        ready,
        node.address,
        node.image,
        reason,
        node.limits,
        by_hand=node.fixed.by_hand,
        left_services=hand.left_services(node),
    )


def _missing(name: str) -> NodeStatus:
    role = name.rstrip("0123456789")
    reason = "does not exist: removed by hand, or not made yet; 'lab up' makes it"
    return NodeStatus(name, role, MISSING, ready=False, address="", image="", reason=reason)


def endpoints(existing: Existing) -> list[dict[str, str]]:
    """The published addresses on this machine, by name."""
    return [{"name": name, "url": exposure.url(name, port)} for name, port in existing.ports.items()]


def vip_holders(backend: Backend, existing: Existing, silent: list[str] | None = None) -> list[str]:
    """The running nodes that have the VIP on an interface; normally one. `silent` gets those that do not answer."""
    if not existing.vip:
        return []
    holders: list[str] = []
    unanswered = [] if silent is None else silent

    def ask(node: Observed) -> None:
        try:
            result = backend.run(
                node.name, ["ip", "-o", "address", "show", "to", f"{existing.vip}/32"], seconds=READY_SECONDS
            )
        except LabError:
            unanswered.append(node.name)
            return
        if result.ok and "inet" in result.stdout:
            holders.append(node.name)

    able = [node for node in existing.nodes if node.holds_vip and node.state is State.RUNNING]
    parallel.for_each(able, ask)
    return sorted(holders)


def _judge(backend: Backend, node: Observed, known_ready: Container[str]) -> tuple[bool, str]:
    if node.state is not State.RUNNING:
        return False, f"is {node.state.value}"
    if node.name in known_ready:
        return True, ""
    try:
        result = backend.run(node.name, ["/usr/lib/lab/ready"], seconds=READY_SECONDS)
    except LabError as error:
        return False, error.what
    services = hand.left_services(node)
    return result.ok, "" if result.ok else hand.says(services) if services else result.last_line
