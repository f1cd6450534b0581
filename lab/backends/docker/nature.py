"""What kind of engine answers: its name, whether it is on this machine, and what it does not do."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.backends.base import Lack

if TYPE_CHECKING:
    from collections.abc import Mapping

PODMAN = "Podman"
LIMITS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "processors"}
COPIES = "vfs"
FIRST = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def name(version: Mapping[str, Any]) -> str:
    """`Podman` or `Docker`, by what the engine tells of its version."""
    parts = [str(part.get("Name")) for part in version.get("Components") or []]
    return PODMAN if any(part.startswith(PODMAN) for part in parts) else "Docker"


def is_here(info: Mapping[str, Any]) -> bool:
    """Whether an engine that told `info` runs on this machine, and in no virtual machine or container of it."""
    return (info.get("Name"), info.get("KernelVersion")) == (platform.node(), platform.release())


def least_port(info: Mapping[str, Any]) -> int:
    """The lowest port that an engine which told `info` can publish."""
    if not _is_rootless(info):
        return 1
    return int(FIRST.read_text(encoding="ascii")) if is_here(info) and FIRST.is_file() else 1024


def lacks(info: Mapping[str, Any]) -> dict[Lack, str]:
    """What an engine that told `info` does not do: each seen with Docker 20.10 and Podman 4.3 on Debian 12."""
    found = {}
    rootless = _is_rootless(info)
    if rootless:
        found[Lack.BRICKS] = "a rootless engine gives no node the extended attributes 'trusted.*' that GlusterFS writes"
    if info.get("CgroupDriver") == "none" or (rootless and str(info.get("CgroupVersion")) == "1"):
        why = "a rootless engine has no control groups where the machine has version 1 of them"
        found[Lack.LIMITS] = found[Lack.PAUSE] = why
    elif missing := [what for key, what in LIMITS.items() if info.get(key) is False]:
        found[Lack.LIMITS] = f"the engine does not limit {', '.join(missing)}"
    if info.get("Driver") == COPIES:
        found[Lack.LAYERS] = (
            f"the storage driver '{COPIES}' copies each layer whole: 5 times the disk, for containers too"
        )
    return found


def _is_rootless(info: Mapping[str, Any]) -> bool:
    return bool(info.get("Rootless")) or "name=rootless" in (info.get("SecurityOptions") or [])
