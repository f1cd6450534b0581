"""The cluster as a person writes it. Roles that are named are in it; `client` always is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from lab import assets, identifiers
from lab.spec.placement import Placement, Xen
from lab.spec.roles import Backup, Client, HttpLb, Mail, Model, Mysql, RoleOptions, Shell, Storage, TcpLb, Web
from lab.spec.users import User, UserName, groups_of, numbered

if TYPE_CHECKING:
    from pathlib import Path

AUTO = "auto"
OFF = "off"
THREE = 3  # the fewest nodes that have a majority when one is gone
Port = Annotated[
    Annotated[int, Field(ge=1, le=65535, strict=True)] | Literal["auto", "off"],
    BeforeValidator(lambda value: "off" if value is False else value),  # a bare `off` is false to YAML
]
Name = Annotated[str, Field(pattern=identifiers.CLUSTER, max_length=identifiers.CLUSTER_LENGTH)]


class Ports(Model):
    """Ports of 127.0.0.1 that lead to the cluster: a number, `auto` (the usual one, or a free one), or `off`."""

    site: Port = Field("auto", description="https, usually 8443")
    site_http: Port = Field("auto", description="http, usually 8080")
    stats: Port = Field("auto", description="the HTTP balancers' statistics, usually 8404")
    ssh: Port = Field("auto", description="the shell servers, usually 2222")
    submission: Port = Field("auto", description="where a mail program sends, usually 1587")
    imaps: Port = Field("auto", description="where a mail program reads, usually 1993")


def _usable(network: IPv4Network) -> bool:
    special = network.is_loopback or network.is_multicast or network.is_link_local or network.is_reserved
    return not special and network.network_address != IPv4Address(0)


class NodeOverride(Model):
    """What is different about one node."""

    address: IPv4Address | None = None


class Cluster(Model):
    """A whole topology."""

    name: Name = Field("www", description="what the cluster is called; several can run side by side")
    family: Literal["auto", "centos", "debian"] = Field("auto", description="the operating system of the nodes")
    network: IPv4Network | Literal["auto"] = Field("auto", description="the cluster's subnet; auto takes a free one")
    backend: Literal["docker", "xen"] = Field("docker", description="where the nodes run")
    xen: Xen = Field(default_factory=Xen, description="the Xen host, for 'backend: xen'")
    vip: IPv4Address | None = Field(None, description="the site's address; .100 of the network unless said")
    ports: Ports = Field(default_factory=Ports)
    web: Web | None = None
    http_lb: HttpLb | None = None
    tcp_lb: TcpLb | None = None
    storage: Storage | None = None
    mysql: Mysql | None = None
    mail: Mail | None = None
    shell: Shell | None = None
    backup: Backup | None = None
    users: dict[UserName, User] = Field(default_factory=dict, description="who has a login on the shell servers")
    client: Client = Field(default_factory=Client)
    nodes: dict[str, NodeOverride] = Field(default_factory=dict, description="what is different about single nodes")

    _source: str = PrivateAttr("")

    @property
    def source(self) -> str:
        """What it was read from, as `find` takes it; empty where it was read from no file."""
        return self._source

    def read_from(self, path: Path) -> Self:
        """The same, noted as read from a file: the name of a shipped topology, or the file's whole path."""
        shipped = {file: name for name, file in assets.topologies().items()}
        made = self.model_copy()
        made._source = shipped.get(path) or str(path.resolve())  # noqa: SLF001  its own
        return made

    @model_validator(mode="before")
    @classmethod
    def _bare_role_means_defaults(cls, data: object) -> object:
        """`web:` with nothing behind it is a web role with its defaults."""
        if not isinstance(data, dict):
            return data
        roles = cls.role_keys()
        return {key: {} if key in roles and value is None else value for key, value in data.items()}

    @classmethod
    def role_keys(cls) -> list[str]:
        """The keys of `cluster.yaml` that are roles."""
        found = []
        for key, field in cls.model_fields.items():
            kinds = [field.annotation, *get_args(field.annotation)]
            if any(isinstance(kind, type) and issubclass(kind, RoleOptions) for kind in kinds):
                found.append(field.alias or key)
        return found

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.roles().keys() - {"client"}:
            raise ValueError("the cluster has no role; write at least 'web:'")
        for lacking, said in self._lacks():
            if lacking:
                raise ValueError(said)
        self.groups  # noqa: B018  refuses numbers that two have
        for role, options in self.roles().items():
            volume = getattr(options, "volume", None)
            if self.storage and volume and volume not in self.storage.volumes:
                raise ValueError(
                    f"'{role}' uses the volume '{volume}', which 'storage.volumes' does not have: "
                    + ", ".join(self.storage.volumes)
                )
        if isinstance(self.network, IPv4Network) and not _usable(self.network):
            raise ValueError(
                f"no node can have an address of {self.network}; take a private one, such as 10.123.0.0/24"
            )
        if self.vip and self.network != AUTO and self.vip not in IPv4Network(self.network):
            raise ValueError(f"vip {self.vip} is outside the network {self.network}")
        return self

    def _lacks(self) -> list[tuple[bool, str]]:
        """Roles that stand on others: whether those are missing, and what to write."""
        below = self.http_lb or self.mysql or self.shell
        return [
            (bool(self.http_lb and not self.web), "'http-lb' needs a 'web' role behind it"),
            (bool(self.tcp_lb and not below), "'tcp-lb' needs an 'http-lb', 'mysql' or 'shell' role behind it"),
            (
                bool(self.mail and not (self.storage and self.mysql)),
                "'mail' keeps accounts in 'mysql' and mailboxes on 'storage': write both",
            ),
            (
                bool(self.web and self.web.notify and not self.mail),
                "'web.notify' is a mailbox on the mail servers: write 'mail:' too",
            ),
            (
                bool(self.shell and not self.storage),
                "'shell' keeps the homes on the shared filesystem: write 'storage:' too",
            ),
            (
                bool(self.backup and not (self.storage or self.mysql)),
                "'backup' has nothing to keep: write 'storage:' or 'mysql:' too",
            ),
            (
                bool(self.users and not self.shell),
                "'users' have a login on the shell servers: write 'shell:' too",
            ),
        ]

    def roles(self) -> dict[str, RoleOptions]:
        """The options of the roles that are in the cluster, by the role's name."""
        found = {key: getattr(self, key.replace("-", "_")) for key in self.role_keys()}
        return {key: options for key, options in found.items() if options is not None}

    @property
    def people(self) -> dict[str, User]:
        """The users with their numbers, by name."""
        return numbered(self.users)

    @property
    def groups(self) -> dict[str, int]:
        """The users' groups with their numbers."""
        return groups_of(self.users)

    @property
    def warnings(self) -> list[str]:
        """What is asked for and promises less than one might think."""
        found = []
        if self.mysql and self.mysql.count < THREE:
            lost = "its writes stop" if self.mysql.count > 1 else "what it has is gone with its disk"
            found.append(f"mysql has {self.mysql.count} of the 3 nodes that stand a loss: when one dies, {lost}")
        if self.storage and self.storage.count < THREE:
            found.append("storage has one node: there is no other copy of anything")
        return found

    @property
    def placement(self) -> Placement:
        """Where it is placed, as the topology says."""
        return Placement(self.backend, self.xen)

    @property
    def site(self) -> str:
        """The site's host name."""
        return f"www.{self.domain}"

    @property
    def domain(self) -> str:
        """The cluster's domain, behind the @ of its mail addresses."""
        return f"{self.name}.test"
