"""The lab's own folders on the person's machine (XDG): secrets, logs, locks. Nothing else is kept there."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "www-cluster-lab"


def _folder(variable: str, default: str, *parts: str) -> Path:
    root = Path(os.environ.get(variable) or Path.home() / default)
    made = root.joinpath(_NAME, *parts)
    made.mkdir(mode=0o700, parents=True, exist_ok=True)
    return made


def secrets(cluster: str) -> Path:
    """Where a cluster's secrets are kept."""
    return _folder("XDG_DATA_HOME", ".local/share", cluster)


def logs() -> Path:
    """Where the logs of failed builds and of an engine that the lab started are kept."""
    return _folder("XDG_STATE_HOME", ".local/state", "logs")


def locks() -> Path:
    """Where the lock files are."""
    return _folder("XDG_STATE_HOME", ".local/state", "locks")
