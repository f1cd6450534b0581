"""The lab's own folders on the person's machine (XDG): secrets, logs, locks, and what the Xen backend keeps."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from lab import identifiers
from lab.errors import HostError

_NAME = "www-cluster-lab"


def _folder(variable: str, default: str, part: str) -> Path:
    """A folder of the lab's; `part` is one component, whoever named it."""
    try:
        root = Path(os.environ.get(variable) or Path.home() / default)
    except RuntimeError:  # neither HOME nor an entry in the list of users
        raise HostError(
            "this user has no home directory, where the lab keeps secrets and logs",
            where="HOME",
            next_step=f"set HOME, or {variable}, to a folder of your own",
        ) from None
    made = root / _NAME / identifiers.component(part)
    try:
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(made, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise HostError(
            f"the lab can't write where it keeps secrets and logs: {error.strerror}",
            where=str(made),
            next_step=f"set {variable} to a folder of your own that can be written",
        ) from None
    return made


def secrets(cluster: str) -> Path:
    """Where a cluster's secrets are kept."""
    return _folder("XDG_DATA_HOME", ".local/share", cluster)


def logs() -> Path:
    """Where the logs of failed builds and of an engine that the lab started are kept."""
    return _folder("XDG_STATE_HOME", ".local/state", "logs")


def families() -> Path:
    """Where it is kept which images of a family did not work here."""
    return _folder("XDG_STATE_HOME", ".local/state", "families")


def lock(name: str) -> Path:
    """The lock file of a cluster, or of the nested Xen host."""
    return _folder("XDG_STATE_HOME", ".local/state", "locks") / identifiers.component(name)


def sockets() -> Path:
    """Where connections to Xen hosts are shared: short, since a socket's path may have 107 characters."""
    root = os.environ.get("XDG_RUNTIME_DIR")
    made = Path(root) / "lab-ssh" if root and Path(root).is_dir() else Path(f"/tmp/lab-ssh-{os.getuid()}")  # noqa: S108
    made.mkdir(mode=0o700, parents=True, exist_ok=True)
    if made.stat().st_uid != os.getuid() or made.stat().st_mode & 0o077:
        raise HostError(
            f"{made} belongs to somebody else, or others may enter it",
            where=str(made),
            next_step="remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    return made


def disks() -> Path:
    """Where images are kept as disks for domains: made anew when they are missing."""
    return _folder("XDG_CACHE_HOME", ".cache", "xen")


def xen_host() -> Path:
    """Where the nested Xen host keeps its keys, its store and its log; `LAB_XEN_FOLDER` says otherwise."""
    said = os.environ.get("LAB_XEN_FOLDER")
    if said:
        Path(said).mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(said)
    return _folder("XDG_STATE_HOME", ".local/state", "xen-host")
