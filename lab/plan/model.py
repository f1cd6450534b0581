"""What a plan is made of. Every value is plain and frozen; nothing here knows YAML, Docker or Xen."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network

    from lab.recipes import Recipe
    from lab.recipes.declared import Balanced

MANIFEST = "/etc/lab/manifest.json"
"""Where a node keeps the digests of the files that it was given."""

TMPFS = {"/run": "rw,nosuid,nodev,mode=755,size=64m", "/tmp": "rw,nosuid,nodev,mode=1777,size=256m"}  # noqa: S108
"""What of a node is memory, with the options of its mount: a node that was killed starts without stale pid files."""

_SECRET = re.compile(r"@@secret:([a-z0-9-]+)@@")


@dataclass(frozen=True)
class File:
    """A rendered file as it lands in a node. Secrets stand in `text` as markers until the last moment."""

    path: str
    text: str
    mode: int = 0o644

    @cached_property  # a plan of 20 nodes has hundreds of files, and an `up` asks for all secrets several times
    def secrets(self) -> list[str]:
        """The names of the secrets that the file holds."""
        return sorted(set(_SECRET.findall(self.text)))

    def reveal(self, secrets: Mapping[str, str]) -> str:
        """The text with its secrets in it."""
        return _SECRET.sub(lambda match: secrets[match[1]], self.text)

    def hidden(self, content: str, known: Mapping[str, str]) -> dict[str, str]:
        """The secrets that are not `known`, as a content has them; none where it differs from the file otherwise."""
        pattern, groups = "", dict[str, str]()
        for number, part in enumerate(_SECRET.split(self.text)):  # text, name of a secret, text, ...
            if not number % 2:
                pattern += re.escape(part)
            elif part in known:
                pattern += re.escape(known[part])
            elif part in groups:
                pattern += f"(?P={groups[part]})"
            else:
                groups[part] = f"group{number}"
                pattern += f"(?P<{groups[part]}>.+?)"
        match = re.fullmatch(pattern, content, re.DOTALL)
        return {name: match[group] for name, group in groups.items()} if match else {}

    @property
    def masked(self) -> str:
        """The text for a person's eyes."""
        return _SECRET.sub(r"<secret \1>", self.text)


@dataclass(frozen=True)
class Network:
    """The cluster's own subnet; the first address is the engine's."""

    cidr: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        """The address that the engine keeps for itself."""
        return self.cidr[1]

    @property
    def prefixlen(self) -> int:
        """Such as 24."""
        return self.cidr.prefixlen


@dataclass(frozen=True)
class Publish:
    """A port of 127.0.0.1 on the person's machine that leads to a port of a node."""

    name: str
    host_port: int
    port: int


@dataclass(frozen=True)
class Gateway:
    """A port of the client, forwarded to a port of the cluster's entrance."""

    name: str
    port: int
    targets: tuple[str, ...]
    target_port: int


@dataclass(frozen=True)
class Server:
    """A node behind a listener."""

    name: str
    address: str


@dataclass(frozen=True)
class Listener:
    """A port of the VIP, and the nodes of a role that the TCP balancers lead to from it.

    Attributes:
        options: as the role declares them.
    """

    name: str
    role: str
    options: Balanced
    servers: tuple[Server, ...]


@dataclass(frozen=True)
class Pool:
    """Servers to which the HTTP balancers lead requests, and how they are watched.

    Attributes:
        name: by which the balancers and their statistics know it.
        servers: the nodes behind it.
        port: that of the nodes.
        health: the path that is asked of each server, and answers 200 while it serves; empty: `track` tells.
        host: the host name by which it is asked.
        track: the pool whose checks tell of the same servers.
        connections: requests at once to one server from one balancer; more are queued.
        patience: seconds for the answer to what is not repeated (POST, PATCH); 0: as long as for anything else.
        sticky: whether a visitor stays with one server, by a cookie.
        upload: MiB of a body that httpd takes in whole before PHP has it; 0 where the servers are not httpd.
    """

    name: str
    servers: tuple[Server, ...]
    port: int
    health: str = ""
    host: str = ""
    track: str = ""
    connections: int = 100
    patience: int = 0
    sticky: bool = False
    upload: int = 0


@dataclass(frozen=True)
class Host:
    """A site or application that is asked for by host names of its own.

    Attributes:
        name: as the topology calls it.
        names: its host names: below the cluster's domain first, then those below localhost.
        pool: who answers.
        upload: MiB of a request's body, at most; 0 for the limit that the servers take.
    """

    name: str
    names: tuple[str, ...]
    pool: Pool
    upload: int = 0

    @property
    def inside(self) -> tuple[str, ...]:
        """The names that the cluster's nodes resolve; those below localhost are each machine's own."""
        return tuple(name for name in self.names if not name.endswith(".localhost"))


@dataclass(frozen=True)
class Endpoint:
    """An address for a person's browser."""

    name: str
    url: str


@dataclass(frozen=True)
class Limits:
    """What a node may take of the machine that it runs on.

    Attributes:
        memory: MiB of its processes and of its files in memory.
        processes: processes and threads.
        processors: how many it may keep busy; a fraction is a part of one.

    Of a node that exists, 0 is a limit that the engine does not apply.
    """

    memory: int
    processes: int
    processors: float


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a kind's own fields."""
    names = {entry.name for entry in fields(kind)} - {"others"}
    return {key: value for key, value in values.items() if key in names}


