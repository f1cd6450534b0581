"""Resolves open settings of a topology (timers, family, subnet, ports) by the existing cluster and this machine."""

from __future__ import annotations

import random
import socket
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from lab import assets
from lab.backends.base import ROUTE, Existing, Lack, State
from lab.backends.optional import Images, RunsImages
from lab.errors import HostError, SpecError, Unable
from lab.lifecycle import families, kept
from lab.recipes import kernel_features, published_ports
from lab.recipes.apps import admit_app, source
from lab.topology import AUTO, parse
from lab.topology.changes import scaled
from lab.topology.defaults import filled

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.plan import Plan
    from lab.progress import Report
    from lab.topology import Cluster
    from lab.topology.apps import App

RANGE = IPv4Network("10.90.0.0/16")
POOL = list(RANGE.subnets(new_prefix=24))
REGISTRY_SECONDS = 3.0
FALLBACK_PORTS = range(20000, 32000)
"""Of an engine's machine that is not this one: below those of outgoing connections."""


def timers(cluster: Cluster, backend: Backend) -> Cluster:
    """The cluster with the backend's default timers for options that the topology omits."""
    return filled(cluster, backend.clock.defaults)


def apps(cluster: Cluster, backend: Backend) -> Cluster:
    """The cluster with the image of each application by a name that means no other one later.

    Raises:
        Unable: the backend runs no such images.
        SpecError: an image or folder does not exist, or is not as the topology says.
    """
    if not cluster.apps:
        return cluster
    if not isinstance(backend, RunsImages):
        raise Unable(
            f"{backend.name} runs no images of your own yet",
            where="apps",
            next_step="leave 'apps' out, or run this cluster on Docker or Xen",
        )
    return cluster.model_copy(
        update={"apps": {name: _app(name, app, cluster, backend) for name, app in cluster.apps.items()}}
    )


def _app(name: str, app: App, cluster: Cluster, backend: RunsImages) -> App:
    """One of them."""
    if app.build:
        folder = (Path(cluster.source).parent / app.build).resolve()
        tag = source(name, backend.source(folder))
        facts, image = backend.image(tag), tag
    else:
        facts, image = backend.image(str(app.image)), str(app.image)
        if facts is None:
            raise SpecError(
                f"the engine has no image '{image}'",
                where=f"apps.{name}.image",
                next_step="'docker images' lists what it has; 'build: ./folder' builds one from a Dockerfile",
            )
        image, folder = facts.id, Path()
    if facts:
        admit_app(name, app.port, facts)
    return app.model_copy(update={"image": image, "build": str(folder) if app.build else None})


def as_many(cluster: Cluster, names: Iterable[str]) -> Cluster:
    """The topology with the given number of nodes of each role, for changes that keep the number."""
    there = [name.rstrip("0123456789") for name in names]
    return scaled(
        cluster, [f"{role}={there.count(role)}" for role in cluster.roles() if role in there and role != "client"]
    )


def family(cluster: Cluster, existing: Existing, backend: Backend, report: Report) -> str:
    """The family: as requested; else of the cluster or its data; else CentOS if its base image is available."""
    if cluster.family != AUTO:
        return cluster.family
    if existing.family:
        return existing.family
    if existing.data and (made_by := kept.read(cluster.name, kept.Note.FAMILY)):
        report.say(f"family: {made_by} (the cluster's volumes have it)")
        return made_by
    return _by_base_image(cluster, backend, report)


def _by_base_image(cluster: Cluster, backend: Backend, report: Report) -> str:
    """CentOS if its base image is available and did not fail here before; otherwise Debian."""
    if not isinstance(backend, Images):
        return "debian"
    if why := families.failed((*cluster.roles(), "client"), "centos"):
        report.say(f"family: debian (CentOS failed here: {why}; 'lab up --family centos' retries it)")
        return "debian"
    if backend.has_base_image("centos", REGISTRY_SECONDS):
        report.say("family: centos (its base image is available)")
        return "centos"
    report.say(f"family: debian (no registry provided CentOS's base image within {REGISTRY_SECONDS:.0f} s)")
    return "debian"


