"""The lab's folders on this machine (XDG): secrets, logs, locks, and data of the Xen backend."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR

from lab import identifiers
from lab.errors import HostError, unusable

_NAME = "www-cluster-lab"


def _place(variable: str, default: str, part: str) -> Path:
    """Path of a folder of the lab, which may not exist; `part` must be one component.

    Raises:
        HostError: the user has no home folder.
    """
    name = identifiers.component(part)
    try:
        root = Path(os.environ.get(variable) or Path.home() / default)
    except RuntimeError:
        raise HostError(
            "this user has no home folder",
            where="HOME",
            next_step=f"set HOME or {variable} to a folder that you can write",
        ) from None
    return root / _NAME / name


def _created(folder: Path, variable: str) -> Path:
    """Creates a folder if it is missing, accessible by this user alone.

    Raises:
        HostError: it cannot be created; `variable` selects another one.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error, f"set {variable} to a folder that you can write") from None
    return folder


def _folder(variable: str, default: str, part: str) -> Path:
    return _created(_place(variable, default, part), variable)


def secrets(cluster: str, *, make: bool = False) -> Path:
    """The folder of a cluster's secrets; created if `make` is set, else it may be missing."""
    place = _place("XDG_DATA_HOME", ".local/share", cluster)
    return _created(place, "XDG_DATA_HOME") if make else place


def logs() -> Path:
    """The folder of logs of failed builds, and of an engine that the lab started."""
    return _folder("XDG_STATE_HOME", ".local/state", "logs")


def families() -> Path:
    """The record of images that failed on this machine."""
    return _folder("XDG_STATE_HOME", ".local/state", "families")


def lock(name: str) -> Path:
    """The lock file of a cluster, or of the nested Xen host."""
    return _folder("XDG_STATE_HOME", ".local/state", "locks") / identifiers.component(name)


def sockets() -> Path:
    """The folder of shared connections to Xen hosts; short, since a socket's path is limited to 107 characters."""
    root = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(root) / "lab-ssh" if root and Path(root).is_dir() else Path(f"/tmp/lab-ssh-{os.getuid()}")  # noqa: S108
    _created(folder, "XDG_RUNTIME_DIR")
    status = folder.lstat()  # a link of another user may lead anywhere
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or not S_ISDIR(status.st_mode):
        raise HostError(
            f"{folder} belongs to another user, or is accessible by others",
            where=str(folder),
            next_step="remove it, or set XDG_RUNTIME_DIR to a folder of this user alone",
        )
    return folder


def disks() -> Path:
    """The folder of images as disks for domains; missing ones are created again."""
    return _folder("XDG_CACHE_HOME", ".cache", "xen")


def templates() -> Path:
    """The folder of compiled templates; missing ones are compiled again."""
    return _folder("XDG_CACHE_HOME", ".cache", "templates")


def xen_host() -> Path:
    """The folder of the nested Xen host's keys, store and log; `LAB_XEN_FOLDER` selects another one."""
    configured = os.environ.get("LAB_XEN_FOLDER")
    if configured:
        return _created(Path(configured), "LAB_XEN_FOLDER")
    return _folder("XDG_STATE_HOME", ".local/state", "xen-host")
