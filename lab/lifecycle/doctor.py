"""What this machine has and lacks, before anything is started: each finding with its reason and the way round."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.backends.kernel import FEATURES

if TYPE_CHECKING:
    from lab.backends.base import Capabilities
    from lab.errors import LabError

NEEDED_DISK = 4.0  # GiB: all images of one family and their layers while they are built
NEEDED_MEMORY = 1.0  # GiB: the default cluster takes about 40 MB a node
WANTED_FOR = {
    "ip_vs": ("engine: ipvs of tcp-lb", "use 'engine: haproxy', or load the module ip_vs"),
    "sch_netem": ("delay and loss on the network", "only bandwidth can be limited (sch_tbf)"),
    "sch_tbf": ("limited bandwidth", "load the module sch_tbf"),
    "nf_tables": ("cutting nodes off from each other", "load the module nf_tables"),
    "fuse": ("the shared filesystem", "load the module fuse"),
    "overlay": ("Docker's own storage", "load the module overlay"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `vital`: without it `lab up` can't work."""

    subject: str
    good: bool
    found: str
    way_round: str = ""
    vital: bool = False


def host(root: str = "/") -> list[Finding]:
    """Disk, memory and what is on the PATH."""
    disk = shutil.disk_usage(root).free / 2**30
    memory = _memory()
    return [
        Finding(
            "disk",
            disk >= NEEDED_DISK,
            f"{disk:.0f} GiB free",
            f"{NEEDED_DISK:.0f} GiB are wanted for the images",
            vital=True,
        ),
        Finding(
            "memory",
            memory >= NEEDED_MEMORY,
            f"{memory:.1f} GiB available",
            f"{NEEDED_MEMORY:.0f} GiB are wanted for the default cluster",
        ),
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
    taken = ", ".join(f"{subnet} ({owner})" for subnet, owner in capabilities.subnets.items())
    return [*found, Finding("subnets in use", good=True, found=taken or "none")]


def missing_engine(error: LabError, *, vital: bool = True) -> Finding:
    """The engine can't be reached."""
    return Finding("engine", good=False, found=error.what, way_round=error.next_step, vital=vital)


def _memory() -> float:
    """GiB that are available; all of it where the system does not tell."""
    if platform.system() == "Linux":
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next((line for line in lines if line.startswith("MemAvailable")), None)
        if available:
            return int(available.split()[1]) / 2**20
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
