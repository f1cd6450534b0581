"""What of a cluster can be reached, and by which way: from what its roles declare as published and balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.plan.addresses import nodes_of, vip_of
from lab.plan.model import Endpoint, Gateway, Listener, Publish, Server
from lab.recipes import manifest, published_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.recipes.declared import Published
    from lab.topology import Cluster


def entry(cluster: Cluster, addresses: Mapping[str, str]) -> str:
    """The site's address: the VIP; without one, the first node of the role that is nearest to visitors.

    Args:
        cluster: whose.
        addresses: the address of each node by its name.
    """
    there = [role for role in cluster.roles() if role != "client"]
    front = sorted((role for role in there if manifest(role).own.picture.front), key=_place)
    nearest = next(iter([*front, *(role for role in there if manifest(role).own.balanced), *there]))
    return vip_of(cluster) or addresses[nodes_of(cluster, nearest)[0]]


def _place(role: str) -> int:
    return manifest(role).own.picture.place


def gateways(cluster: Cluster, addresses: Mapping[str, str]) -> tuple[Gateway, ...]:
    """What the client forwards."""
    return tuple(
        Gateway(name, port.port, _targets(cluster, addresses, role, port), port.port)
        for role, name, port in _published(cluster)
    )


def publish(cluster: Cluster) -> tuple[Publish, ...]:
    """The ports of this machine that lead to the client's."""
    host_ports = cluster.ports.by_name()
    return tuple(
        Publish(name, host_port, port.port)
        for _, name, port in _published(cluster)
        if isinstance(host_port := host_ports[name], int)
    )


def endpoints(cluster: Cluster) -> tuple[Endpoint, ...]:
    """The addresses that a person opens."""
    return tuple(Endpoint(each.name, url(each.name, each.host_port)) for each in publish(cluster))


def url(name: str, port: int) -> str:
    """What a person opens for a published port; plain TCP where no role that is known here publishes it."""
    known = published_ports().get(name)
    return (known.url if known else "tcp://localhost:{}").format(port)


def listeners(cluster: Cluster, addresses: Mapping[str, str]) -> tuple[Listener, ...]:
    """What the TCP balancers listen at, and to whom they lead."""
    return tuple(
        Listener(name, role, port, tuple(Server(node, addresses[node]) for node in nodes_of(cluster, role)))
        for role in cluster.roles()
        for name, port in manifest(role).own.balanced.items()
    )


def _published(cluster: Cluster) -> Iterator[tuple[str, str, Published]]:
    """Role, name and declaration of each port that is published, first things first."""
    there = cluster.roles()
    owners = {name: role for role in there for name in manifest(role).own.publishes}
    for name, port in published_ports().items():
        if name in owners and (port.direct or any(role in there for role in port.through)):
            yield owners[name], name, port


def _targets(cluster: Cluster, addresses: Mapping[str, str], role: str, port: Published) -> tuple[str, ...]:
    """The addresses at which a role's published port is reached: the VIP stands for the role that holds it."""
    through = next((other for other in port.through if other in cluster.roles()), role)
    vip = vip_of(cluster)
    if vip and manifest(through).own.holds_vip:
        return (vip,)
    return tuple(addresses[node] for node in nodes_of(cluster, through))
