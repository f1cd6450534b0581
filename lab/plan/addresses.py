"""Addresses: fixed by a node's role and number, so that scaling one role never moves another node."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.recipes import manifest
from lab.topology import apps

if TYPE_CHECKING:
    from lab.topology import Cluster

VIP_SLOT = 100


def network_of(cluster: Cluster) -> IPv4Network:
    """The cluster's subnet, which must have been chosen by now."""
    if not isinstance(cluster.network, IPv4Network):
        raise SpecError("the network is not chosen yet", next_step="write a subnet, such as 'network: 10.90.0.0/24'")
    return cluster.network


def vip_of(cluster: Cluster) -> str | None:
    """The VIP, if the cluster has a role to hold it."""
    if not any(manifest(role).own.holds_vip for role in cluster.roles()):
        return None
    network = network_of(cluster)
    chosen = cluster.vip or _slot(network, VIP_SLOT, "the VIP")
    if chosen not in network:
        raise SpecError(
            f"vip {chosen} is outside the network {network}", next_step="choose one inside, or leave it out"
        )
    return str(chosen)


def nodes_of(cluster: Cluster, role: str) -> list[str]:
    """The names of a role's nodes."""
    return [role] if role == "client" else [f"{role}{index + 1}" for index in range(cluster.roles()[role].count)]


def addresses(cluster: Cluster) -> dict[str, str]:
    """The address of every node by its name.

    Raises:
        SpecError: more nodes than a role has addresses, one outside the network, or one used twice.
    """
    network = network_of(cluster)
    by_name: dict[str, str] = {}
    for role, options in cluster.roles().items():
        first, last = _slots(cluster, role)
        if options.count > last - first + 1:
            raise SpecError(
                f"{role}: {options.count} nodes are more than the {last - first + 1} addresses of this role",
                where=f"{role}.count",
                next_step=f"ask for at most {last - first + 1}",
            )
        for index, name in enumerate(nodes_of(cluster, role)):
            override = cluster.nodes.get(name)
            own = override.address if override else None
            by_name[name] = str(own or _slot(network, first + index, name))
    _refuse_unknown(cluster, by_name)
    _refuse_conflicts(cluster, by_name, network)
    return by_name


def _slots(cluster: Cluster, role: str) -> tuple[int, int]:
    """The first and last address number of a role's nodes."""
    if role in cluster.apps:
        first = apps.FIRST + apps.EACH * list(cluster.apps).index(role)
        return first, first + apps.EACH - 1
    return manifest(role).own.slots or (2, 9)


def _slot(network: IPv4Network, slot: int, owner: str) -> IPv4Address:
    if slot >= network.num_addresses - 1:
        raise SpecError(
            f"the network {network} is too small: it has no address number {slot} for {owner}",
            where="network",
            next_step="use a /24 or larger, or give the node an address under 'nodes'",
        )
    return network[slot]


def _refuse_unknown(cluster: Cluster, by_name: dict[str, str]) -> None:
    for name in cluster.nodes:
        if name not in by_name:
            raise SpecError(
                f"'{name}' under 'nodes' is no node of this cluster",
                where=f"nodes.{name}",
                next_step=f"the nodes are: {', '.join(by_name)}",
            )


def _refuse_conflicts(cluster: Cluster, by_name: dict[str, str], network: IPv4Network) -> None:
    taken = {str(network[1]): "the engine's gateway"}
    vip = vip_of(cluster)
    if vip in taken:
        raise SpecError(f"vip {vip} is {taken[vip]}", where="vip", next_step="choose another")
    if vip:
        taken[vip] = "the VIP"
    for name, address in by_name.items():
        where = f"nodes.{name}.address"
        if IPv4Address(address) not in network:
            raise SpecError(f"{name}: {address} is outside the network {network}", where=where)
        if address in (str(network[0]), str(network[-1])):
            raise SpecError(f"{name}: {address} is not an address for a node", where=where)
        if address in taken:
            raise SpecError(
                f"{address} is used twice: by {taken[address]} and by {name}",
                where=where,
                next_step="give one of them another address",
            )
        taken[address] = name
