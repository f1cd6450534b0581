"""How a program on this machine reaches a site of the cluster: by a published port, with the CA trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.evidence.visitor import PATIENCE, Visitor
from lab.hints import nearest
from lab.lifecycle import secrets
from lab.topology.sites import LOCAL

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.plan import Host, Plan

TLS, PLAIN = "site", "site-http"
"""The published ports that lead to sites, the better one first."""


@dataclass(frozen=True)
class Entrance:
    """A site as this machine reaches it.

    Attributes:
        base: such as `https://localhost:8443`.
        ca: the certificates to trust, PEM; empty where the site is spoken to without TLS.
        nodes: those that serve it.
    """

    base: str
    ca: str
    nodes: tuple[str, ...]

    def visitor(self, patience: float = PATIENCE) -> Visitor:
        """A new visitor, without cookies or connections; `patience`: seconds that a question waits."""
        return Visitor(self.base, self.ca, patience)


def entrance(backend: Backend, plan: Plan, site: str | None = None) -> Entrance:
    """The entrance of a site or application; without a name that of the guest book.

    Raises:
        SpecError: there is none of that name, or no port of this machine leads there.
    """
    host = named(plan, site) if site else None
    ports = backend.observe().ports
    name = TLS if TLS in ports else PLAIN
    if name not in ports:
        raise SpecError(
            f"no port of this machine leads to the sites of '{plan.cluster}'",
            next_step=f"publish one: 'ports: {{{PLAIN}: auto}}' in the topology, or 'lab up --port {PLAIN}=auto'",
        )
    ca = secrets.known(plan.cluster, secrets.TRUSTED) or "" if name == TLS else ""
    scheme = "https" if name == TLS else "http"
    address = next((each for each in host.names if each not in host.inside), LOCAL) if host else LOCAL
    nodes = [server.name for server in host.pool.servers] if host else [node.name for node in plan.role("web")]
    return Entrance(f"{scheme}://{address}:{ports[name]}", ca, tuple(nodes))


def named(plan: Plan, name: str) -> Host:
    """The site or application of a name.

    Raises:
        SpecError: the cluster has none of that name; names the nearest.
    """
    match = next((host for host in plan.hosts if host.name == name), None)
    if match:
        return match
    names = [host.name for host in plan.hosts]
    hint = nearest(name, names) if names else "it has only the guest book, which needs no name"
    raise SpecError(f"'{plan.cluster}' has no site or application '{name}'; {hint}", where="--site")
