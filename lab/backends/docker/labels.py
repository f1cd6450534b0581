"""The labels that make containers, networks and volumes the lab's own; nothing without them is ever touched."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lab.backends.base import Existing, Observed, State
from lab.names import LABEL
from lab.plan.model import Fixed, Limits

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from lab.plan import NodePlan, Plan

CLUSTER = f"{LABEL}.cluster"
NODE = f"{LABEL}.node"
ROLE = f"{LABEL}.role"
FIXED = f"{LABEL}.fixed"
FAMILY = f"{LABEL}.family"
NETWORK = f"{LABEL}.network"
VIP = f"{LABEL}.vip"
NOTE = f"{LABEL}.note"
TEXT = f"{LABEL}.text"

_STATES = {"running": State.RUNNING, "paused": State.PAUSED, "created": State.CREATED, "restarting": State.RUNNING}


def of(plan: Plan, node: NodePlan) -> dict[str, str]:
    """The labels of a node."""
    return {
        CLUSTER: plan.cluster,
        NODE: node.name,
        ROLE: node.role,
        FIXED: node.fixed.text,
        FAMILY: plan.family,
        NETWORK: str(plan.network.cidr),
        VIP: plan.vip or "",
    }


def ours(cluster: str) -> dict[str, str]:
    """The engine's filter for what belongs to a cluster."""
    return {"label": f"{CLUSTER}={cluster}"}


def observed(row: dict[str, Any], networks: Container[str], *, unlimited: Container[str] = ()) -> Observed:
    """A node from one row of the engine's list of containers.

    Args:
        row: the container.
        networks: ids and names of the cluster's networks.
        unlimited: the limits that the engine does not apply.
    """
    labels = row["Labels"]
    fixed = Fixed.read(json.loads(labels[FIXED]))
    return Observed(
        fixed,
        _STATES.get(row["State"], State.STOPPED),
        limits=_applied(fixed.limits, unlimited),
        detached=not any(joined["NetworkID"] in networks for joined in row["NetworkSettings"]["Networks"].values()),
    )


def _applied(limits: Limits | None, unlimited: Container[str]) -> Limits | None:
    """The limits that are applied, 0 for one that is not; None where none is."""
    if limits is None:
        return None
    applied = {key: 0 if key in unlimited else value for key, value in asdict(limits).items()}
    return Limits(**applied) if any(applied.values()) else None


def existing(
    rows: Sequence[dict[str, Any]],
    networks: Container[str],
    *,
    volumes: frozenset[str] | None,
    unlimited: Container[str],
) -> Existing:
    """The cluster from the engine's list of containers.

    Args:
        rows: the containers.
        networks: ids and names of the cluster's networks.
        volumes: the names of its volumes; None where they were not listed.
        unlimited: the limits that the engine does not apply.
    """
    any_labels = rows[0]["Labels"] if rows else {}
    return Existing.of(
        (observed(row, networks, unlimited=unlimited) for row in rows),
        network=any_labels.get(NETWORK),
        vip=any_labels.get(VIP) or None,
        family=any_labels.get(FAMILY),
        data=bool(volumes),
        volumes=volumes,
    )
