"""How a node's processes are confined beside its capabilities, where a node is a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.plan.model import NodePlan

MOUNTS = "SYS_ADMIN"
"""The capability with which a process may mount."""

ALL = ("no-new-privileges",)
UNCONFINED = "apparmor=unconfined"
"""Docker's profile `docker-default` denies `mount`, with any capabilities. An engine without AppArmor ignores this."""


def security(node: NodePlan) -> list[str]:
    """The security options of a node's container; only one that mounts is without the engine's AppArmor profile."""
    return [*ALL, *([UNCONFINED] if MOUNTS in node.capabilities else [])]
