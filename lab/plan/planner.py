"""The planner: lays out the nodes of a cluster, then renders what each of them runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab import names
from lab.plan.addresses import addresses, network_of, vip_of
from lab.plan.limits import limits
from lab.plan.model import Endpoint, File, Gateway, Network, NodePlan, Plan, Publish
from lab.plan.rendering import files
from lab.recipes import Manifest, manifest, recipe

if TYPE_CHECKING:
    from lab.spec import Cluster

SSH_PORT, SUBMISSION_PORT, IMAPS_PORT = 22, 587, 993
STATISTICS_PORT = 8500  # of the HTTP balancers, with a password; what nodes ask each other is at 8404
ENTRANCES = ("http-lb", "web", "mysql", "shell", "mail")
STOP_MARGIN = 5  # seconds for init and the supervisor, above the slowest services


def plan(cluster: Cluster, family: str) -> Plan:
    """The plan of a cluster whose network and ports are chosen, on one family.

    Raises:
        SpecError: the addresses don't work out.
    """
    found = addresses(cluster)
    gateways = _gateways(cluster, found)
    bare = Plan(
        cluster=cluster.name,
        family=family,
        network=Network(network_of(cluster)),
        vip=vip_of(cluster),
        entry=_entrance(cluster, found)[0],
        nodes=tuple(_bare(cluster, family, name, address) for name, address in found.items()),
        gateways=gateways,
        endpoints=_endpoints(cluster),
        needs=_needs(cluster),
    )
    nodes = tuple(replace(node, files=_files(cluster, bare, node)) for node in bare.nodes)
    return replace(bare, nodes=nodes)


def _needs(cluster: Cluster) -> tuple[str, ...]:
    """What of the kernel the roles can't do without."""
    ipvs = cluster.tcp_lb is not None and cluster.tcp_lb.engine == "ipvs"
    return (*(["ip_vs"] if ipvs else []), *(["fuse"] if cluster.storage else []))


def _bare(cluster: Cluster, family: str, name: str, address: str) -> NodePlan:
    """A node without its files."""
    role = name.rstrip("0123456789")
    kind = manifest(role)
    return NodePlan(
        name=name,
        role=role,
        image=recipe(role, family).tag,
        address=address,
        volumes=kind.merged("volumes"),
        capabilities=tuple(sorted(kind.merged("capabilities", cluster.roles()))),
        devices=tuple(sorted(kind.merged("devices", cluster.roles()))),
        sysctls=kind.merged("sysctls", cluster.roles()),
        publish=_publish(cluster) if role == "client" else (),
        limits=limits(kind, cluster.roles()[role]),
        holds_vip=kind.own.holds_vip,
        stop_seconds=_stop_seconds(kind),
    )


def _stop_seconds(kind: Manifest) -> int:
    """They are stopped one after another."""
    return sum(service.stop_seconds for service in kind.services.values()) + STOP_MARGIN


def _files(cluster: Cluster, bare: Plan, node: NodePlan) -> tuple[File, ...]:
    siblings = bare.role(node.role)
    return files(
        node.role,
        bare.family,
        plan=bare,
        cluster=cluster,
        node=node,
        options=cluster.roles()[node.role],
        index=siblings.index(node),
    )


def _entrance(cluster: Cluster, found: dict[str, str]) -> list[str]:
    """The addresses at which the cluster is reached: the VIP, else what is nearest to visitors."""
    vip = vip_of(cluster)
    if vip:
        return [vip]
    roles = cluster.roles()
    role = next(role for role in (*ENTRANCES, *roles) if role in roles)
    return [address for name, address in found.items() if name.rstrip("0123456789") == role]


def _gateways(cluster: Cluster, found: dict[str, str]) -> tuple[Gateway, ...]:
    """What the client forwards."""
    entrance = tuple(_entrance(cluster, found))
    gateways = [Gateway("site-http", 80, entrance, 80)] if cluster.web else []
    if cluster.shell:
        shells = tuple(found[f"shell{number + 1}"] for number in range(cluster.shell.count))
        gateways.append(Gateway("ssh", SSH_PORT, entrance if cluster.tcp_lb else shells, SSH_PORT))
    if cluster.mail and cluster.tcp_lb:
        gateways += [
            Gateway("submission", SUBMISSION_PORT, entrance, SUBMISSION_PORT),
            Gateway("imaps", IMAPS_PORT, entrance, IMAPS_PORT),
        ]
    if cluster.http_lb:
        balancers = tuple(found[f"http-lb{number + 1}"] for number in range(cluster.http_lb.count))
        gateways += [Gateway("site", 443, entrance, 443), Gateway("stats", STATISTICS_PORT, balancers, STATISTICS_PORT)]
    return tuple(gateways)


def _publish(cluster: Cluster) -> tuple[Publish, ...]:
    inside = {"site": 443} if cluster.http_lb else {}
    inside |= {"site-http": 80} if cluster.web else {}
    inside |= {"stats": STATISTICS_PORT} if cluster.http_lb else {}
    inside |= {"ssh": SSH_PORT} if cluster.shell else {}
    inside |= {"submission": SUBMISSION_PORT, "imaps": IMAPS_PORT} if cluster.mail and cluster.tcp_lb else {}
    wanted = cluster.ports.model_dump(by_alias=True)
    return tuple(Publish(name, wanted[name], port) for name, port in inside.items() if isinstance(wanted[name], int))


def _endpoints(cluster: Cluster) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(entry.name, names.url(entry.name, entry.host_port)) for entry in _publish(cluster))
