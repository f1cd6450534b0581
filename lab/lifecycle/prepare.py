"""A plan beside what exists: what `plan` shows and `up` carries out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.optional import noted
from lab.lifecycle import lost, ownership, resolve, scaling, secrets, sizes, volumes
from lab.lifecycle.ready import ALL, READY
from lab.lifecycle.reconcile import Action, Kind, actions
from lab.plan import MANIFEST, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend, Existing
    from lab.lifecycle.sizes import Size
    from lab.plan import Plan
    from lab.progress import Report
    from lab.topology import Cluster


@dataclass(frozen=True)
class Prepared:
    """A plan beside what exists, and the way from one to the other.

    Attributes:
        files: content and mode of each planned node's files, by path.
        present: the digests in each existing node's manifest, by path.
    """

    plan: Plan
    existing: Existing
    files: Mapping[str, Mapping[str, tuple[bytes, int]]]
    present: Mapping[str, Mapping[str, str]]
    actions: list[Action]

    @property
    def changes(self) -> list[Action]:
        """The actions that do something."""
        return [action for action in self.actions if action.kind is not Kind.KEEP]

    @property
    def at_once(self) -> bool:
        """Whether nodes are only made and started: then all can be awaited together, their promises too."""
        return all(action.kind in (Kind.CREATE, Kind.START) for action in self.changes)

    @property
    def awaited(self) -> tuple[str, ...]:
        """What ready nodes are asked: beside a node that is by hand, no promise to the whole cluster is awaited."""
        return (READY,) if self.plan.by_hand else ALL

    @property
    def moves(self) -> bool:
        """Whether a node gets another address: until the balancers are told, they can't lead there."""
        old = {node.name: node.address for node in self.existing.nodes}
        return any(old.get(node.name, node.address) != node.address for node in self.plan.nodes)


@dataclass(frozen=True)
class Chosen:
    """What is to be, with all that the topology leaves open, admitted by backend, host and data.

    Attributes:
        sizes: what it takes of memory and disk.
    """

    plan: Plan
    existing: Existing
    sizes: list[Size]


def choose(cluster: Cluster, backend: Backend, report: Report, family: str | None = None) -> Chosen:
    """Plans the cluster. Changes nothing.

    Args:
        cluster: the topology.
        backend: where it is to be.
        report: hears what was chosen, and warnings.
        family: instead of the topology's.

    Raises:
        UserError: it can't be as asked.
    """
    existing = backend.observe()
    notes = noted(backend)
    ownership.admit(backend, existing, notes)
    capabilities = backend.capabilities()
    cluster = resolve.apps(resolve.timers(cluster, backend), backend)
    chosen = family or resolve.family(cluster, existing, backend, report)
    placed = resolve.places(cluster, existing, capabilities)
    if why := resolve.subnet_conflict(existing, capabilities):
        report.say(f"network: {placed.network} ({why})")
    new_plan = plan(placed, chosen)
    resolve.admit(new_plan, capabilities)
    taken = sizes.sizes(new_plan, existing, capabilities.rooms)
    if estimate := sizes.build_estimate(taken):
        report.say(estimate)
    for warning in sizes.admit(taken):
        report.warn(warning)
    if warning := volumes.missing(new_plan, existing):
        report.warn(warning)
    scaling.admit(new_plan, cluster, backend, existing, notes)
    return Chosen(new_plan, existing, taken)


def prepare(
    cluster: Cluster,
    backend: Backend,
    report: Report,
    family: str | None = None,
    known: Callable[[Plan, Mapping[str, str]], Mapping[str, str]] = secrets.peek,
) -> Prepared:
    """Plans the cluster and compares it with what exists. Changes nothing, unless `known` does.

    `known` gives the secrets of a plan; it is given those that are missing and were read from nodes.

    Raises:
        UserError: it can't be as asked.
    """
    chosen = choose(cluster, backend, report, family)
    new_plan, existing = chosen.plan, chosen.existing
    present = _present(backend, new_plan, existing)
    revealed = known(new_plan, lost.restored(new_plan, backend, existing, present))
    files = {node.name: node.reveal(revealed) for node in new_plan.nodes}
    manifests = {name: json.loads(content[MANIFEST][0]) for name, content in files.items()}
    return Prepared(new_plan, existing, files, present, actions(new_plan, existing, manifests, present))


def _present(backend: Backend, new_plan: Plan, existing: Existing) -> dict[str, dict[str, str]]:
    """The manifests of the nodes that exist; an unreadable one counts as none."""
    manifests: dict[str, dict[str, str]] = {}

    def read(name: str) -> None:
        try:
            manifests[name] = json.loads(backend.get(name, MANIFEST) or b"{}")
        except ValueError:
            manifests[name] = {}

    planned = {node.name for node in new_plan.nodes}
    parallel.for_each([node.name for node in existing.nodes if node.name in planned], read)
    return manifests
