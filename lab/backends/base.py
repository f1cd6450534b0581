"""The seam: what the lab asks of an engine. Nothing above it knows Docker or Xen, nothing below it knows YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.clock import Clock
    from lab.plan import NodePlan, Plan
    from lab.plan.model import Limits
    from lab.recipes import Recipe


ROUTE = "a route of "
"""How a subnet's owner is named that is no network of the engine; see `Capabilities.subnets`."""

LASTING = "kept-"
"""Prefix of the keys of notes about data, which stay as long as the data."""


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
    def said(self) -> str:
        """The last line that it printed, for a person to read."""
        lines = (self.stdout + "\n" + self.stderr).strip().splitlines()
        return lines[-1] if lines else f"exit code {self.rc}"


@dataclass(frozen=True)
class Observed:
    """A node as the engine knows it.

    Attributes:
        fixed: what it was created from, as `NodePlan.fixed` gave it.
        limits: what it may take of its machine; None where it was made without.
        detached: whether it is not on the cluster's network, as when that was removed while the node was stopped.
    """

    name: str
    role: str
    state: State
    address: str
    image: str
    fixed: str = ""
    holds_vip: bool = False
    limits: Limits | None = None
    detached: bool = False


@dataclass(frozen=True)
class Existing:
    """A cluster as the engine knows it; empty when there is none.

    `data`: whether volumes of it are there, with or without their nodes.
    """

    nodes: tuple[Observed, ...] = ()
    network: str | None = None
    vip: str | None = None
    family: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    data: bool = False

    def node(self, name: str) -> Observed | None:
        """The node of a name, if it exists."""
        return next((node for node in self.nodes if node.name == name), None)


class Lack(StrEnum):
    """What an engine does not do, though its kernel could."""

    BRICKS = "bricks of the shared filesystem"
    LIMITS = "limits of nodes"
    PAUSE = "pause"
    LAYERS = "layers that images share"


@dataclass(frozen=True)
class Room:
    """Memory or disk that nodes and images take, in MiB.

    Attributes:
        what: `memory` or `disk`.
        where: what has it, such as `/var/lib/docker`.
        free: what can be had now; None where that can't be looked at.
        most: what can be had once all else has ended; None as well.
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
        kernel_seen: whether the kernel was looked at; else it counts as having all features.
        lacks: what the engine does not do, each with the reason.
        rooms: the memory and the disks that nodes and images take.
        foreign: what has the name of a node, or of the cluster's network (""), and is not the lab's.
        least_port: the lowest port that can be published.
        published: the ports that others' containers publish on the engine's machine; None where that is this one.
        own_clocks: whether each node has a clock of its own.
        sized_volumes: whether a volume has a size of its own, so that one can be full and nothing else is.
    """

    engine: str
    kernel: frozenset[str] = frozenset()
    subnets: Mapping[str, str] = field(default_factory=dict)
    max_nodes: int | None = None
    kernel_seen: bool = True
    lacks: Mapping[Lack, str] = field(default_factory=dict)
    rooms: tuple[Room, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)
    least_port: int = 1
    published: frozenset[int] | None = None
    own_clocks: bool = False
    sized_volumes: bool = False


@dataclass(frozen=True)
class Trial:
    """What a built image is tried with.

    Attributes:
        node: what a node of it needs of the engine.
        files: content and mode of its files by path.
        script: a program for `sh`: prints what is wrong, and ends with 1 if anything is.
    """

    node: NodePlan
    files: Mapping[str, tuple[bytes, int]]
    script: str


class Backend(Protocol):
    """One cluster on one engine.

    Every method raises `BackendError` when the engine refuses or fails. Verbs on nodes that are already as asked do
    nothing.

    Attributes:
        clock: the nodes' time. A limit that is given to a backend is one of an ordinary processor: the backend itself
            stretches it where its nodes need longer, and nobody else does.
    """

    name: str
    cluster: str
    clock: Clock

    def capabilities(self) -> Capabilities:
        """What can be done here."""

    def observe(self) -> Existing:
        """What exists now, asked of the engine itself."""

    def origin(self, family: str, seconds: float) -> bool:
        """Whether the family's base image is here or can be had within `seconds`."""

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        """Makes the images that are missing; `report(role, step)` hears how far each is.

        An image gets its name once it has passed `trial(role)`, which is asked for those that were built.
        """

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

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> None:
        """Removes what the cluster shares (and its data, with `volumes`) once its nodes are gone.

        The volumes of nodes of the roles in `keep` stay. So do `LASTING` notes where any data stays.
        """

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30, network: bool = False) -> Result:
        """Runs a command in a node; killed after `seconds` of the nodes' clock, with exit code 124.

        With `network`: in the node's network, with the right to change it, which the node itself may not have.
        """

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Copies files into a node, running or not."""

    def get(self, node: str, path: str) -> bytes | None:
        """A file of a node, running or not; None when it is not there."""

    def note(self, key: str, text: str | None) -> None:
        """Keeps a short text with the cluster in the engine, or forgets it; it is gone when the cluster is."""

    def notes(self) -> Mapping[str, str]:
        """The texts that are kept, by key."""

    def logs(self, node: str, *, follow: bool = False, tail: int | None = None, console: bool = False) -> Iterator[str]:
        """What a node's services printed, line by line; with `console`, all that its machine did."""

    def shell(self, node: str, argv: Sequence[str], *, terminal: bool) -> list[str]:
        """The command on this machine that runs `argv` in a node, on this terminal or on its own input and output."""

    def endpoint(self, port: int) -> str:
        """`host:port` on this machine that reaches a published port of the client; the way there is made if need be."""
