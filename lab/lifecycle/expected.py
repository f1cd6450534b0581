"""Which nodes a cluster should have: noted with it in the engine, so that one that was removed by hand is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.backends.base import Backend, Existing
    from lab.plan import Plan

NOTE = "nodes"


def note(plan: Plan) -> dict[str, str]:
    """What is noted with the cluster."""
    return {NOTE: " ".join(node.name for node in plan.nodes)}


def expected(backend: Backend, existing: Existing) -> list[str]:
    """The names of the nodes that the last `up` was to make, and of those that exist besides."""
    noted = backend.notes().get(NOTE, "").split()
    return noted + [node.name for node in existing.nodes if node.name not in noted]