def places(cluster: Cluster, existing: Existing, capabilities: Capabilities) -> Cluster:
    """The cluster with subnet and ports resolved.

    Raises:
        HostError: a requested subnet or port is in use.
    """
    network = _network(cluster, existing, capabilities.subnets)
    ports = _ports(cluster.ports.by_name(), existing, capabilities)
    return cluster.model_copy(update={"network": network, "ports": cluster.ports.changed(ports)})


def other_ports(cluster: Cluster, capabilities: Capabilities) -> Cluster:
    """The cluster with any free port for each automatic one, instead of the usual ones and those that it had."""
    ports = cluster.ports.by_name()
    for name in [name for name, port in ports.items() if port == AUTO]:
        ports[name] = _any_free(capabilities.published, set(ports.values()))
    return cluster.model_copy(update={"ports": cluster.ports.changed(ports)})


def admit(plan: Plan, capabilities: Capabilities) -> None:
    """Refuses a plan that the backend does not support here.

    Raises:
        HostError: a kernel feature is missing, or the engine does not support a role.
        SpecError: too many nodes; names shipped topologies that fit.
    """
    _admit_kernel(plan, capabilities)
    _admit_names(plan, capabilities)
    if Lack.BRICKS in capabilities.lacks and plan.role("storage"):
        raise HostError(
            f"{capabilities.engine} does not support the role 'storage': {capabilities.lacks[Lack.BRICKS]}",
            where="storage",
            next_step="use an engine that runs as root, without 'userns-remap' (DOCKER_HOST, 'docker context use'),"
            " or a topology without 'storage', such as '--file rootless'",
        )
    if capabilities.max_nodes is not None and len(plan.nodes) > capabilities.max_nodes:
        raise SpecError(
            f"{len(plan.nodes)} nodes are more than the {capabilities.max_nodes} that may run at once on"
            f" {capabilities.engine}",
            where=capabilities.max_nodes_option,
            next_step=f"shipped topologies that fit: {', '.join(_that_fit(capabilities.max_nodes))} (--file NAME)"
            + (f"; or raise '{capabilities.max_nodes_option}'" if capabilities.max_nodes_option else ""),
        )


def _admit_kernel(plan: Plan, capabilities: Capabilities) -> None:
    """Refuses a role that needs a feature which the nodes' kernel lacks."""
    for feature in plan.needs:
        if feature not in capabilities.kernel:
            role, needed = kernel_features()[feature]
            raise HostError(
                f"the nodes' kernel has no '{feature}', which {needed.purpose} needs",
                where=f"{role}.{needed.option}".rstrip("."),
                next_step=f"{needed.instead} ('lab doctor' lists the features)",
            )


def _admit_names(plan: Plan, capabilities: Capabilities) -> None:
    """Refuses a name of a node or network that is used by something else."""
    for name in ("", *(node.name for node in plan.nodes)):
        if name in capabilities.foreign:
            raise HostError(
                f"{capabilities.foreign[name]} already exists and is not the lab's",
                where=name or "network",
                next_step="remove it, or choose another name for the cluster with --name",
            )


def _that_fit(count: int) -> list[str]:
    """The shipped topologies of at most so many nodes."""
    return [
        name
        for name, path in assets.topologies().items()
        if sum(role.count for role in parse(path.read_text(encoding="utf-8")).roles().values()) <= count
    ]


def _network(cluster: Cluster, existing: Existing, taken: Mapping[str, str]) -> IPv4Network:
    conflicts = _conflicts(existing, taken)
    if isinstance(cluster.network, IPv4Network):
        _refuse_taken(cluster.network, conflicts if str(cluster.network) == existing.network else taken)
        return cluster.network
    if existing.network and not conflicts:
        return IPv4Network(existing.network)
    used = [IPv4Network(subnet) for subnet in taken]
    for candidate in POOL:
        if (cluster.vip is None or cluster.vip in candidate) and not any(candidate.overlaps(other) for other in used):
            return candidate
    raise HostError(f"no subnet of {RANGE} is free", next_step="set one, such as 'network: 10.123.0.0/24'")


def subnet_conflict(existing: Existing, capabilities: Capabilities) -> str:
    """Why the cluster cannot keep its subnet; empty if it can."""
    conflicts = _conflicts(existing, capabilities.subnets)
    return "; ".join(f"{existing.network} collides with {subnet}, {owner}" for subnet, owner in conflicts.items())


