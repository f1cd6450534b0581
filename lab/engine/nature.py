"""What kind of engine answers: its name, whether it is on this machine, and what it does not do."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.backends.base import Lack

if TYPE_CHECKING:
    from collections.abc import Mapping

PODMAN = "Podman"
LIMITS = {"memory": "MemoryLimit", "processes": "PidsLimit", "processors": "CpuCfsQuota"}
"""The limits of a node, by the engine's word for whether it applies them."""

VFS, VFS_FACTOR = "vfs", 5  # the driver that shares no layers, and how much more disk an image takes (docs/hosts.md)
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def name(version: Mapping[str, Any]) -> str:
    """`Podman` or `Docker`, by what the engine tells of its version."""
    parts = [str(part.get("Name")) for part in version.get("Components") or []]
    return PODMAN if any(part.startswith(PODMAN) for part in parts) else "Docker"


def is_here(info: Mapping[str, Any]) -> bool:
    """Whether an engine that told `info` runs on this machine, and in no virtual machine or container of it."""
    return (info.get("Name"), info.get("KernelVersion")) == (platform.node(), platform.release())


def first_unprivileged() -> int:
    """The lowest port of this machine that any user may bind."""
    return int(UNPRIVILEGED.read_text(encoding="ascii")) if UNPRIVILEGED.is_file() else 1024


def least_port(info: Mapping[str, Any]) -> int:
    """The lowest port that an engine which told `info` can publish."""
    if not _is_rootless(info):
        return 1
    return first_unprivileged() if is_here(info) else 1024


def unlimited(info: Mapping[str, Any]) -> frozenset[str]:
    """The limits of a node that an engine which told `info` does not apply."""
    return (
        frozenset(LIMITS)
        if _no_groups(info)
        else frozenset(what for what, key in LIMITS.items() if info.get(key) is False)
    )


def lacks(info: Mapping[str, Any]) -> dict[Lack, str]:
    """What an engine that told `info` does not do: each seen with Docker 20.10 and Podman 4.3 on Debian 12."""
    reasons = {}
    if _is_rootless(info) or _has(info, "userns"):
        kind = "a rootless engine" if _is_rootless(info) else "an engine with user namespaces"
        reasons[Lack.BRICKS] = f"{kind} gives no node the extended attributes 'trusted.*' that GlusterFS writes"
    else:
        reasons[Lack.USER_NUMBERS] = (
            "root of a node is root on the engine's machine once it breaks out of its container"
        )
    if not (_has(info, "apparmor") or _has(info, "selinux")):
        reasons[Lack.PROFILES] = (
            "root of any node, also of one that mounts (SYS_ADMIN), is confined by capabilities, namespaces and the"
            " system call filter alone"
        )
    if _no_groups(info):
        why = "a rootless engine has no control groups where the machine has version 1 of them"
        reasons[Lack.LIMITS] = reasons[Lack.PAUSE] = why
    elif missing := unlimited(info):
        reasons[Lack.LIMITS] = f"the engine does not limit {', '.join(sorted(missing))}"
    if info.get("Driver") == VFS:
        reasons[Lack.LAYERS] = (
            f"the storage driver '{VFS}' copies each layer whole: {VFS_FACTOR} times the disk, for containers too"
        )
    return reasons


def _no_groups(info: Mapping[str, Any]) -> bool:
    return info.get("CgroupDriver") == "none" or (_is_rootless(info) and str(info.get("CgroupVersion")) == "1")


def _is_rootless(info: Mapping[str, Any]) -> bool:
    return bool(info.get("Rootless")) or _has(info, "rootless")


def _has(info: Mapping[str, Any], option: str) -> bool:
    """Whether an engine tells a security option, such as `name=seccomp,profile=default`."""
    return any(f"name={option}" in each.split(",") for each in info.get("SecurityOptions") or [])
