"""What this machine has and lacks, before anything is started: each finding with its reason and the next step."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from lab import paths
from lab.backends.base import Existing, Lack
from lab.errors import LabError
from lab.host.findings import Finding
from lab.lifecycle import resolve, sizes
from lab.lifecycle.prepare import choose
from lab.plan import plan
from lab.progress import Silent
from lab.recipes import kernel_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend, Capabilities, Room
    from lab.lifecycle.sizes import Size
    from lab.topology import Cluster

WANTED_FOR = {
    "sch_netem": ("delay and loss on the network", "only bandwidth can be limited (sch_tbf)"),
    "sch_tbf": ("limited bandwidth", "load the module sch_tbf"),
    "nf_tables": ("cutting nodes off from each other", "load the module nf_tables"),
    "overlay": ("Docker's own storage", "load the module overlay"),
}
INSTEAD = {
    Lack.BRICKS: "use a topology without 'storage', such as 'rootless', or an engine as root without 'userns-remap'",
    Lack.LIMITS: "any node may take all of the machine: boot it with control groups of version 2, or use root's engine",
    Lack.PAUSE: "use 'lab stop', 'lab kill' and 'lab fault cut'",
    Lack.LAYERS: "choose the driver overlay, in storage.conf or daemon.json (fuse-overlayfs before Linux 5.13)",
    Lack.PROFILES: "boot the engine's machine with AppArmor or SELinux, or use Xen, where a node has its own kernel",
    Lack.USER_NUMBERS: "for a topology without 'storage' use an engine without root, or with 'userns-remap' in"
    " daemon.json; or use Xen",
}


def home() -> Finding:
    """The folder in which secrets are kept."""
    place = paths.secrets("www").parent
    parent = next(folder for folder in (place, *place.parents) if os.path.exists(folder))  # noqa: PTH110  never raises
    try:
        with tempfile.TemporaryDirectory(dir=parent):  # rights alone tell root nothing
            usable = True
    except OSError:
        usable = False
    return Finding(
        "folder for secrets", usable, str(place), "set XDG_DATA_HOME to a folder that you can write", vital=True
    )


def engine(capabilities: Capabilities) -> list[Finding]:
    """The engine and its kernel."""
    findings = [Finding("engine", good=True, detail=capabilities.engine, vital=True)]
    needed = {module: (feature.purpose, feature.instead) for module, (_, feature) in kernel_features().items()}
    for feature, (purpose, way_round) in (needed | WANTED_FOR).items():
        available = feature in capabilities.kernel
        findings.append(Finding(f"kernel: {feature}", available, f"for {purpose}", way_round))
    if not capabilities.kernel_seen:
        findings[1:] = [Finding("kernel", good=True, detail="not looked at: the engine is not on this machine")]
    findings += [
        Finding(lack, good=False, detail=why, way_round=INSTEAD[lack]) for lack, why in capabilities.lacks.items()
    ]
    taken = ", ".join(f"{subnet} ({owner})" for subnet, owner in capabilities.subnets.items())
    return [*findings, Finding("subnets in use", good=True, detail=taken or "none")]


def missing_engine(error: LabError, *, vital: bool = True) -> Finding:
    """The engine can't be reached."""
    return Finding("engine", good=False, detail=_message(error), way_round=error.next_step, vital=vital)


def topology(cluster: Cluster, backend: Backend | None) -> list[Finding]:
    """What a topology takes beside what there is, and what `lab up` would choose for it or refuse."""
    if backend is None:
        return [_size(size) for size in _sizes(cluster, Existing(), sizes.UNKNOWN)]
    heard = _Heard()
    try:
        chosen = choose(cluster, backend, heard)
    except LabError as error:
        taken = _sizes(cluster, backend.observe(), backend.capabilities().rooms)
        # What does not fit is said by its size.
        refused = [] if any(size.impossible for size in taken) else [no_topology(error)]
        return [*map(_size, taken), *refused]
    choices = "; ".join([*heard.lines, f"network: {chosen.plan.network.cidr}"])
    return [*map(_size, chosen.sizes), Finding("topology", good=True, detail=choices)]


def _sizes(cluster: Cluster, existing: Existing, rooms: Sequence[Room]) -> list[Size]:
    return sizes.sizes(plan(*resolve.offline(cluster, existing)), existing, rooms)


def _size(size: Size) -> Finding:
    subject, good = f"{size.room.what} of {size.room.where}", not (size.tight or size.impossible)
    return Finding(subject, good, str(size), size.instead, vital=size.impossible)


class _Heard(Silent):
    """What was chosen; warnings are findings of their own."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        """Nothing."""


def no_topology(error: LabError) -> Finding:
    """The topology is refused, or can't be compared with the cluster."""
    return Finding("topology", good=False, detail=_message(error), way_round=error.next_step, vital=True)


def _message(error: LabError) -> str:
    return f"{error.what} ({error.where})" if error.where else error.what
