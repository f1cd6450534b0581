"""Many web nodes: what one more costs, in seconds and memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, seconds

if TYPE_CHECKING:
    from lab.testing import LabCluster

COUNTS = (5, 20, 50)


def run(cluster: LabCluster, runs: int) -> list[Figure]:
    """From the small cluster to the first count and on to the next, `runs` of them, each once."""
    rows = []
    spec = cluster.spec
    before, free = len(cluster.require("web", 1)), _available()
    for count in COUNTS[:runs]:
        wanted = spec.model_copy(update={"web": spec.roles()["web"].model_copy(update={"count": count})})
        took = seconds(lambda wanted=wanted: cluster.apply(wanted))  # type: ignore[misc]
        added, now = count - before, _available()
        rows.append(figure(f"{count} web nodes: a node more", "s", [took / added]))
        rows.append(figure(f"{count} web nodes: a node more", "MB", [(free - now) / added]))
        before, free = count, now
    cluster.apply(spec)
    return rows


def _available() -> float:
    """Megabytes of memory that this machine has left."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) / 1000
