"""The lab's own folders on the person's machine (XDG): secrets, logs, locks, and what the Xen backend keeps."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR

from lab import identifiers
from lab.errors import HostError, unusable

_NAME = "www-cluster-lab"


def _place(variable: str, default: str, part: str) -> Path:
    """Where a folder of the lab's is, made or not; `part` is one component, whoever named it.

    Raises:
        HostError: there is no home folder.
    """
    name = identifiers.component(part)
    try:
        root = Path(os.environ.get(variable) or Path.home() / default)
    except RuntimeError:
        raise HostError(
            "this user has no home folder", where="HOME", next_step=f"set HOME, or {variable}, to a folder of your own"
        ) from None
    return root / _NAME / name


def _made(folder: Path, variable: str) -> Path:
    """The folder, which exists now; one that is made is nobody else's to enter.

    Raises:
        HostError: it can't be made; `variable` is what chooses another one.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error, f"set {variable} to a folder that you can write") from None
    return folder


def _folder(variable: str, default: str, part: str) -> Path:
    return _made(_place(variable, default, part), variable)


def secrets(cluster: str, *, make: bool = False) -> Path:
    """Where a cluster's secrets are kept; the folder may be missing unless it is to be made."""
    place = _place("XDG_DATA_HOME", ".local/share", cluster)
    return _made(place, "XDG_DATA_HOME") if make else place


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
    _made(made, "XDG_RUNTIME_DIR")
    found = made.lstat()  # a link of somebody else's leads where they like
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not S_ISDIR(found.st_mode):
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
        return _made(Path(said), "LAB_XEN_FOLDER")
    return _folder("XDG_STATE_HOME", ".local/state", "xen-host")
