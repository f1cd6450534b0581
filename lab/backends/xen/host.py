"""Ways: to the Xen host, from there into each domain, from published ports of this machine to a node."""

from __future__ import annotations

import gzip
import shlex
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.backends.base import Room
from lab.backends.xen import dom0, domain, keys, ssh
from lab.backends.xen.dom0 import VERB_SECONDS, Dom0
from lab.backends.xen.ssh import CHECKED, Completed, Link
from lab.clock import REAL
from lab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lab.backends.xen.settings import Xen
    from lab.clock import Clock
    from lab.plan.model import Publish

__all__ = ["VERB_SECONDS", "Completed", "Nodes", "facts", "find", "forward", "forward_end", "place", "rooms"]

DOMAIN_OVERHEAD = 8  # MiB that Xen itself takes for a small PV domain, above its memory
DOMAIN_DISK = 384  # MiB: what a node writes beside its image, at first
UPLOAD_SECONDS = 900
LEVEL = 1  # of gzip: the network is near, the other side's processor may be emulated


@dataclass(frozen=True)
class Facts:
    """What a Xen host is and has; memory and disk in MiB."""

    version: str
    processors: int
    memory: int
    disk: int
    keeps_consoles: bool
    routes: tuple[tuple[str, str], ...]


def find(settings: Xen, cluster: str) -> tuple[Dom0, Clock]:
    """The host that is meant (as said, else the nested one of this machine), and its nodes' clock.

    Raises:
        HostError: none is said, and the nested one is not running.
    """
    if settings.host:
        address = dom0.address(settings.host)
        return Dom0(Link(address.shown, (*CHECKED, *address.destination), REAL), address.store, cluster), REAL
    from lab.backends.xen.nested import machine

    running = machine.running()
    if running is None:
        raise HostError(
            "no Xen host is said, and none runs here",
            next_step="'lab xen host up' boots one on this machine; or --host ssh://root@dom0 (docs/xen.md)",
        )
    return Dom0(running.link, running.store, cluster), running.clock


def facts(host: Dom0) -> Facts:
    """Asks a host what it is and has."""
    rows = [line.partition(":") for line in host.do("facts").splitlines()]
    values = {key.strip(): value.strip() for key, _, value in rows}
    routes = [value.split() for key, _, value in rows if key.strip() == "lab_route"]
    return Facts(
        values["xen_version"],
        int(values["nr_cpus"]),
        int(values["free_memory"]),
        int(values["lab_disk"]),
        values["lab_console"] != "0",
        tuple((route[0], route[1]) for route in routes),
    )


def rooms(host: Dom0, facts: Facts, memory: int) -> tuple[Room, Room]:
    """What new domains take, each with `memory` MiB: Xen gives them all of it when they are made."""
    return (
        Room("memory", host.link.where, facts.memory, facts.memory, memory + DOMAIN_OVERHEAD),
        Room("disk", host.link.where, facts.disk, facts.disk, DOMAIN_DISK),
    )


def place(host: Dom0, files: Sequence[Path], report: Callable[[str, str], None]) -> None:
    """Copies to the host's store what it lacks; a nested host sees this machine's own."""
    missing = host.do("missing-images", *[path.name for path in files]).split()
    for path in (path for path in files if path.name in missing):
        report(path.name.split("-")[0], f"copying {path.name} to {host.link.where}")
        host.do("place", path.name, stdin=gzip.compress(path.read_bytes(), LEVEL), seconds=UPLOAD_SECONDS)


def prepare(host: Dom0, clock: Clock, bridge: str, address: str, *, own: bool) -> None:
    """Makes the network of a cluster, and sets the date of a host whose own time has stayed behind.

    Args:
        host: the host.
        clock: its time.
        bridge: the network's name there.
        address: the host's in it, with the length of its prefix.
        own: whether the bridge is the cluster's own, and is made.
    """
    if clock.own:
        host.do("date", int(time.time()))
    host.do("network", bridge, "yes" if own else "no", address)


@dataclass
class Nodes:
    """The ways into a cluster's domains, through its host; each is made when it is first used."""

    host: Dom0
    cluster: str
    clock: Clock
    _links: dict[str, tuple[str, Link]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def link(self, node: str, address: str) -> Link:
        """The way into a node."""
        with self._lock:
            if node not in self._links or self._links[node][0] != address:
                self._links[node] = (address, self._new_link(node, address))
            way = self._links[node][1]
        self.host.link.connect()
        return way

    def answers(self, node: str) -> bool:
        """Whether the way into a node was used before and still is one."""
        return node in self._links and self._links[node][1].answers()

    def _new_link(self, node: str, address: str) -> Link:
        own, through = keys.keys(self.cluster), self.host.link
        *options, destination = through.arguments
        jump = shlex.join(["ssh", "-S", str(through.socket), *options, "-W", "%h:%p", destination])
        known = ("-o", f"UserKnownHostsFile={own.known_hosts}", "-o", f"HostKeyAlias={keys.ALIAS}")
        identity = ("-F", "/dev/null", "-i", str(own.identity), "-o", "IdentitiesOnly=yes")
        way = ("-o", f"ProxyCommand={jump}", "-p", str(domain.PORT), f"root@{address}")
        return Link(node, (*identity, *CHECKED, *known, *way), self.clock)

    def forget(self, node: str) -> None:
        """A node is down, or another one now: its way is closed."""
        with self._lock:
            _, way = self._links.pop(node, ("", None))
        if way:
            way.close()

    def close(self) -> None:
        """Closes all ways, also those that another command of the same cluster left open."""
        for node in list(self._links):
            self.forget(node)


def forward(host: Dom0, address: str, publish: Sequence[Publish]) -> None:
    """Leaves the published ports of this machine leading to a node, by a connection that stays with the cluster.

    Raises:
        HostError: a port is taken.
    """
    ways = [f"127.0.0.1:{entry.host_port}:{address}:{entry.port}" for entry in publish]
    extra = ("-o", "ExitOnForwardFailure=yes", *(word for way in ways for word in ("-L", way)))
    to = host.link
    link = Link(to.where, to.arguments, to.clock, extra, persist=0, label=host.cluster)
    for other in ssh.sockets(host.cluster):
        if other != link.socket:
            ssh.end(other)
    link.connect()


def forward_end(host: Dom0) -> None:
    """Ends the connection behind a cluster's published ports."""
    for socket in ssh.sockets(host.cluster):
        ssh.end(socket)
