"""What the plan says of this node: /etc/lab/storage.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path("/etc/lab/storage.json")


@dataclass(frozen=True)
class Settings:
    """This node's name, each peer's identity by its name, the names of the volumes, and the options of all of them."""

    node: str
    peers: dict[str, str]
    volumes: list[str]
    options: dict[str, str]


def read() -> Settings:
    """The settings as they are now."""
    return Settings(**json.loads(PATH.read_text()))
