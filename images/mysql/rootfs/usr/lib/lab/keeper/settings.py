"""What the plan says of this node: /etc/lab/mysql.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path("/etc/lab/mysql.json")


@dataclass(frozen=True)
class Settings:
    """Names, addresses and bounds; see the template for the meaning of each."""

    topology: str
    node: str
    server_id: int
    nodes: dict[str, str]
    patience: float
    lag: float
    replication_password: str
    binaries: dict[str, str]

    @property
    def interval(self) -> float:
        """Seconds between two looks at the others and at this node's own database."""
        return max(0.1, self.patience / 10)

    @property
    def others(self) -> dict[str, str]:
        """The other nodes' addresses by name."""
        return {name: address for name, address in self.nodes.items() if name != self.node}


def read() -> Settings:
    """The settings of this node."""
    return Settings(**json.loads(PATH.read_text()))
