"""The actions from the existing to the planned cluster, each with its reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.backends.base import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Existing, Observed
    from lab.plan import NodePlan, Plan


BY_HAND = "by hand: left as it is"


class Kind(StrEnum):
    """The kind of an action."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    UPDATE = "update"
    REMOVE = "remove"
    KEEP = "keep"


@dataclass(frozen=True)
class Action:
    """One action on one node, with its reason.

    `files`: the paths to copy; `stale`: those to delete. An UPDATE of a node that has stopped is a copy before its
    start; one of a paused node is that of a running one, once it is resumed: its daemons read nothing by themselves.
    """

    kind: Kind
    node: str
    why: str = ""
    files: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    start: bool = False


def actions(
    plan: Plan, existing: Existing, manifests: Mapping[str, Mapping[str, str]], present: Mapping[str, Mapping[str, str]]
) -> list[Action]:
    """The actions by node: nodes of the plan in order, then nodes to remove.

    Args:
        plan: the planned cluster.
        existing: the existing cluster.
        manifests: the digests of each planned node's files, by path.
        present: the digests of each existing node's manifest, by path; empty without a manifest.
    """
    planned = [_one(node, existing, manifests[node.name], present.get(node.name, {})) for node in plan.nodes]
    names = {node.name for node in plan.nodes}
    extra = [Action(Kind.REMOVE, node.name, "not in the topology") for node in existing.nodes if node.name not in names]
    return planned + extra


def _one(node: NodePlan, existing: Existing, manifest: Mapping[str, str], present: Mapping[str, str]) -> Action:
    observed = existing.node(node.name)
    if observed is None:
        return Action(Kind.CREATE, node.name, "does not exist")
    if node.by_hand and observed.fixed.by_hand and not _displaced(observed, node):
        return _by_hand(observed)
    if why := _unusable(observed, node):
        return Action(Kind.RECREATE, node.name, why)
    changed = tuple(path for path, digest in manifest.items() if present.get(path) != digest)
    stale = tuple(path for path in present if path not in manifest)
    if changed or stale:
        why = "changed: " + ", ".join([*changed, *(f"no more {path}" for path in stale)])
        paused = observed.state is State.PAUSED
        start = observed.state is State.STOPPED
        return Action(Kind.UPDATE, node.name, f"is paused, {why}" if paused else why, changed, stale, start)
    if observed.state is not State.RUNNING:
        return Action(Kind.START, node.name, f"is {observed.state.value}", start=True)
    return Action(Kind.KEEP, node.name)


def _by_hand(existing: Observed) -> Action:
    """A node that a person configures keeps all that they made of it; it is started where it does not run."""
    if existing.state is State.RUNNING:
        return Action(Kind.KEEP, existing.name, BY_HAND)
    return Action(Kind.START, existing.name, f"is {existing.state.value}; {BY_HAND}", start=True)


def _displaced(existing: Observed, node: NodePlan) -> bool:
    """Whether a node can't stay where it is, also one that is by hand."""
    moved = (existing.address, existing.fixed.publish) != (node.address, node.publish)
    return moved or existing.detached or existing.state is State.CREATED


def _unusable(observed: Observed, node: NodePlan) -> str:
    """Why an existing node must be recreated; empty if it can stay."""
    if observed.fixed != node.fixed:
        return _difference(observed, node)
    if observed.state is State.CREATED:
        # An interrupted `up` or engine may have left an incomplete node, which holds no data.
        return "was never started"
    return "its network was removed" if observed.detached else ""


def _difference(observed: Observed, node: NodePlan) -> str:
    """The immutable settings that differ, with both values if they are short."""
    old, new = observed.fixed.values, node.fixed.values
    changes = []
    for key in node.fixed.unlike(observed.fixed):
        short = isinstance(new.get(key), str) and isinstance(old.get(key), str)
        changes.append(f"{key}: {old[key]} -> {new[key]}" if short else key)
    return "changed: " + ", ".join(changes)
