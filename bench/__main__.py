"""The command: `python -m bench [SECTION …] [--runs N]`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench import cold, evidence, failover, lifecycle, mysql, scale, storage, traffic, xen
from bench.figures import Figure, keep, show
from lab.backends import backend
from lab.lifecycle.down import down
from lab.lifecycle.report import Silent
from lab.spec import Placement, find, load
from lab.testing import LabCluster

if TYPE_CHECKING:
    from collections.abc import Callable

TITLES = {
    "cold": "From a fresh clone",
    "lifecycle": "Up, down, status",
    "traffic": "Requests a second",
    "failover": "Out of the pool and back, and the VIP",
    "evidence": "What measuring costs, and how far it can be trusted",
    "scale": "Many web nodes",
    "storage": "The shared filesystem",
    "mysql": "The MySQL cluster: one node, replication, Galera",
    "xen": "Five domains on the nested Xen host",
    "xen-failover": "The same faults on Xen",
}


def main() -> int:
    """Takes the figures of the chosen sections, shows and keeps them. Exits 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *TITLES], default=[], help="all of them unless said")
    parser.add_argument("--runs", type=int, default=0, help="runs of each figure; 5, of a failover 10, unless said")
    chosen = parser.parse_args()
    sections = chosen.sections or list(TITLES)
    taken: dict[str, list[Figure]] = {}
    if "cold" in sections:
        taken["cold"] = _section("cold", cold.run)
    if "lifecycle" in sections:
        taken["lifecycle"] = _section("lifecycle", lambda: lifecycle.run(chosen.runs or 5))
    if "storage" in sections:
        taken["storage"] = _section("storage", lambda: storage.run(chosen.runs or 5))
    if "mysql" in sections:
        taken["mysql"] = _section("mysql", lambda: mysql.run(chosen.runs or 10))
    if "xen" in sections:
        taken["xen"] = _section("xen", lambda: xen.run(chosen.runs or 5))
    if "xen-failover" in sections:
        taken["xen-failover"] = _section("xen-failover", lambda: xen.faults(chosen.runs or 3))
    if set(sections) - {"cold", "lifecycle", "storage", "mysql", "xen", "xen-failover"}:
        made = backend(Placement(), lifecycle.NAME)
        cluster = LabCluster(load(find("full"), name=lifecycle.NAME), made)
        work: dict[str, Callable[[], list[Figure]]] = {
            "traffic": lambda: traffic.run(cluster, chosen.runs or 5),
            "failover": lambda: failover.run(cluster, chosen.runs or 10),
            "evidence": lambda: evidence.run(cluster, chosen.runs or 5),
            "scale": lambda: scale.run(cluster),
        }
        try:
            taken |= {name: _section(name, work[name]) for name in sections if name in work}
        finally:
            down(made, Silent(), volumes=True)
    print(f"kept in {keep(taken)}")
    return int(any(entry.held is False for rows in taken.values() for entry in rows))


def _section(name: str, take: Callable[[], list[Figure]]) -> list[Figure]:
    print(f"taking: {TITLES[name]} …", file=sys.stderr)
    rows = take()
    show(TITLES[name], rows)
    return rows


if __name__ == "__main__":
    sys.exit(main())
