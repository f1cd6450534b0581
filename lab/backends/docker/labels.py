"""The labels that make containers, networks and volumes the lab's own; nothing without them is ever touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.backends.base import Existing, Observed, State
from lab.names import LABEL
from lab.plan.model import Limits

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
        FIXED: node.fixed,
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
    fixed = json.loads(labels[FIXED])
    return Observed(
        name=labels[NODE],
        role=labels[ROLE],
        state=_STATES.get(row["State"], State.STOPPED),
        address=fixed["address"],
        image=fixed["image"],
        fixed=labels[FIXED],
        holds_vip=fixed["holds_vip"],
        limits=_limits(fixed.get("limits") or {}, unlimited),
        detached=not any(joined["NetworkID"] in networks for joined in row["NetworkSettings"]["Networks"].values()),
    )


def _limits(wanted: dict[str, Any], unlimited: Container[str]) -> Limits | None:
    """The limits that are applied; None where none is."""
    applied = {key: value for key, value in wanted.items() if key not in unlimited}
    return Limits(**{"memory": 0, "processes": 0, "processors": 0, **applied}) if applied else None


def existing(
    rows: Sequence[dict[str, Any]], networks: Container[str], *, data: bool, unlimited: Container[str]
) -> Existing:
    """The cluster from the engine's list of containers.

    Args:
        rows: the containers.
        networks: ids and names of the cluster's networks.
        data: whether it has volumes.
        unlimited: the limits that the engine does not apply.
    """
    nodes = sorted(
        (observed(row, networks, unlimited=unlimited) for row in rows),
        key=lambda node: [int(part) for part in node.address.split(".")],
    )
    any_labels = rows[0]["Labels"] if rows else {}
    ports = {p["name"]: p["host_port"] for node in nodes for p in json.loads(node.fixed)["publish"]}
    return Existing(
        nodes=tuple(nodes),
        network=any_labels.get(NETWORK),
        vip=any_labels.get(VIP) or None,
        family=any_labels.get(FAMILY),
        ports=ports,
        data=data,
    )
