"""The cluster as a person writes it. Roles that are named are in it; `client` always is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BeforeValidator, Field, PrivateAttr, create_model, model_validator

from lab import assets, identifiers
from lab.backends import kinds
from lab.errors import SpecError
from lab.hints import nearest
from lab.models import Model
from lab.recipes import manifest
from lab.topology.apps import App, AppName, app_problems
from lab.topology.outside import outside_options
from lab.topology.placement import Placement
from lab.topology.ports import AUTO, Ports, ports_model
from lab.topology.roles import Backup, Client, HttpLb, Mail, Mysql, RoleOptions, Shell, Storage, TcpLb, Web
from lab.topology.sites import BESIDE, Site, SiteName, host_names, number, problems
from lab.topology.users import User, UserName, groups_of, numbered

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path


def _named(value: object) -> object:
    """`[web1]` is `{web1: []}`, and so is `{web1: }`: all files that the role leaves to a person."""
    if isinstance(value, list):
        return (
            {name: [] for name in value if isinstance(name, str)} if all(isinstance(n, str) for n in value) else value
        )
    return {name: files or [] for name, files in value.items()} if isinstance(value, dict) else value


Name = Annotated[str, Field(pattern=identifiers.CLUSTER, max_length=identifiers.CLUSTER_LENGTH)]


FilePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$")]
ByHandNodes = Annotated[dict[str, list[FilePath]], BeforeValidator(_named)]


def _usual_ports() -> Ports:
    return ports_model()()


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
    backend: str = Field(kinds.DEFAULT, description="where the nodes run")
    vip: IPv4Address | None = Field(None, description="the site's address; default: .100 of the network")
    ports: Ports = Field(default_factory=_usual_ports, description="ports of this machine")
    web: Web | None = None
    http_lb: HttpLb | None = None
    tcp_lb: TcpLb | None = None
    storage: Storage | None = None
    mysql: Mysql | None = None
    mail: Mail | None = None
    shell: Shell | None = None
    backup: Backup | None = None
    users: dict[UserName, User] = Field(default_factory=dict, description="who has a login on the shell servers")
    sites: dict[SiteName, Site] = Field(default_factory=dict, description="sites of your own, on the web nodes")
    client: Client = Field(default_factory=Client)
    apps: dict[AppName, App] = Field(default_factory=dict, description="images of your own, by their host names")
    nodes: dict[str, NodeOverride] = Field(default_factory=dict, description="what is different about single nodes")

    by_hand: ByHandNodes = Field(
        default_factory=dict, description="nodes that a person configures, such as [web1]; or the files, by node"
    )

    _source: str = PrivateAttr("")

    @property
    def source(self) -> str:
        """What it was read from, as `find` takes it; empty where it was read from no file."""
        return self._source

    def read_from(self, path: Path) -> Self:
        """The same, noted as read from a file: the name of a shipped topology, or the file's whole path."""
        shipped = {file: name for name, file in assets.topologies().items()}
        copy = self.model_copy()
        copy._source = shipped.get(path) or str(path.resolve())  # noqa: SLF001  its own
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: its class is made there, from the same roles."""
        return _restored, (
            assets.outside(),
            self.model_dump(mode="json", by_alias=True, exclude_unset=True),
            self._source,
        )

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
        return _role_keys(cls)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        assets.use_apps(self.apps)
        if not self.roles().keys() - {"client"}:
            raise ValueError("the cluster has no role; write at least 'web:'")
        for problem in self._lacks():
            raise ValueError(problem)
        for problem in app_problems(self.apps, self.domain, self._owners()):
            raise ValueError(problem)
        self.groups  # noqa: B018  refuses numbers that two have
        people = {*self.users, *self.groups}
        for problem in problems(self.sites, self.domain, self._taken_names(), people, self.users):
            raise ValueError(problem)
        for problem in (*self._not_by_hand(), *self._more_than_volumes()):
            raise ValueError(problem)
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

    def _lacks(self) -> Iterator[str]:
        """What to write besides, for each role or section that stands on a role which is missing."""
        there = self.roles()
        led_to = [role for role in there if manifest(role).own.balanced]
        for role, options in there.items():
            for need in manifest(role).own.requires:
                needed = not need.option or getattr(options, need.option)
                if needed and not any(other in there for other in need.any or led_to):
                    yield need.says
        for role in self.role_keys():
            for section, says in manifest(role).own.serves.items():
                if role not in there and self._asks(section):
                    yield says

    def _not_by_hand(self) -> Iterator[str]:
        """What is wrong with the nodes that are to be by hand."""
        names = self.node_roles
        for name, files in self.by_hand.items():
            if name not in names:
                yield f"'by-hand' names '{name}', which the topology has not: {nearest(name, names)}"
            elif names[name] in self.apps or not (files or manifest(names[name]).by_hand.any):
                yield f"{name} can't be by hand: the role '{names[name]}' leaves nothing to a person"

    def _more_than_volumes(self) -> Iterator[str]:
        """What exceeds a volume, where the backend knows its size."""
        size = (self.placement.settings or kinds.defaults(self.backend)).volume_size if self.mail else None
        if self.mail and size and self.mail.quota > size:
            yield f"'mail.quota' is {self.mail.quota} MiB, more than a volume of '{self.backend}' holds, {size} MiB"

    def _asks(self, section: str) -> bool:
        """Whether a section is there, such as `users`; or `sites.database`: whether one of it asks for that."""
        name, _, option = section.partition(".")
        value = getattr(self, name)
        return any(getattr(each, option) for each in value.values()) if option else bool(value)

    def _taken_names(self) -> set[str]:
        """The names below the domain that nodes and roles have."""
        known = {
            name.removesuffix(".{domain}") for role in self.roles() for name in manifest(role).own.certificate or []
        }
        return self.node_roles.keys() | known | {self.site.partition(".")[0]}

    def _owners(self) -> dict[str, str]:
        """The host names that are taken already, and by what."""
        owners = {f"{name}.{self.domain}": "the cluster itself" for name in self._taken_names()}
        for name, site in self.sites.items():
            owners |= dict.fromkeys(host_names(name, site, self.domain), f"the site '{name}'")
        return owners

    def roles(self) -> dict[str, RoleOptions]:
        """The options of the roles that are in the cluster, by the role's name."""
        by_key = {key: getattr(self, key.replace("-", "_")) for key in self.role_keys()} | self.apps
        return {key: options for key, options in by_key.items() if options is not None}

    @property
    def node_roles(self) -> dict[str, str]:
        """The role of each node, by the node's name."""
        return {name: role for role, options in self.roles().items() for name in _nodes_of(role, options)}

    @property
    def people(self) -> dict[str, User]:
        """The users with their numbers, by name."""
        return numbered(self.users)

    @property
    def groups(self) -> dict[str, int]:
        """The users' groups with their numbers."""
        return groups_of(self.users)

    def hosts_of(self, site: str) -> tuple[str, ...]:
        """The host names of a site: below the domain first."""
        return host_names(site, self.sites[site], self.domain)

    def site_number(self, site: str) -> int:
        """The number of a site's system user."""
        return number(site)

    @property
    def hosted(self) -> dict[str, int]:
        """What each web node serves, for formulas.

        `sites_memory` (MiB), `sites_children` and `sites_upload` (MiB) of the sites, and requests at once: of all sites
        by up to four balancers (`sites_requests`), and of the guest book (`requests`).
        """
        pools = [site.php for site in self.sites.values()]
        return {
            "sites_memory": sum(php.children * php.memory for php in pools),
            "sites_children": sum(php.children for php in pools),
            "sites_upload": max((php.upload for php in pools), default=0),
            "sites_requests": sum(4 * (php.children + BESIDE) for php in pools),
            "requests": self.http_lb.web_connections if self.http_lb else 100,
        }

    @property
    def warnings(self) -> list[str]:
        """Warnings about options with weaker promises than expected."""
        there = self.roles()
        weak = [
            weak.says
            for role, options in there.items()
            for weak in manifest(role).own.weak
            if weak.count == options.count
        ]
        return weak + ([*self._unkept()] if any(manifest(role).own.backups for role in there) else [])

    def _unkept(self) -> Iterator[str]:
        """What backups do not have, and another topology would let them have."""
        there = self.roles()
        for role in there:
            for each in manifest(role).own.unkept:
                if each.unless and each.unless not in there and (not each.asks or self._asks(each.asks)):
                    yield (
                        f"{each.what} are on the {role} nodes' own disks, and in no backup: write '{each.unless}:' too"
                    )
        for name, app in self.apps.items():
            if app.writable:
                yield f"what '{name}' writes to {', '.join(app.writable)} is on its nodes' own disks, and in no backup"

    @property
    def placement(self) -> Placement:
        """Where it is placed, as the topology says."""
        section = getattr(self, kinds.field(self.backend), None)
        return Placement(self.backend, section if isinstance(section, kinds.Settings) else None)

    @property
    def site(self) -> str:
        """The site's host name."""
        return f"www.{self.domain}"

    @property
    def domain(self) -> str:
        """The cluster's domain, behind the @ of its mail addresses."""
        return f"{self.name}.test"