@dataclass(frozen=True)
class Fixed:
    """All of a node that can't be changed while it exists. The engine keeps it, as text.

    Attributes:
        limits: None of a node that was made by an earlier version, which had none.
        others: what this version does not know of it, as another one wrote it, by name.

    All else is as `NodePlan` has it.
    """

    name: str
    role: str
    image: str
    address: str
    volumes: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    publish: tuple[Publish, ...] = ()
    limits: Limits | None = None
    holds_vip: bool = False
    sealed: str = ""
    by_hand: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Fixed:
        """As `values` gave it, by whichever version of the lab."""
        values = _known(cls, {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()})
        values["publish"] = tuple(Publish(**_known(Publish, entry)) for entry in stored.get("publish", ()))
        values["limits"] = Limits(**_known(Limits, stored["limits"])) if stored.get("limits") else None
        fixed = cls(**values)
        again = json.loads(fixed.text)
        return replace(
            fixed, others={key: stored[key] for key in stored if key not in again or again[key] != stored[key]}
        )

    @property
    def values(self) -> dict[str, Any]:
        """All of it by name, as plain values."""
        values = asdict(self)
        others: dict[str, Any] = values.pop("others")
        for name in ("sealed", "by_hand"):  # kept where they say something: nodes of earlier versions have neither
            if not values[name]:
                del values[name]
        return values | others

    @property
    def text(self) -> str:
        """The same as JSON."""
        return json.dumps(self.values, sort_keys=True)

    def unlike(self, other: Fixed) -> list[str]:
        """What of it is different, by name."""
        own, theirs = self.values, other.values
        return [key for key in {**theirs, **own} if own.get(key) != theirs.get(key)]


@dataclass(frozen=True)
class NodePlan:
    """One machine, wherever it is placed.

    Attributes:
        volumes: mount points by the volume's name; they outlive the node.
        capabilities, devices, sysctls: what the role needs of the kernel, as in its `role.yaml`.
        limits: what it may take of its machine.
        holds_vip: whether the VIP may be on this node.
        stop_seconds: how long a clean stop may take.
        sealed: of an application, whose image may write nothing of itself: the digest of what it reads at its start.
        by_hand: whether a person configures it: `withheld` is not put there.
        withheld: the files that its person writes, as they are rendered for any other node.
    """

    name: str
    role: str
    image: str
    address: str
    files: tuple[File, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    publish: tuple[Publish, ...] = ()
    limits: Limits = Limits(256, 512, 2)
    holds_vip: bool = False
    stop_seconds: int = 20
    sealed: str = ""
    by_hand: bool = False
    withheld: tuple[File, ...] = ()

    @cached_property
    def fixed(self) -> Fixed:
        """All that can't be changed while the node exists; its files are not part of it."""
        return Fixed(**{entry.name: getattr(self, entry.name) for entry in fields(Fixed) if entry.name != "others"})

    def reveal(self, secrets: Mapping[str, str]) -> dict[str, tuple[bytes, int]]:
        """Content and mode of each file by its path, secrets in place, and the manifest that tells their digests."""
        revealed = {file.path: (file.reveal(secrets).encode(), file.mode) for file in self.files}
        digests = {path: hashlib.sha256(content).hexdigest() for path, (content, _) in revealed.items()}
        return revealed | {MANIFEST: (json.dumps(digests, indent=1, sort_keys=True).encode(), 0o600)}


@dataclass(frozen=True)
class Plan:
    """A whole cluster, down to the bytes of its nodes' files.

    Attributes:
        needs: features that the nodes' kernel must have.
        hosts: what is asked for by a host name; any other known name is the guest book's.
        apps: what the images of applications are made from, by their name.
        entry: the address by which clients reach the site: the VIP, or without tcp-lb the first balancer or web node.
    """

    cluster: str
    family: str
    network: Network
    vip: str | None
    entry: str
    nodes: tuple[NodePlan, ...]
    gateways: tuple[Gateway, ...] = ()
    listeners: tuple[Listener, ...] = ()
    hosts: tuple[Host, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    needs: tuple[str, ...] = ()
    apps: Mapping[str, Recipe] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        """How the site is spoken to: `https` where a balancer ends TLS, else `http`."""
        return "https" if any(gateway.name == "site" for gateway in self.gateways) else "http"

    @property
    def pools(self) -> list[Pool]:
        """The pools of all hosts, each once."""
        return list(dict.fromkeys(host.pool for host in self.hosts))

    @property
    def by_hand(self) -> list[str]:
        """The nodes that a person configures."""
        return [node.name for node in self.nodes if node.by_hand]

    def role(self, name: str) -> list[NodePlan]:
        """The nodes of a role, in order."""
        return [node for node in self.nodes if node.role == name]

    def node(self, name: str) -> NodePlan:
        """The node of a name.

        Raises:
            KeyError: the plan has no such node.
        """
        return {node.name: node for node in self.nodes}[name]

    def image(self, role: str) -> str:
        """The full name of the image of a role that has nodes."""
        return self.role(role)[0].image

    @property
    def images(self) -> list[str]:
        """The roles whose images are needed, each once."""
        return list(dict.fromkeys(node.role for node in self.nodes))

    @property
    def secrets(self) -> list[str]:
        """The names of all secrets in the nodes' files."""
        files = [file for node in self.nodes for file in (*node.files, *node.withheld)]
        return sorted({name for file in files for name in file.secrets})
