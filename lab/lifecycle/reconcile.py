"""What it takes to get from what exists to what is planned: a list of actions, each with its reason. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.backends.base import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Existing, Observed
    from lab.plan import NodePlan, Plan


class Kind(StrEnum):
    """What is done to a node."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    UPDATE = "update"
    REMOVE = "remove"
    KEEP = "keep"


@dataclass(frozen=True)
class Action:
    """One thing to do to one node, and why.

    `files`: the paths to copy; `stale`: those to delete. An UPDATE of a node that is not running is a copy before its
    start.
    """

    kind: Kind
    node: str
    why: str = ""
    files: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    start: bool = False


def actions(
    plan: Plan, existing: Existing, wanted: Mapping[str, Mapping[str, str]], present: Mapping[str, Mapping[str, str]]
) -> list[Action]:
    """What to do, node by node: the plan's nodes in order, then those that are too many.

    Args:
        plan: the cluster as it should be.
        existing: the cluster as it is.
        wanted: the digests of each planned node's files, by path.
        present: the digests that each existing node's manifest tells, by path; empty when it has none.
    """
    planned = [_one(node, existing, wanted[node.name], present.get(node.name, {})) for node in plan.nodes]
    names = {node.name for node in plan.nodes}
    extra = [Action(Kind.REMOVE, node.name, "not in the topology") for node in existing.nodes if node.name not in names]
    return planned + extra


def _one(node: NodePlan, existing: Existing, wanted: Mapping[str, str], present: Mapping[str, str]) -> Action:
    found = existing.node(node.name)
    if found is None:
        return Action(Kind.CREATE, node.name, "does not exist")
    if why := _unusable(found, node):
        return Action(Kind.RECREATE, node.name, why)
    changed = tuple(path for path, digest in wanted.items() if present.get(path) != digest)
    stale = tuple(path for path in present if path not in wanted)
    asleep = found.state is not State.RUNNING
    if changed or stale:
        why = ", ".join([*changed, *(f"no more {path}" for path in stale)])
        return Action(Kind.UPDATE, node.name, f"changed: {why}", changed, stale, start=asleep)
    if asleep:
        return Action(Kind.START, node.name, f"is {found.state.value}", start=True)
    return Action(Kind.KEEP, node.name)


def _unusable(found: Observed, node: NodePlan) -> str:
    """Why a node that exists has to be made anew; empty where it can stay."""
    if found.fixed != node.fixed:
        return _difference(found, node)
    if found.state is State.CREATED:
        # An `up` was cut short, or the engine was: what it half made is not to be trusted, and holds no data.
        return "was never started"
    return "its network was removed" if found.detached else ""


def _difference(found: Observed, node: NodePlan) -> str:
    """Which of the fixed settings differ, with both values where they are short."""
    old, new = json.loads(found.fixed or "{}"), json.loads(node.fixed)
    said = []
    for key in new:
        if old.get(key) != new[key]:
            short = isinstance(new[key], str) and isinstance(old.get(key), str)
            said.append(f"{key}: {old[key]} -> {new[key]}" if short else key)
    return "changed: " + ", ".join(said)