def _nodes_of(role: str, options: RoleOptions) -> list[str]:
    """The names of a role's nodes."""
    return [role] if role == "client" else [f"{role}{number + 1}" for number in range(options.count)]


def _restored(roles: Path | None, data: dict[str, Any], source: str) -> Cluster:
    """A cluster that was given to another process."""
    assets.use_roles(roles)
    cluster = cluster_model().model_validate(data)
    cluster._source = source  # noqa: SLF001  its own
    return cluster


@assets.cached
def cluster_model() -> type[Cluster]:
    """The model of `cluster.yaml`, with the backends' settings, the roles that lie beside it, and all roles' ports.

    Raises:
        SpecError: a role that lies beside it is not valid.
    """
    own = keys()
    sections = _sections(own)
    own |= {name.replace("_", "-") for name in sections} | set(sections)
    others: dict[str, Any] = {
        role.replace("-", "_"): (model | None, Field(None, description=model.__doc__))
        for role, model in outside_options(own).items()
    }
    ports = ports_model()
    known = [name for name in kinds.names() if name not in keys()]
    field: Any = Field(default_factory=ports, description=Cluster.model_fields["ports"].description)
    backend: Any = Field(kinds.DEFAULT, description=Cluster.model_fields["backend"].description)
    definitions: Any = {"ports": (ports, field), "backend": (Literal[tuple(known)], backend), **sections, **others}
    return create_model("Cluster", __base__=Cluster, __doc__=Cluster.__doc__, **definitions)


