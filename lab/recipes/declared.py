"""What a role declares in its `role.yaml`, and a part in its `part.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.recipes.family import Directory


class Declaration(BaseModel):
    """The base of all: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Daemon(Declaration):
    """A daemon under the supervisor.

    `command` is a template over the family's table. `order`: lower starts first and stops last. `stop_seconds`: how
    long a stop may take before the daemon is killed.
    """

    command: str
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    order: int = 50


class LimitFormulas(Declaration):
    """What a node of the role may take of the machine that it runs on.

    Each is a number or a formula over the role's options, as of a promise: `memory` in MiB, `processes` (threads count
    too), `processors`, which may be a fraction.
    """

    memory: int | str
    processes: int | str
    processors: float | str


class Takes(Declaration):
    """What is taken where nothing happens yet, in MiB: measured, see docs/decisions/048-sizes.md.

    Attributes:
        memory: of a ready node without load, as `docker stats` shows it.
        disk: of a ready node's volumes, and what it wrote beside its image.
        image: of the image, above the base's; of the base, all of it.
    """

    memory: int
    disk: int
    image: int


class DeclaredPromise(Declaration):
    """What is promised of a role when something happens.

    Attributes:
        check: how it is judged, by the name of a check in `lab/evidence/checks.py`.
        of: the options that the formula's names are of, such as `http-lb.check`; several places with spaces between.
        where: parts of the formula by name, in order: each an expression over the options and the parts before it.
        formula: the bound in seconds, a Jinja expression over the options and `where`; it may call `max` and `ceil`.
        service: whose acknowledged operations it speaks of.
        when: the kinds of faults that it speaks of; default: all that make a node unreachable.
    """

    event: str
    says: str
    check: str
    of: str = ""
    where: dict[str, str] = {}
    formula: str = ""
    service: str = ""
    when: list[str] = []


class Published(Declaration):
    """A port of the role's nodes that is published on the person's machine, by the client node.

    Attributes:
        port: that of the nodes, and of the balancer in front of them.
        usual: that of the person's machine, where it is free.
        url: what a person opens there; `{}` is the port.
        what: for a person, such as `https`.
        through: the roles that it is reached through: the first that the cluster has, else the nodes themselves.
        direct: whether it is published where the cluster has none of them, too.
        rank: lower is listed first; the first is the site's address where there is no VIP.
    """

    port: int
    usual: int
    url: str
    what: str
    through: list[str] = []
    direct: bool = True
    rank: int = 50


class Check(Declaration):
    """How a balancer asks a node whether it is ready: by HTTP, where 200 is yes; without a path by connecting."""

    port: int
    path: str = ""


class Balanced(Declaration):
    """A port of the VIP, behind which the TCP balancers lead to the role's nodes.

    Attributes:
        port: that of the VIP.
        to: that of the nodes, where it is another one.
        check: how they are asked whether they take connections.
        idle: how long a connection may be quiet, in HAProxy's notation.
        policy: how a node is chosen, by HAProxy's name.
        room: connections at once, in all and from one address.
        rise: good checks until a node is back, where that is not the balancer's own option.
        instead: the listener whose nodes are taken where none of this one is good.
        drains: whether a node that answers a check with 404 keeps its connections and gets no new ones.
        keepalive: whether the kernel asks a quiet client whether it is still there.
        proxy: whether the nodes are told the client's address by the PROXY protocol, version 2.
        public: whether the processes of users and of sites may call it.
    """

    port: int
    to: int | None = None
    check: Check
    idle: str
    policy: str = "leastconn"
    room: tuple[int, int] = (600, 300)
    rise: int | None = None
    instead: str = ""
    drains: bool = False
    keepalive: bool = False
    proxy: bool = True
    public: bool = True


class Option(Declaration):
    """An option that a topology may write of a role that lies outside the lab.

    Attributes:
        type: `int`, `float`, `bool`, `text`, or `duration` (seconds, written such as `30s` or `1h`).
        least: of a number or a duration.
        most: of a number or a duration.
        choices: of a text.
        description: for `lab schema`, and so for an editor.
    """

    type: Literal["int", "float", "bool", "text", "duration"]
    default: int | float | bool | str
    least: float | None = None
    most: float | None = None
    choices: list[str] = []
    description: str = ""


class Required(Declaration):
    """Other roles of which a role needs one.

    Attributes:
        any: the roles; empty: whichever has something `balanced`.
        option: the role's option that asks for it; empty: it always does.
        says: the sentence for a person where none is there.
    """

    any: list[str] = []
    option: str = ""
    says: str


class Weak(Declaration):
    """A number of nodes that promises less than one might think, and what."""

    count: int
    says: str


class Unkept(Declaration):
    """What a volume has that no backup has.

    Attributes:
        volume: its name.
        what: it, for a person: the subject of a sentence in the plural.
        unless: the role that keeps it instead, where that is there; empty: none does.
        asks: the section of `cluster.yaml` without which there is none, such as `sites`; empty: there always is.
    """

    volume: str
    what: str
    unless: str = ""
    asks: str = ""


class Feature(Declaration):
    """A module of the kernel that a role needs.

    Attributes:
        config: the kernel's own option for it, such as `CONFIG_FUSE_FS`.
        purpose: what for.
        option: the option that asks for it, such as `engine`; empty: the role always does.
        value: that option's value which does.
        instead: what to do without.
    """

    config: str
    purpose: str
    option: str = ""
    value: str = ""
    instead: str


class ByHand(Declaration):
    """What is left to the person on a node of the role that is by hand (docs/teaching.md).

    Attributes:
        files: the configuration that a person writes, by its path in the node: it is rendered, and not put there.
        services: the lab's own programs that do by themselves what a person does there; they are not run.
        runs: daemons that are under the supervisor there alone, such as one that otherwise a program of the lab starts.
    """

    files: list[str] = []
    services: list[str] = []
    runs: dict[str, Daemon] = {}

    @property
    def any(self) -> bool:
        """Whether anything is left to a person."""
        return bool(self.files or self.services)


class Picture(Declaration):
    """Where a role stands in the picture.

    Attributes:
        place: lower is nearer to visitors.
        front: whether requests go through it, from one such role to the next.
        column: the role below which it stands, where that is there.
        fill: the colour of its nodes.
        to: the roles that it speaks to, besides those.
    """

    place: int = 55
    front: bool = False
    column: str = ""
    fill: str = "#eeeeee"
    to: list[str] = []


class Fragment(Declaration):
    """What `role.yaml` and `part.yaml` hold; docs/roles.md says what each key means."""

    summary: str
    parts: list[str] = []
    beside: str = ""
    software: list[str] = []
    packages: dict[str, list[str]] = {}
    slots: tuple[int, int] | None = None
    options: dict[str, Option] = {}
    holds_vip: bool = False
    entrypoint: str = ""
    services: dict[str, Daemon] = {}
    publishes: dict[str, Published] = {}
    balanced: dict[str, Balanced] = {}
    requires: list[Required] = []
    serves: dict[str, str] = {}
    weak: list[Weak] = []
    kernel: dict[str, Feature] = {}
    certificate: list[str] | None = None
    picture: Picture = Picture()
    by_hand: ByHand = ByHand()
    volumes: dict[str, str] = {}
    backups: bool = False
    unkept: list[Unkept] = []
    sealing: list[str] = []
    directories: list[Directory] = []
    capabilities: dict[str, str] = {}
    keeps: dict[str, list[str]] = {}
    devices: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    limits: LimitFormulas | None = None
    takes: Takes | None = None
    promises: dict[str, DeclaredPromise] = {}
    checks: dict[str, str] = {}
    checked_beside: list[str] = []
