"""A node as a container: what the engine is asked to create."""

from __future__ import annotations

import io
import posixpath
import tarfile
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound
from docker.types import EndpointConfig, Healthcheck, LogConfig, Mount

from lab.backends.docker import labels
from lab.backends.docker.owned import FILES
from lab.errors import BackendError
from lab.plan.confinement import security
from lab.plan.model import TMPFS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker

    from lab.plan import NodePlan, Plan

HEALTH_SECONDS = 30  # for who reads `docker ps`; `lab` asks the nodes itself. Each check costs some 80 ms of processor
PERIOD = 100_000  # microseconds over which a node's use of the processors is counted, the kernel's own default
NANO = 1_000_000_000
MOST_LINKS = 40  # as Linux follows (MAXSYMLINKS)
CIRCLE = (
    "too many links",
    "too many levels of symbolic links",
)  # of engines, where links among folders lead to each other


def name(cluster: str, node: str) -> str:
    """The container's name, such as `www-web1`."""
    return f"{cluster}-{node}"


def volume(cluster: str, node: str, which: str) -> str:
    """The volume's name, such as `www-web1-guestbook`."""
    return f"{cluster}-{node}-{which}"


def create(
    api: docker.APIClient, plan: Plan, node: NodePlan, network: str, names: Mapping[str, str] | None = None
) -> str:
    """Creates the container of a node, not started, and returns its id; `names`: addresses by name, of a sealed one."""
    mounts = [Mount(path, volume(plan.cluster, node.name, key), type="volume") for key, path in node.volumes.items()]
    if node.sealed:
        mounts.append(Mount(FILES, None, type="volume"))
    host = api.create_host_config(
        cap_drop=["ALL"],
        cap_add=list(node.capabilities),
        devices=[f"{device}:{device}:rwm" for device in node.devices],
        security_opt=security(node),
        sysctls=dict(node.sysctls),
        mem_limit=f"{node.limits.memory}m",
        memswap_limit=f"{node.limits.memory}m",  # nothing of it is swapped: what is over the limit ends
        pids_limit=node.limits.processes,
        # As a quota, which a machine of fewer processors takes too; 'nano_cpus' it would refuse.
        cpu_period=PERIOD,
        cpu_quota=round(node.limits.processors * PERIOD),
        tmpfs=TMPFS,
        mounts=mounts,
        read_only=bool(node.sealed),
        extra_hosts=dict(names or {}),
        port_bindings={entry.port: ("127.0.0.1", entry.host_port) for entry in node.publish},
        log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
    )
    created: dict[str, Any] = api.create_container(
        node.image,
        name=name(plan.cluster, node.name),
        hostname=node.name,
        labels=labels.of(plan, node),
        ports=[entry.port for entry in node.publish],
        host_config=host,
        stop_signal=None if node.sealed else "SIGTERM",  # of a sealed one the image's own
        stop_timeout=node.stop_seconds,
        healthcheck=Healthcheck(
            test=["CMD", "/usr/lib/lab/ready"], interval=HEALTH_SECONDS * NANO, timeout=5 * NANO, retries=1
        ),
        networking_config={
            "EndpointsConfig": {
                network: EndpointConfig(api.api_version, aliases=[node.name], ipv4_address=node.address)
            }
        },
    )
    return str(created["Id"])


def content(api: docker.APIClient, container: str, path: str, node: str) -> tuple[str, bytes | None]:
    """Where a path of a container leads, and the file there; None where there is none.

    The engine resolves links among a path's folders within the container, and sends one at its end as it is. It sees
    nothing of a tmpfs.

    Raises:
        BackendError: links lead to each other.
    """
    first = path
    for _ in range(MOST_LINKS):
        try:
            chunks, _ = api.get_archive(container, path)
        except NotFound:
            return path, None
        except APIError as error:
            if any(words in str(error.explanation) for words in CIRCLE):
                break
            raise
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            (member, *_) = tar.getmembers()
            if not member.issym():
                file = tar.extractfile(member)
                return path, file.read() if file else None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
    raise BackendError(
        f"symbolic link loop at {first}",
        where=node,
        next_step=f"'ls -l {first}' in the node shows the first link",
    )


def in_memory(path: str) -> bool:
    """Whether a path is in a tmpfs of nodes."""
    return any(path.startswith(f"{folder}/") for folder in TMPFS)