def _conflicts(existing: Existing, taken: Mapping[str, str]) -> dict[str, str]:
    """Collisions with the cluster's subnet since it was chosen, such as a VPN's route to a part of it.

    A wider route is no collision: the kernel prefers the cluster's, which is more specific.
    """
    if not existing.network:
        return {}
    own = IPv4Network(existing.network)
    return {
        subnet: owner
        for subnet, owner in taken.items()
        if own.overlaps(other := IPv4Network(subnet)) and not (owner.startswith(ROUTE) and own.subnet_of(other))
    }


def _refuse_taken(network: IPv4Network, taken: Mapping[str, str]) -> None:
    for subnet, owner in taken.items():
        if network.overlaps(IPv4Network(subnet)):
            raise HostError(
                f"the network {network} collides with {subnet}, {owner}",
                where="network",
                next_step="choose another subnet, or omit 'network' to use a free one",
            )


def _ports(requested: Mapping[str, int | str], existing: Existing, capabilities: Capabilities) -> dict[str, int | str]:
    """The port of each name; requested ports first, since automatic ones must differ from them."""
    chosen: dict[str, int | str] = {}
    for name in sorted(requested, key=lambda name: not isinstance(requested[name], int)):
        chosen[name] = _port(name, requested[name], existing, capabilities, set(chosen.values()))
    return {name: chosen[name] for name in requested}


def _port(
    name: str, requested: int | str, existing: Existing, capabilities: Capabilities, others: Container[int | str]
) -> int | str:
    """The port of a name; `others`: the ports of other names."""
    held, published = existing.ports.get(name), capabilities.published
    serving = any(node.fixed.publish and node.state in (State.RUNNING, State.PAUSED) for node in existing.nodes)
    where = "127.0.0.1" if published is None else "the engine's machine"
    if isinstance(requested, int):
        _admit_port(name, requested, capabilities, others)
        if not (serving and requested == held) and not free(requested, published):
            raise HostError(
                f"port {requested} of {where}, requested for '{name}', is in use",
                where=f"ports.{name}",
                next_step=f"choose another with '--port {name}=NUMBER', or omit it to use a free one",
            )
        return requested
    if requested != AUTO:
        return requested
    if held and held not in others and (serving or free(held, published)):
        return held
    usual = published_ports()[name].usual
    return usual if usual not in others and free(usual, published) else _any_free(published, others)


def _admit_port(name: str, requested: int, capabilities: Capabilities, others: Container[int | str]) -> None:
    """Refuses a port that two names share, or that the engine cannot publish."""
    if requested in others:
        raise HostError(
            f"port {requested} is requested for '{name}' and for another name",
            where=f"ports.{name}",
            next_step="choose different ports, or omit one to use a free one",
        )
    if requested < capabilities.least_port:
        raise HostError(
            f"{capabilities.engine} cannot publish port {requested}, requested for '{name}'",
            where=f"ports.{name}",
            next_step=f"choose one from {capabilities.least_port} on, an engine that runs as root,"
            " or lower net.ipv4.ip_unprivileged_port_start",
        )


def free(port: int, published: Container[int] | None = None) -> bool:
    """Whether a port is free on 127.0.0.1, or on a remote engine with these `published` ports.

    A port that this user may not bind counts as free: the engine may bind it.
    """
    if published is not None:
        return port not in published
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return True
        except OSError:
            return False
    return True


def _any_free(published: Container[int] | None, others: Container[int | str]) -> int:
    """A free port, except `others`."""
    if published is not None:
        free_ports = [port for port in FALLBACK_PORTS if port not in published and port not in others]
        return random.choice(free_ports)  # noqa: S311  no secret
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in others:
            return port


def offline(cluster: Cluster, existing: Existing | None = None) -> tuple[Cluster, str]:
    """The cluster with subnet, ports and family resolved without checks, for rendering files and pictures.

    Values of an existing cluster are used, else defaults.
    """
    there = existing or Existing()
    network = cluster.network
    if network == AUTO:
        network = IPv4Network(there.network) if there.network else POOL[0]
    chosen = {
        name: there.ports.get(name, published_ports()[name].usual) if port == AUTO else port
        for name, port in cluster.ports.by_name().items()
    }
    filled = cluster.model_copy(update={"network": network, "ports": cluster.ports.changed(chosen)})
    return filled, (there.family or "debian") if cluster.family == AUTO else cluster.family
