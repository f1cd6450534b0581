"""The expected nodes of a cluster, noted in the engine, so that nodes removed by hand are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.optional import noted

if TYPE_CHECKING:
    from lab.backends.base import Backend, Existing
    from lab.plan import Plan

NOTE = "nodes"


def note(plan: Plan) -> dict[str, str]:
    """The note of the expected nodes."""
    return {NOTE: " ".join(node.name for node in plan.nodes)}


def expected(backend: Backend, existing: Existing) -> list[str]:
    """Names of the nodes of the last `up`, and of all others that exist."""
    planned = noted(backend).get(NOTE, "").split()
    return planned + [node.name for node in existing.nodes if node.name not in planned]
