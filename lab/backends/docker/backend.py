"""`Backend` on the Docker SDK's low-level client: one call a thing, no hidden inspections."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import threading
from typing import TYPE_CHECKING, Any, Literal

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from lab import engine
from lab.backends.archive import archive
from lab.backends.base import LASTING, Capabilities, Existing, Result
from lab.backends.docker import bridge, channel, container, labels, owned
from lab.backends.followed import Followed
from lab.clock import REAL
from lab.engine import context, nature, room
from lab.errors import BackendError, HostError
from lab.host.kernel import features, known, routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from docker.types.daemon import CancellableStream

    from lab.backends.optional import ImageFacts
    from lab.building.trial import Trial
    from lab.plan import NodePlan, Plan
    from lab.recipes import Recipe

BASH = "/bin/bash"
READ, READ_SECONDS = ["sh", "-c", 'test -f "$1" && exec cat -- "$1"', "sh"], 30.0
FREEZES, UNFROZEN = 5, "unable to freeze"  # attempts at a pause of a busy node, and what runc says of one in vain


class DockerBackend:
    """One cluster on one Docker engine."""

    name = "docker"
    clock = REAL

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.api = engine.connect()
        self._channels = channel.Channels(self.api)
        self._network_lock = threading.Lock()

    def capabilities(self) -> Capabilities:
        with engine.asking("asking the engine what it is"):
            version = self.api.version()
            networks = self.api.networks()
            info = self.api.info()
        local = nature.is_here(info)
        return Capabilities(
            f"{nature.name(version)} {version['Version']} (API {version['ApiVersion']})",
            features() if local else frozenset(known()),
            self._taken(networks, local=local),
            kernel_seen=local,
            lacks=nature.lacks(info),
            rooms=room.rooms(self.api, info),
            foreign=self._foreign(networks),
            least_port=nature.least_port(info),
            published=None if context.endpoint().local else self._published(),
            sized_volumes=self._sized(),
        )

    def _sized(self) -> bool:
        """Whether all volumes of the nodes have a size: of a tmpfs or a block device. The lab's own have none."""
        with engine.asking("listing the volumes"):
            mounted = [volume.get("Options") or {} for volume in self._volumes() if labels.NOTE not in volume["Labels"]]
        sized = ["size=" in one.get("o", "") or one.get("device", "").startswith("/dev/") for one in mounted]
        return bool(sized) and all(sized)

    def _foreign(self, networks: list[dict[str, Any]]) -> dict[str, str]:
        """Networks and containers that have the cluster's names and not its label."""
        with engine.asking("listing the containers"):
            rows = self.api.containers(all=True)
        prefix = container.name(self.cluster, "")
        containers = {
            name.removeprefix(f"/{prefix}"): f"the container {name[1:]}"
            for row in rows
            for name in row["Names"] or []
            if name.startswith(f"/{prefix}") and (row["Labels"] or {}).get(labels.CLUSTER) != self.cluster
        }
        own = [n for n in networks if n["Name"] == self._network and labels.CLUSTER not in (n["Labels"] or {})]
        return containers | ({"": f"the network {self._network}"} if own else {})

    def _published(self) -> frozenset[int]:
        """The ports that containers of others publish."""
        with engine.asking("listing the ports"):
            rows = self.api.containers()
        return frozenset(
            int(port["PublicPort"])
            for row in rows
            if (row["Labels"] or {}).get(labels.CLUSTER) != self.cluster
            for port in row["Ports"] or []
            if port.get("PublicPort") and port.get("Type") == "tcp"
        )

    def _taken(self, networks: list[dict[str, Any]], *, local: bool) -> dict[str, str]:
        """The subnets of other networks and of this machine's routes, without the cluster's own."""
        taken, own, bridge = dict(routes()) if local else {}, set(), ""
        for network in networks:
            pools = (network.get("IPAM") or {}).get("Config") or []
            for subnet in (pool["Subnet"] for pool in pools if "." in pool.get("Subnet", "")):  # IPv4 is all there is
                if network["Name"] == self._network:
                    own.add(subnet)
                    bridge = f"(br-{network['Id'][:12]})"
                else:
                    taken[subnet] = f"the Docker network {network['Name']}"
        return {
            subnet: owner
            for subnet, owner in taken.items()
            if subnet not in own and not (bridge and owner.endswith(bridge))
        }

    def observe(self) -> Existing:
        with engine.asking(f"listing the nodes of {self.cluster}"):
            rows = self.api.containers(all=True, filters=labels.ours(self.cluster))
            # A container names its network by id; with Podman and CNI by name.
            networks = {n[key] for n in self.api.networks(filters=labels.ours(self.cluster)) for key in ("Id", "Name")}
            named = [volume["Name"] for volume in self._volumes() if labels.NOTE not in volume["Labels"]]
        prefix = container.name(self.cluster, "")
        volumes = frozenset(name.removeprefix(prefix) for name in named)
        return labels.existing(rows, networks, volumes=volumes, unlimited=self._unlimited)

    def clusters(self) -> Mapping[str, Existing]:
        with engine.asking("listing the clusters"):
            rows = self.api.containers(all=True, filters={"label": labels.CLUSTER})
        containers: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            containers.setdefault(row["Labels"][labels.CLUSTER], []).append(row)
        joined = {each["NetworkID"] for row in rows for each in row["NetworkSettings"]["Networks"].values()}
        return {
            name: labels.existing(of, joined, volumes=None, unlimited=frozenset())
            for name, of in sorted(containers.items())
        }

    @functools.cached_property
    def _unlimited(self) -> frozenset[str]:
        """The limits of nodes that the engine does not apply."""
        return nature.unlimited(self.api.info())

    def has_base_image(self, family: str, seconds: float) -> bool:
        from lab.building import base_image

        return base_image.available(self.api, family, seconds)

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        from lab.building import builder

        builder.build(self.api, recipes, report, trial)

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        with engine.asking(f"creating {node.name}", node.name):
            self._make_network(plan)
            for which in node.volumes:
                self.api.create_volume(container.volume(self.cluster, node.name, which), labels=self._mark)
            container.create(self.api, plan, node, self._network, owned.hosts(files) if node.sealed else None)
            self._put(node.name, files, sealed=bool(node.sealed))
            if node.sealed:
                owned.give(self.api, self._id(node.name), node.image, list(node.volumes.values()))

    def _make_network(self, plan: Plan) -> None:
        """The cluster's bridge; recreated when the subnet changed, which requires new nodes anyway."""
        with self._network_lock:
            cidr = str(plan.network.cidr)
            for network in self.api.networks(names=[self._network]):
                if network["Name"] != self._network:
                    continue
                if labels.CLUSTER not in (network["Labels"] or {}):
                    raise HostError(
                        f"a Docker network called '{self._network}' is there and is not the lab's",
                        next_step="choose another name with --name",
                    )
                if network["IPAM"]["Config"][0]["Subnet"] == cidr:
                    return
                if left := bridge.remove(self.api, network):
                    raise BackendError(f"another subnet is not possible: {left}", where="network")
            reserved = {"vip": plan.vip} if plan.vip else None
            pool = IPAMPool(subnet=cidr, gateway=str(plan.network.gateway), aux_addresses=reserved)
            self.api.create_network(
                self._network,
                driver="bridge",
                ipam=IPAMConfig(pool_configs=[pool]),
                labels=self._mark,
                check_duplicate=True,
            )

    def start(self, node: str) -> None:
        with engine.asking(f"starting {node}", node):
            if self.api.inspect_container(self._id(node))["State"]["Paused"]:
                self.api.unpause(self._id(node))
            else:
                self.api.start(self._id(node))

    def stop(self, node: str) -> None:
        with engine.asking(f"stopping {node}", node):
            if self.api.inspect_container(self._id(node))["State"]["Paused"]:
                self.api.unpause(self._id(node))
            self.api.stop(self._id(node))
            self._channels.forget(self._id(node))

    def kill(self, node: str) -> None:
        with engine.asking(f"killing {node}", node):
            if self.api.inspect_container(self._id(node))["State"]["Running"]:
                self.api.kill(self._id(node), signal="SIGKILL")
                self._channels.forget(self._id(node))

    def pause(self, node: str) -> None:
        for left in reversed(range(FREEZES)):
            try:
                with engine.asking(f"pausing {node}", node):
                    if not self.api.inspect_container(self._id(node))["State"]["Paused"]:
                        self.api.pause(self._id(node))
            except BackendError as error:
                # Processes that begin meanwhile escape the kernel's first freezer; runc thaws them all then.
                if not left or UNFROZEN not in error.what:
                    raise
            else:
                return

    def remove(self, node: str) -> None:
        with engine.asking(f"removing {node}", node):
            self.api.remove_container(self._id(node), force=True, v=True)  # volumes without a name go with it
            self._channels.forget(self._id(node))

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> Sequence[str]:
        prefixes = tuple(container.name(self.cluster, role) for role in keep)
        self._channels.forget_all()
        with engine.asking(f"removing what {self.cluster} shares"):
            networks = self.api.networks(filters=labels.ours(self.cluster))
            left = [bridge.remove(self.api, one) for one in networks]
            for volume in self._volumes():
                note = volume["Labels"].get(labels.NOTE)
                if note is None:
                    goes = volumes and not volume["Name"].startswith(prefixes)
                else:
                    goes = (volumes and not keep) or not note.startswith(LASTING)
                if goes:
                    self.api.remove_volume(volume["Name"], force=True)
        return [one for one in left if one]

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        return self._run(node, argv, seconds, beside=False)

    def run_in_network(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        return self._run(node, argv, seconds, beside=True)

    def _run(self, node: str, argv: Sequence[str], seconds: float, *, beside: bool) -> Result:
        """In the node, or in a container beside it that shares its network."""
        with engine.asking(f"running {' '.join(argv)[:60]} in {node}", node):
            rc, out, err = self._channels.run(self._id(node), argv, seconds, beside=beside)
        return Result(node, tuple(argv), rc, out.decode(errors="replace"), err.decode(errors="replace"))

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        with engine.asking(f"copying files into {node}", node):
            self._put(node, files, sealed=owned.sealed(self.api.inspect_container(self._id(node))))

    def _put(self, node: str, files: Mapping[str, tuple[bytes, int]], *, sealed: bool) -> None:
        if sealed:
            owned.put(self.api, self._id(node), files)
        else:
            self.api.put_archive(self._id(node), "/", archive(files))

    def image(self, reference: str) -> ImageFacts | None:
        from lab.building import sources

        return sources.facts(self.api, reference)

    def source(self, folder: Path) -> str:
        from lab.building import sources

        return sources.digest(folder)

    def get(self, node: str, path: str) -> bytes | None:
        with engine.asking(f"reading {path} of {node}", node):
            place, file = container.content(self.api, self._id(node), path, node)
            if file is not None or not container.in_memory(place):
                return file
            inspected = self.api.inspect_container(self._id(node))
            if owned.sealed(inspected) or not inspected["State"]["Running"] or inspected["State"]["Paused"]:
                return None
            rc, out, err = self._channels.run(self._id(node), [*READ, place], READ_SECONDS, beside=False)
        if rc not in {0, 1}:  # 1: no such file
            why = err.decode(errors="replace").strip() or f"exit code {rc}"
            raise BackendError(f"{path} could not be read: {why}", where=node, next_step=f"'lab status' shows {node}")
        return out if rc == 0 else None

    def note(self, key: str, text: str | None) -> None:
        # An empty volume: the one thing of the engine's that carries a text, belongs to no node and costs nothing. Its
        # labels can't be changed: a new text is a new one, which is there before the old one goes.
        with engine.asking(f"keeping a note of {self.cluster}"):
            old = [volume["Name"] for volume in self._volumes() if volume["Labels"].get(labels.NOTE) == key]
            if text is not None:
                name = f"{self._network}-note-{key}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
                self.api.create_volume(name, labels=self._mark | {labels.NOTE: key, labels.TEXT: text})
                old = [other for other in old if other != name]
            for name in old:
                with contextlib.suppress(NotFound):
                    self.api.remove_volume(name, force=True)

    def notes(self) -> Mapping[str, str]:
        with engine.asking(f"reading the notes of {self.cluster}"):
            marks = [volume["Labels"] for volume in self._volumes()]
        return {mark[labels.NOTE]: mark[labels.TEXT] for mark in marks if labels.NOTE in mark}

    def _volumes(self) -> list[dict[str, Any]]:
        return self.api.volumes(filters=labels.ours(self.cluster))["Volumes"] or []

    def logs(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        count: Literal["all"] | int = "all" if tail is None else tail
        if follow:
            return Followed(lambda: self._stream(node, count), lambda stream: _lines(node, stream), engine.ended)
        with engine.asking(f"reading the log of {node}", node):
            return iter(self.api.logs(self._id(node), tail=count).decode(errors="replace").splitlines())

    def _stream(self, node: str, count: Literal["all"] | int) -> CancellableStream[bytes]:
        with engine.asking(f"reading the log of {node}", node), engine.beginning():
            return self.api.logs(self._id(node), stream=True, follow=True, tail=count)

    def shell(self, node: str, argv: Sequence[str], *, terminal: bool) -> list[str]:
        if not shutil.which("docker"):
            raise HostError(
                "a shell in a node needs the 'docker' command", next_step="install Docker's command line client"
            )
        with engine.asking(f"looking at {node}", node):
            inspected = self.api.inspect_container(self._id(node))
        how = ["-it" if terminal else "-i"]
        if owned.sealed(inspected):
            how += ["-e", owned.path(inspected)]
            argv = [owned.SHELL] if list(argv) == [BASH] else argv
        return ["docker", *context.endpoint().options, "exec", *how, self._id(node), *argv]

    def endpoint(self, port: int) -> str:
        node, _ = self.observe().published(port)
        with engine.asking(f"asking for the published port {port}", node.name):
            bindings = self.api.port(self._id(node.name), port)
        if not bindings:
            raise BackendError(f"the engine publishes port {port} no more", where=node.name, next_step="run 'lab up'")
        return f"{bindings[0]['HostIp']}:{bindings[0]['HostPort']}"

    @property
    def _network(self) -> str:
        return f"lab-{self.cluster}"

    @property
    def _mark(self) -> dict[str, str]:
        return {labels.CLUSTER: self.cluster}

    def _id(self, node: str) -> str:
        return container.name(self.cluster, node)


def _lines(node: str, stream: CancellableStream[bytes]) -> Iterator[str]:
    """The lines of a stream. Its connection is closed where it ends, and where the lines are dropped."""
    rest = b""
    try:
        with engine.asking(f"reading the log of {node}", node):
            for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
    finally:
        engine.released(stream)
