"""The same plan for Docker Compose: one YAML document, and the nodes' files beside it. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import yaml

from lab.names import NAMESPACE
from lab.plan.confinement import security
from lab.plan.model import TMPFS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan.model import File, NodePlan, Plan, Publish

NETWORK = IPv4Network("10.91.0.0/24")
"""The subnet unless one is written: not one that `lab up` takes, so that both can run on one machine."""

HOSTS = "/etc/lab/hosts"
OPEN, CLOSED = "nodes", "secrets"
"""Folders beside the document: what may be committed, and what holds secrets and is made on each machine."""

HEALTH_SECONDS = 1  # Compose knows readiness by this check alone, so it is made often
HEADER = """\
# The cluster for Docker Compose, written by 'lab compose > compose/compose.yaml'; a test keeps it fresh. Before the
# first 'up': 'lab build' makes the images, 'lab compose --secrets' the certificates and passwords.
"""


class _Plain(yaml.SafeDumper):
    """Writes equal lists twice instead of by reference: a person reads this."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def place(node: NodePlan, file: File) -> str:
    """Where a node's file lies beside the document."""
    return f"{CLOSED if file.secrets else OPEN}/{node.name}{file.path}"


def variable(entry: Publish) -> str:
    """The variable of the environment that says which port of this machine is published, such as `LAB_SITE_PORT`."""
    return f"LAB_{entry.name.replace('-', '_').upper()}_PORT"


def files(plan: Plan) -> dict[str, str]:
    """The files that hold no secret, by their place."""
    return {place(node, file): file.text for node in plan.nodes for file in node.files if not file.secrets}


def mode(plan: Plan, place: str) -> int:
    """The mode of a node's file with secrets, in a folder that is closed to others.

    The program of an application reads its own as the image's user; no other process is in its
    container.
    """
    return 0o644 if any(place.startswith(f"{CLOSED}/{node.name}/") for node in plan.nodes if node.sealed) else 0o600


def secret_files(plan: Plan, secrets: Mapping[str, str]) -> dict[str, str]:
    """The files that do, with their secrets in them."""
    return {place(node, file): file.reveal(secrets) for node in plan.nodes for file in node.files if file.secrets}


def document(plan: Plan) -> str:
    """The Compose document."""
    volumes = {f"{node.name}-{key}": None for node in plan.nodes for key in node.volumes}
    content = {
        "services": {node.name: _service(plan, node) for node in plan.nodes},
        "networks": {
            "cluster": {"ipam": {"config": [{"subnet": str(plan.network.cidr), "gateway": str(plan.network.gateway)}]}}
        },
        "volumes": volumes,
    }
    return HEADER + yaml.dump(content, Dumper=_Plain, sort_keys=False, width=120)


def names(node: NodePlan) -> dict[str, str]:
    """The cluster's host names with their addresses, for a node that writes nothing into its own /etc/hosts."""
    text = next(file.text for file in node.files if file.path == HOSTS)
    rows = (line.split() for line in text.splitlines() if line)
    return {name: words[0] for words in rows for name in words[1:] if name != "localhost"}


def _service(plan: Plan, node: NodePlan) -> dict[str, Any]:
    mounts = [f"./{place(node, file)}:{file.path}:ro" for file in node.files]
    mounts += [f"{node.name}-{key}:{path}" for key, path in node.volumes.items()]
    service: dict[str, Any] = {
        "image": f"{NAMESPACE}/{'app-' if node.sealed else ''}{node.role}:{plan.family}",
        "hostname": node.name,
        "networks": {"cluster": {"ipv4_address": node.address}},
        "cap_drop": ["ALL"],
        "cap_add": list(node.capabilities),
        "security_opt": security(node),
        "mem_limit": f"{node.limits.memory}m",
        "memswap_limit": f"{node.limits.memory}m",
        "pids_limit": node.limits.processes,
        "cpus": node.limits.processors,
        "tmpfs": [f"{path}:{options}" for path, options in TMPFS.items()],
        "volumes": mounts,
        "stop_grace_period": f"{node.stop_seconds}s",
        "healthcheck": {
            "test": ["CMD", "/usr/lib/lab/ready"],
            "interval": f"{HEALTH_SECONDS}s",
            "timeout": "5s",
            "retries": 60,  # Compose gives up at the first "unhealthy"
        },
    }
    if node.sealed:
        service |= {"read_only": True, "extra_hosts": names(node)}
    if node.devices:
        service["devices"] = [f"{device}:{device}" for device in node.devices]
    if node.sysctls:
        service["sysctls"] = dict(node.sysctls)
    if node.publish:
        service["ports"] = [f"127.0.0.1:${{{variable(e)}:-{e.host_port}}}:{e.port}" for e in node.publish]
    return service
