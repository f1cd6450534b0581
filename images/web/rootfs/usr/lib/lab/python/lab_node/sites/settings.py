"""What the plan says of this node's sites (/etc/lab/sites.json), and where everything lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path("/etc/lab/sites.json")
ENVIRONMENT = Path("/etc/lab/sites.env")
LOCAL = Path("/var/lib/sites")
RUN = Path("/run/lab")
READY = RUN / "sites"


def read() -> dict[str, Any]:
    """`store`, `mount` (empty without a shared filesystem), `httpd` (its user), and `sites` by name."""
    values: dict[str, Any] = json.loads(PATH.read_text())
    return values


def away() -> str:
    """Why the store can't be used now; empty where it can."""
    mount = read()["mount"]
    mounted = not mount or f" {mount} fuse.glusterfs " in Path("/proc/mounts").read_text()
    return "" if mounted else f"the shared filesystem is not mounted at {mount}"