@assets.cached
def _role_keys(model: type[Cluster]) -> list[str]:
    keys = []
    for key, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        single = get_origin(field.annotation) is not dict
        if single and any(isinstance(kind, type) and issubclass(kind, RoleOptions) for kind in kinds):
            keys.append(field.alias or key)
    return keys


def keys() -> set[str]:
    """The keys of `cluster.yaml` but those of backends and of roles outside the lab."""
    return set(Cluster.model_fields) | set(Cluster.role_keys())


def admit_backend(name: str) -> None:
    """Refuses a backend of another package that has the name of a key; where none names it, nothing is wrong.

    Raises:
        SpecError: it has.
    """
    if name in keys():
        raise SpecError(
            f"a backend can't be called '{name}', which is a key of cluster.yaml",
            where=f"the entry point '{name}' of {kinds.GROUP}",
            next_step="choose another backend; the package that registers this one has to rename it",
        )


def _sections(taken: Container[str]) -> dict[str, Any]:
    """The fields of the backends' settings; a backend with the name of another key can't be chosen and has none."""
    sections: dict[str, Any] = {}
    for name, kind in kinds.usable().items():
        if name not in taken and kind.settings.model_fields:
            sections[kinds.field(name)] = (kind.settings | None, Field(None, description=kind.description))
    return sections
