"""The command: `python -m bench [SECTION …] [--runs N]`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench import backup, cold, evidence, failover, lifecycle, mail, mysql, scale, shell, storage, traffic, xen
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
    "shell": "Logins",
    "mail": "Mail",
    "backup": "Backup and restore",
    "xen": "Five domains on the nested Xen host",
    "xen-failover": "The same faults on Xen",
}

ALONE: dict[str, Callable[[int], list[Figure]]] = {
    "cold": lambda _: cold.run(),
    "lifecycle": lambda runs: lifecycle.run(runs or 5),
    "storage": lambda runs: storage.run(runs or 5),
    "mysql": lambda runs: mysql.run(runs or 10),
    "shell": lambda runs: shell.run(runs or 5),
    "mail": lambda runs: mail.run(runs or 5),
    "backup": lambda runs: backup.run(runs or 3),
    "xen": lambda runs: xen.run(runs or 5),
    "xen-failover": lambda runs: xen.faults(runs or 3),
}
"""Sections that make clusters of their own, by the runs that were asked for; 0 where that was left open."""

TOGETHER: dict[str, Callable[[LabCluster, int], list[Figure]]] = {
    "traffic": lambda cluster, runs: traffic.run(cluster, runs or 5),
    "failover": lambda cluster, runs: failover.run(cluster, runs or 10),
    "evidence": lambda cluster, runs: evidence.run(cluster, runs or 5),
    "scale": lambda cluster, _: scale.run(cluster),
}
"""Sections that share one."""


def main() -> int:
    """Takes the figures of the chosen sections, shows and keeps them. Exits 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *TITLES], default=[], help="all of them unless said")
    parser.add_argument("--runs", type=int, default=0, help="runs of each figure; 5, of a failover 10, unless said")
    chosen = parser.parse_args()
    sections = chosen.sections or list(TITLES)
    taken: dict[str, list[Figure]] = {}
    for name in sections:
        if name in ALONE:
            taken[name] = _section(name, partial(ALONE[name], chosen.runs))
    if set(sections) & set(TOGETHER):
        made = backend(Placement(), lifecycle.NAME)
        cluster = LabCluster(load(find("full"), name=lifecycle.NAME), made)
        try:
            for name in sections:
                if name in TOGETHER:
                    taken[name] = _section(name, partial(TOGETHER[name], cluster, chosen.runs))
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
