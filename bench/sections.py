"""The sections: what each is called, and how it is taken, as a whole and for a quick look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import (
    apps,
    backup,
    classroom,
    cold,
    evidence,
    failover,
    lifecycle,
    live_page,
    mail,
    mysql,
    rest,
    scale,
    shell,
    sites,
    storage,
    traffic,
    xen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.figures import Figure
    from lab.testing import LabCluster


@dataclass(frozen=True)
class Section:
    """One group of figures.

    Attributes:
        title: for people.
        runs: how often each figure is taken unless something else is asked for.
        alone: takes `runs` of each figure, on clusters of its own; None where it only works on the shared one.
        shared: takes them on a whole cluster (`full`) that is there; None where that can't be.
        look: whether a quick look takes it.
        takes: seconds that it takes in a quick look, on two processors; it is left out when fewer are left.
    """

    title: str
    runs: int
    alone: Callable[[int], list[Figure]] | None = None
    shared: Callable[[LabCluster, int], list[Figure]] | None = None
    look: bool = True
    takes: float = 0.0

    def on_shared(self, *, quick: bool) -> bool:
        """Whether it is taken on the shared cluster: where it can't be otherwise, and in a quick look where it can."""
        return self.shared is not None and (quick or self.alone is None)


SECTIONS = {
    "cold": Section("From a fresh clone", 1, lambda _: cold.run(), look=False),
    "lifecycle": Section("Up, down, status", 5, lifecycle.run, lifecycle.look, takes=40),
    "rest": Section("At rest", 3, shared=rest.measure, takes=40),
    "traffic": Section("Requests a second", 5, shared=traffic.run, takes=15),
    "failover": Section("Out of the pool and back, and the VIP", 5, shared=failover.run, takes=45),
    "evidence": Section("What measuring costs, and how far it can be trusted", 5, shared=evidence.run, takes=40),
    "page": Section("The live page", 3, shared=live_page.run, look=False),
    "scale": Section("Many web nodes", 3, shared=scale.run, takes=15),
    "storage": Section("The shared filesystem", 5, storage.run, storage.measure, takes=20),
    "mysql": Section("The MySQL cluster: one node, replication, Galera", 5, mysql.run, mysql.look, takes=50),
    "shell": Section("Logins", 5, shell.run, shell.measure, takes=25),
    "mail": Section("Mail", 5, mail.run, mail.measure, takes=40),
    "backup": Section("Backup and restore", 3, backup.run, backup.measure, takes=45),
    "sites": Section("Sites", 3, sites.run, look=False),
    "apps": Section("Applications", 3, apps.run, look=False),
    "class": Section("A class: clusters of the first lesson side by side", 4, classroom.run, look=False),
    "xen": Section("Five domains on the nested Xen host", 3, xen.run, look=False),
    "xen-failover": Section("The same faults on Xen", 3, xen.faults, look=False),
}
