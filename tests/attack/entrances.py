"""Every port that nodes listen on, and what is heard there by who has shown nothing: no password, key or certificate.

Compared with `role.yaml`, with the plan and with the kernel of every node: a role or a port without a line here fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.topology import Cluster
BRICKS = range(49152, 65536)
"""The ports of GlusterFS' bricks: chosen when a brick starts."""

UDP = {"tcp-lb": {53}}
"""What listens by UDP: names, of the domain that the cluster's mail is for."""


@dataclass(frozen=True)
class Entrance:
    """Regular expressions for the first line that is heard; empty: nothing at all; None: not tried.

    Attributes:
        greeting: within two seconds, from a server that is told nothing.
        plain: after a request of HTTP without TLS.
        tls: after one under TLS, from a client without a certificate.
    """

    greeting: str = ""
    plain: str | None = ""
    tls: str | None = ""


def _mail(greeting: str, *, wrapped: bool = False) -> Entrance:
    """A mail program's port: it greets, and wants a login for anything else (tests/cluster/test_mail_attacks.py)."""
    return Entrance(tls=greeting) if wrapped else Entrance(greeting=greeting, plain=f"{greeting}|554 .*")


SITE = Entrance(tls=r"HTTP/1\.1 421 .*")
REDIRECT = Entrance(plain=r"HTTP/1\.1 421 .*")
COUNTERS = Entrance(plain=r"HTTP/1\.1 (200|503) .*")
"""HAProxy's own counters and whether the node is ready: for the cluster's network alone."""

PASSWORD = Entrance(plain=r"HTTP/1\.1 401 .*")
SSH = Entrance(greeting=r"SSH-2\.0-OpenSSH_.*", plain=None, tls=None)
"""Whoever says something else there is taken for one who guesses, and soon banned (tests/cluster/test_shell.py)."""
DATABASE = Entrance(greeting=r".*MariaDB.*", plain=r".*MariaDB.*")
BALANCERS = Entrance()
"""Dovecot hears of nobody but the TCP balancers, by the PROXY protocol."""

MAIL: dict[int | range, Entrance] = {
    25: _mail(r"220 .*ESMTP.*"),
    143: _mail(r"\* OK .*"),
    465: _mail(r"220 .*ESMTP.*", wrapped=True),
    587: _mail(r"220 .*ESMTP.*"),
    993: _mail(r"\* OK .*", wrapped=True),
    4190: _mail(r"\"IMPLEMENTATION\" \"Dovecot.* Pigeonhole\""),
}

ENTRANCES: dict[str, dict[int | range, Entrance]] = {
    "client": {22: SSH, 80: REDIRECT, 443: SITE, 587: MAIL[587], 993: MAIL[993], 8404: COUNTERS, 8500: PASSWORD},
    "web": {80: Entrance(plain=r"HTTP/1\.1 200 .*")},
    "http-lb": {80: REDIRECT, 443: SITE, 8404: COUNTERS, 8500: PASSWORD},
    "tcp-lb": {
        **MAIL,
        22: SSH,
        53: Entrance(),
        80: REDIRECT,
        443: SITE,
        3306: DATABASE,
        3307: DATABASE,
        8404: COUNTERS,
    },
    "storage": {24007: Entrance(), BRICKS: Entrance()},
    "mysql": {3306: DATABASE, 9104: Entrance(plain=r"HTTP/1\.[01] 404 .*"), 9105: Entrance()},
    "mail": {**MAIL, 143: BALANCERS, 993: BALANCERS, 4190: BALANCERS, 8404: COUNTERS},
    "shell": {22: SSH, 8404: COUNTERS},
    "backup": {},
}

BY_TRAIT: dict[str, dict[str, dict[int | range, Entrance]]] = {
    "unbalanced": {"mail": MAIL},
    "galera": {"mysql": {4567: Entrance(), 4568: Entrance(), 4444: Entrance()}},
}
"""What differs in some clusters: without a TCP balancer people reach the mail servers themselves; Galera has a port of
the group, and two more while a node is copied."""

OF_BACKENDS: dict[str, dict[int, Entrance]] = {
    "docker": {},
    "xen": {7022: Entrance(greeting=r"SSH-2\.0-dropbear.*", plain=None, tls=None)},
}
"""Ports of every node by backend: on Xen the lab's way into a domain, for the cluster's key alone (SECURITY.md)."""

APPLICATION = Entrance(plain=r"HTTP/1\.[01] \d{3} .*", tls=None)
"""The port of a user's own image."""


def _traits(spec: Cluster | None) -> list[str]:
    """What of a cluster changes its entrances."""
    if spec is None:
        return []
    galera = spec.mysql is not None and spec.mysql.topology == "galera"
    return [name for name, has in (("unbalanced", not spec.tcp_lb), ("galera", galera)) if has]


def entrance(role: str, port: int, backend: str, spec: Cluster | None = None) -> Entrance | None:
    """The line of a port; None where there is none. Without `spec`: in a cluster of all roles, without applications."""
    if spec and role in spec.apps and port == spec.apps[role].port:
        return APPLICATION
    lines = ENTRANCES.get(role, {}) | OF_BACKENDS[backend]
    for trait in _traits(spec):
        lines = lines | BY_TRAIT[trait].get(role, {})
    return next((line for of, line in lines.items() if port == of or (isinstance(of, range) and port in of)), None)
