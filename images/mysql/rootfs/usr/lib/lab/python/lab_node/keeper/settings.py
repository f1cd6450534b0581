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
    watched: dict[str, float]

    @property
    def refused(self) -> float:
        """Seconds until no balancer leads to a node that reports that it is not writable."""
        return self.watched["inter"] + (self.watched["fall"] - 1) * self.watched["fastinter"]

    @property
    def silent(self) -> float:
        """The same where it says nothing."""
        return self.refused + self.watched["fall"] * self.watched["timeout"]

    @property
    def lease(self) -> float:
        """Seconds for which a primary leads by the last answers of a majority."""
        return 0.75 * self.patience

    @property
    def silence(self) -> float:
        """Seconds for which a node elects no other primary once it has answered one.

        Longer than that one may go on to be read from: the lease and the balancers' time, or theirs alone if its keeper
        hangs. Clocks may differ in speed, and threads be late, by two looks.
        """
        return max(self.lease + self.refused, self.silent) + 2 * self.interval

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
