"""The memory and the disk of an engine. Only that of an engine on this machine itself can be looked at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import engine
from lab.backends.base import Room
from lab.engine import nature
from lab.names import NAMESPACE

if TYPE_CHECKING:
    import docker

MEMORY = Path("/proc/meminfo")
SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]
CONTAINERD = "/var/lib/containerd"  # its default 'root', which no engine tells


def rooms(api: docker.APIClient, info: dict[str, Any]) -> tuple[Room, ...]:
    """The engine's memory; the disk of its images; that of the nodes where it is another one."""
    data, images = info["DockerRootDir"], _images(info)
    there = _names(api)
    if images == data:
        return (_memory(info), _disk(info, data, images=there))
    return (_memory(info), _disk(info, data), _disk(info, images, node=0, images=there))


def for_images(api: docker.APIClient) -> Room:
    """The disk of an engine that only builds."""
    with engine.asking("asking the engine what it has"):
        info = api.info()
    return _disk(info, _images(info), node=0, images=_names(api))


def _memory(info: dict[str, Any]) -> Room:
    """Swap counts where nothing else is left."""
    total = int(info["MemTotal"]) >> 20
    if not (nature.is_here(info) and MEMORY.is_file()):
        return Room("memory", info["Name"], total or None, total or None)
    lines = (line.split() for line in MEMORY.read_text(encoding="ascii").splitlines())
    values = {words[0]: int(words[1]) >> 10 for words in lines}
    return Room("memory", "this machine", values["MemAvailable:"], total + values["SwapTotal:"])


def _disk(info: dict[str, Any], folder: str, *, node: int | None = None, images: frozenset[str] | None = None) -> Room:
    copies = nature.VFS_FACTOR if info.get("Driver") == nature.VFS else 1
    if not nature.is_here(info):
        return Room("disk", f"{folder} on {info['Name']}", node=node, images=images, copies=copies)
    try:
        free = shutil.disk_usage(folder).free >> 20
    except OSError:  # a folder that this user may not look into
        return Room("disk", folder, node=node, images=images, copies=copies)
    return Room("disk", folder, free, free, node, images, copies)


def _images(info: dict[str, Any]) -> str:
    """The folder of the images: the engine's own, or that of the containerd which keeps them for it."""
    if SNAPSHOTTER not in (info.get("DriverStatus") or []):
        return str(info["DockerRootDir"])
    own = "/run/containerd/" not in (info.get("Containerd") or {}).get("Address", "/run/containerd/")
    return f"{info['DockerRootDir']}/containerd/daemon" if own else CONTAINERD


def _names(api: docker.APIClient) -> frozenset[str]:
    """The full names of the lab's images."""
    with engine.asking("listing the images"):
        rows = api.images(filters={"reference": f"{NAMESPACE}/*"})
    return frozenset(name for row in rows for name in engine.own_names(row))
