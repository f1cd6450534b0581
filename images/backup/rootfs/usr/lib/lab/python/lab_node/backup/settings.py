"""What the plan says of this node (/etc/lab/backup.json), and where everything lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path("/etc/lab/backup.json")
VOLUMES = Path("/srv")
HOME = Path("/var/lib/backup")
STAGING, SCRATCH, ARCHIVE = HOME / "staging", HOME / "scratch", HOME / "archive"
RUN = Path("/run/lab")


@dataclass(frozen=True)
class Settings:
    """See the template for the meaning of each. `every`: seconds.

    `sites`: volume, folder and database of each, by name.
    """

    node: str
    volumes: list[str]
    database: str
    replicas_port: int
    nodes: dict[str, str]
    sites: dict[str, dict[str, str]]
    archive: bool
    every: float
    keep: dict[str, int]
    binaries: dict[str, str]


def read() -> Settings:
    """The settings as they are now."""
    return Settings(**json.loads(PATH.read_text()))


def write(path: Path, text: str) -> None:
    """A file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text)
    draft.replace(path)
