"""The seam: what the lab asks of an engine. Nothing above it knows Docker or Xen, nothing below it knows YAML.

What only some engines do is in `lab.backends.optional`; how images are built, in `lab.building`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Protocol

from lab.errors import BackendError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.clock import Clock
    from lab.plan import NodePlan, Plan
    from lab.plan.model import Fixed, Limits, Publish


ROUTE = "a route of "
"""How a subnet's owner is named that is no network of the engine; see `Capabilities.subnets`."""

LASTING = "kept-"
"""Prefix of the keys of notes about data, which stay as long as the data."""


def volume(node: str, key: str) -> str:
    """The name of a node's volume in its cluster, such as `backup1-backups`."""
    return f"{node}-{key}"


class State(StrEnum):
    """What an engine can say of a node."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Result:
    """What a command in a node did."""

    node: str
    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.rc == 0

    @property
    def last_line(self) -> str:
        """The last line that it printed, for a person to read."""
        lines = (self.stdout + "\n" + self.stderr).strip().splitlines()
        return lines[-1] if lines else f"exit code {self.rc}"


@dataclass(frozen=True)
class Observed:
    """A node as the engine knows it.

    Attributes:
        fixed: what it was created from, as the plan had it then.
        limits: what it may take of its machine; None where it was made without.
        detached: whether it is not on the cluster's network, as when that was removed while the node was stopped.
    """

    fixed: Fixed
    state: State
    limits: Limits | None = None
    detached: bool = False

    @property
    def name(self) -> str:
        """Such as `web1`."""
        return self.fixed.name

    @property
    def role(self) -> str:
        """Such as `web`."""
        return self.fixed.role

    @property
    def address(self) -> str:
        """In the cluster's own subnet."""
        return self.fixed.address

    @property
    def image(self) -> str:
        """The full name of its image."""
        return self.fixed.image

    @property
    def holds_vip(self) -> bool:
        """Whether the VIP may be on it."""
        return self.fixed.holds_vip


@dataclass(frozen=True)
class Existing:
    """A cluster as the engine knows it; empty when there is none.

    Attributes:
        nodes: by their addresses.
        network: its subnet.
        data: whether volumes of it are there, with or without their nodes.
        volumes: their names, such as `backup1-backups`; None where the backend does not list them.
    """

    nodes: tuple[Observed, ...] = ()
    network: str | None = None
    vip: str | None = None
    family: str | None = None
    data: bool = False
    volumes: frozenset[str] | None = None

    @classmethod
    def of(cls, nodes: Iterable[Observed], **shared: Any) -> Existing:
        """A cluster of these nodes, in any order."""
        return cls(tuple(sorted(nodes, key=lambda node: IPv4Address(node.address))), **shared)

    @property
    def empty(self) -> bool:
        """Whether it has neither nodes nor data."""
        return not self.nodes and not self.data

    @property
    def ports(self) -> dict[str, int]:
        """The published ports of the person's machine, by name."""
        return {entry.name: entry.host_port for node in self.nodes for entry in node.fixed.publish}

    def node(self, name: str) -> Observed | None:
        """The node of a name, if it exists."""
        return next((node for node in self.nodes if node.name == name), None)

    def published(self, port: int) -> tuple[Observed, Publish]:
        """A published port of a node, and the node.

        Raises:
            BackendError: the node does not run.
            SpecError: there is no such port.
        """
        match = next(((node, entry) for node in self.nodes for entry in node.fixed.publish if entry.port == port), None)
        if match is None:
            raise SpecError(f"port {port} is not published", next_step="'lab open' lists what is")
        node = match[0]
        if node.state is not State.RUNNING:
            what = f"{node.name}, which holds the published ports, is not running"
            raise BackendError(what, where=node.name, next_step="run 'lab up'")
        return match


