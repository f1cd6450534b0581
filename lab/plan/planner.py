"""The planner: lays out the nodes of a cluster, then renders what each of them runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.hints import nearest
from lab.plan import exposure, hosts
from lab.plan.addresses import addresses, network_of, vip_of
from lab.plan.limits import limits
from lab.plan.model import File, Network, NodePlan, Plan
from lab.plan.rendering import files
from lab.recipes import Manifest, family, manifest, recipe
from lab.recipes.apps import UNKNOWN, app_recipe
from lab.recipes.recipe import services
from lab.topology import apps

if TYPE_CHECKING:
    from lab.recipes import Recipe
    from lab.topology import Cluster

READ_AT_START = ("/etc/lab/environment", "/etc/lab/app", "/etc/lab/hosts")
SERVICES = "/etc/lab/services.conf"
STOP_MARGIN = 5  # seconds for init and the supervisor, above the slowest services


def plan(cluster: Cluster, family: str) -> Plan:
    """The plan of a cluster whose network and ports are chosen, on one family.

    Raises:
        SpecError: the addresses don't work out.
    """
    by_name = addresses(cluster)
    bare = Plan(
        cluster=cluster.name,
        family=family,
        network=Network(network_of(cluster)),
        vip=vip_of(cluster),
        entry=exposure.entry(cluster, by_name),
        nodes=tuple(_bare(cluster, family, name, address) for name, address in by_name.items()),
        gateways=exposure.gateways(cluster, by_name),
        listeners=exposure.listeners(cluster, by_name),
        hosts=hosts.hosts(cluster, by_name),
        endpoints=exposure.endpoints(cluster),
        needs=_needs(cluster),
        apps={name: image_recipe(cluster, name, family) for name in cluster.apps},
    )
    nodes = tuple(_whole(cluster, bare, node) for node in bare.nodes)
    return replace(bare, nodes=nodes)


def _whole(cluster: Cluster, bare: Plan, node: NodePlan) -> NodePlan:
    """A node with its files; what an application reads at its start can't be changed while it runs."""
    rendered = _files(cluster, bare, node)
    if node.by_hand:
        return _by_hand(cluster, bare, node, rendered)
    if node.role not in cluster.apps:
        return replace(node, files=rendered)
    read = "".join(file.text for file in rendered if file.path in READ_AT_START)
    return replace(node, files=rendered, sealed=hashlib.sha256(read.encode()).hexdigest()[:12])


def _by_hand(cluster: Cluster, bare: Plan, node: NodePlan, rendered: tuple[File, ...]) -> NodePlan:
    """A node that a person configures: without those files, and without the programs that would do it for them.

    Raises:
        SpecError: a file that is to be by hand is none of its own.
    """
    kind = manifest(node.role)
    withheld = cluster.by_hand[node.name] or kind.by_hand.files
    paths = [file.path for file in rendered]
    for path in withheld:
        if path not in paths:
            raise SpecError(
                f"{node.name} has no file {path}; {nearest(path, paths)}",
                where=f"by-hand.{node.name}",
                next_step=f"'lab render {node.name}' prints its files",
            )
    run = File(SERVICES, services(kind, family(bare.family), by_hand=True))
    remaining = tuple(file for file in rendered if file.path not in withheld)
    return replace(node, files=(*remaining, run), withheld=tuple(file for file in rendered if file.path in withheld))


def _needs(cluster: Cluster) -> tuple[str, ...]:
    """What of the kernel the roles can't do without."""
    return tuple(
        module
        for role, options in cluster.roles().items()
        for module, feature in manifest(role).own.kernel.items()
        if not feature.option or getattr(options, feature.option) == feature.value
    )


def _bare(cluster: Cluster, family: str, name: str, address: str) -> NodePlan:
    """A node without its files."""
    role = name.rstrip("0123456789")
    kind = manifest(role)
    return NodePlan(
        name=name,
        role=role,
        image=image_recipe(cluster, role, family).tag,
        address=address,
        volumes=_volumes(cluster, role),
        capabilities=tuple(sorted(kind.merged("capabilities", cluster.roles()))),
        devices=tuple(sorted(kind.merged("devices", cluster.roles()))),
        sysctls=kind.merged("sysctls", cluster.roles()),
        publish=exposure.publish(cluster) if role == "client" else (),
        limits=limits(kind, cluster.roles()[role], cluster.hosted),
        holds_vip=kind.own.holds_vip,
        by_hand=name in cluster.by_hand,
        stop_seconds=_stop_seconds(kind) + (cluster.apps[role].stop if role in cluster.apps else 0),
    )


def image_recipe(cluster: Cluster, role: str, family: str) -> Recipe:
    """What the image of a role is made from, applications included."""
    app = cluster.apps.get(role)
    if app is None:
        return recipe(role, family)
    return app_recipe(role, family, app.image or UNKNOWN, app.build or "", app.port, app.writable)


def _volumes(cluster: Cluster, role: str) -> dict[str, str]:
    """Mount points by name; those of an application by their path."""
    app = cluster.apps.get(role)
    own = {apps.volume(place): place for place in app.writable} if app else {}
    return manifest(role).merged("volumes") | own


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
