"""Who is asked for by a host name of its own: the list that the HTTP balancers, certificates and DNS are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.plan.addresses import nodes_of
from lab.plan.model import Host, Pool, Server
from lab.recipes import manifest
from lab.topology import apps
from lab.topology.sites import BESIDE, host_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.topology import Cluster


def hosts(cluster: Cluster, addresses: Mapping[str, str]) -> tuple[Host, ...]:
    """All of a cluster.

    Args:
        cluster: whose.
        addresses: the address of each node by its name.
    """
    return (*_sites(cluster, addresses), *_apps(cluster, addresses))


def _sites(cluster: Cluster, addresses: Mapping[str, str]) -> Iterator[Host]:
    """The sites: each has a pool of its own of the same nodes, so that none takes the connections of the others."""
    if not cluster.sites:
        return
    there = cluster.roles()
    role = next(role for role in there if "sites" in manifest(role).own.serves)
    servers = tuple(Server(node, addresses[node]) for node in nodes_of(cluster, role))
    for name, site in cluster.sites.items():
        # By one balancer, since the others may be dead; what all send together is more than PHP-FPM takes.
        room = site.php.children + BESIDE
        most, seconds = site.php.upload, site.php.seconds
        pool = Pool(f"site-{name}", servers, 80, track=role, connections=room, patience=seconds, upload=most)
        yield Host(name, host_names(name, site, cluster.domain), pool, upload=most)


def _apps(cluster: Cluster, addresses: Mapping[str, str]) -> Iterator[Host]:
    """The applications, each on nodes of its own."""
    for name, app in cluster.apps.items():
        servers = tuple(Server(node, addresses[node]) for node in nodes_of(cluster, name))
        names = apps.host_names(name, app, cluster.domain)
        pool = Pool(f"app-{name}", servers, app.port, app.health, names[0], "", app.connections, 0, app.sticky)
        yield Host(name, names, pool)