class Lack(StrEnum):
    """What an engine does not do, though its kernel could."""

    BRICKS = "bricks of the shared filesystem"
    LIMITS = "limits of nodes"
    PAUSE = "pause"
    LAYERS = "layers that images share"
    PROFILES = "AppArmor or SELinux"
    USER_NUMBERS = "user namespaces"


@dataclass(frozen=True)
class Room:
    """Memory or disk that nodes and images take, in MiB.

    Attributes:
        what: `memory` or `disk`.
        where: what has it, such as `/var/lib/docker`.
        free: available now; None if unknown.
        most: available without other programs; None if unknown.
        node: what one more node takes; None: as its role's `takes` says.
        images: the full names of the images that lie there already; None: no images lie there.
        copies: disk of an image as a multiple of its size; above 1, each container copies its image too.
    """

    what: str
    where: str
    free: int | None = None
    most: int | None = None
    node: int | None = None
    images: frozenset[str] | None = None
    copies: int = 1


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do here.

    Attributes:
        engine: name and version, for a person.
        kernel: the features of the nodes' kernel, by module name (`ip_vs`, `sch_netem`, …).
        subnets: subnets that are taken, and by whom.
        max_nodes: how many nodes of a cluster at once; None for no limit.
        max_nodes_option: the key of `cluster.yaml` that says so, such as `xen.max-domains`; empty where none does.
        kernel_seen: whether the kernel was looked at; else it counts as having all features.
        lacks: what the engine does not do, each with the reason.
        rooms: the memory and the disks that nodes and images take.
        foreign: what has the name of a node, or of the cluster's network (""), and is not the lab's.
        least_port: the lowest port that can be published.
        published: the ports that others' containers publish on the engine's machine; None where that is this one.
        own_clocks: whether each node has a clock of its own.
        sized_volumes: whether each volume of the cluster has a size of its own, so that one can be full alone.
    """

    engine: str
    kernel: frozenset[str] = frozenset()
    subnets: Mapping[str, str] = field(default_factory=dict)
    max_nodes: int | None = None
    max_nodes_option: str = ""
    kernel_seen: bool = True
    lacks: Mapping[Lack, str] = field(default_factory=dict)
    rooms: tuple[Room, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)
    least_port: int = 1
    published: frozenset[int] | None = None
    own_clocks: bool = False
    sized_volumes: bool = False


class Backend(Protocol):
    """One cluster on one engine: what an engine does with nodes, all of it.

    Every method raises `BackendError` when the engine refuses or fails. Operations are idempotent.

    Attributes:
        clock: the nodes' clock. Callers give limits of an ordinary processor; only the backend stretches them for
            slower nodes.
    """

    name: str
    cluster: str
    clock: Clock

    def capabilities(self) -> Capabilities:
        """What can be done here."""

    def observe(self) -> Existing:
        """What exists now, asked of the engine itself."""

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Makes a node with its files in it, not started; makes the network if it is the first."""

    def start(self, node: str) -> None:
        """Starts a node, or wakes it."""

    def stop(self, node: str) -> None:
        """Stops a node cleanly: its services in order, killed only after the plan's `stop_seconds`."""

    def kill(self, node: str) -> None:
        """Ends a node without warning."""

    def pause(self, node: str) -> None:
        """Freezes a node: it holds its connections and answers nothing."""

    def remove(self, node: str) -> None:
        """Removes a node, running or not; its volumes stay."""

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> Sequence[str]:
        """Removes what the cluster shares (and its data, with `volumes`) once its nodes are gone.

        The volumes of nodes of the roles in `keep` stay. So do `LASTING` notes where any data stays.

        Returns:
            What could not be removed, a sentence each. It holds no data, and the next `up` uses it.
        """

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        """Runs a command in a node; killed after `seconds` of the nodes' clock, with exit code 124."""

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Copies files into a node, running or not."""

    def get(self, node: str, path: str) -> bytes | None:
        """A file of a node, running or not; None if the file does not exist."""
