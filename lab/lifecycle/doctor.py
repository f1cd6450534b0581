"""What this machine has and lacks, before anything is started: each finding with its reason and the way round."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.base import Lack
from lab.backends.kernel import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Capabilities
    from lab.errors import LabError
    from lab.lifecycle.sizes import Size

WANTED_FOR = {
    "ip_vs": ("engine: ipvs of tcp-lb", "use 'engine: haproxy', or load the module ip_vs"),
    "sch_netem": ("delay and loss on the network", "only bandwidth can be limited (sch_tbf)"),
    "sch_tbf": ("limited bandwidth", "load the module sch_tbf"),
    "nf_tables": ("cutting nodes off from each other", "load the module nf_tables"),
    "fuse": ("the shared filesystem", "load the module fuse"),
    "overlay": ("Docker's own storage", "load the module overlay"),
}
INSTEAD = {
    Lack.BRICKS: "use a topology without 'storage', such as stage3, or an engine that runs as root",
    Lack.LIMITS: "any node may take all of the machine: boot it with control groups of version 2, or use root's engine",
    Lack.PAUSE: "use 'lab stop', 'lab kill' and 'lab fault cut'",
    Lack.LAYERS: "choose the driver overlay, in storage.conf or daemon.json (fuse-overlayfs before Linux 5.13)",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `vital`: without it `lab up` can't work."""

    subject: str
    good: bool
    found: str
    way_round: str = ""
    vital: bool = False


def host() -> list[Finding]:
    """What is on the PATH."""
    return [
        Finding(
            "docker command",
            bool(shutil.which("docker")),
            shutil.which("docker") or "missing",
            "only 'lab enter' needs it",
        ),
        Finding(
            "mmdebstrap",
            bool(shutil.which("mmdebstrap")),
            shutil.which("mmdebstrap") or "missing",
            "needed only where no container registry answers; 'lab doctor --fix' installs it",
        ),
    ]


def engine(capabilities: Capabilities) -> list[Finding]:
    """The engine and its kernel."""
    found = [Finding("engine", good=True, found=capabilities.engine, vital=True)]
    for feature in FEATURES:
        here = feature in capabilities.kernel
        purpose, way_round = WANTED_FOR[feature]
        found.append(Finding(f"kernel: {feature}", here, f"for {purpose}", way_round))
    if not capabilities.kernel_seen:
        found[1:] = [Finding("kernel", good=True, found="not looked at: the engine is not on this machine")]
    found += [Finding(lack, good=False, found=why, way_round=INSTEAD[lack]) for lack, why in capabilities.lacks.items()]
    taken = ", ".join(f"{subnet} ({owner})" for subnet, owner in capabilities.subnets.items())
    return [*found, Finding("subnets in use", good=True, found=taken or "none")]


def missing_engine(error: LabError, *, vital: bool = True) -> Finding:
    """The engine can't be reached."""
    return Finding("engine", good=False, found=error.what, way_round=error.next_step, vital=vital)


def topology(found: Sequence[Size]) -> list[Finding]:
    """What the topology that is meant takes, and what there is."""
    return [
        Finding(
            f"{size.room.what} of {size.room.where}",
            not (size.tight or size.impossible),
            str(size),
            size.instead,
            vital=size.impossible,
        )
        for size in found
    ]


def no_topology(error: LabError) -> Finding:
    """The topology that is meant can't be planned."""
    return Finding("topology", good=False, found=error.what, way_round=error.next_step, vital=True)
