"""Applications of any language: an image of the user's own behind the balancers, and what its name stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lab import assets, identifiers
from lab.topology.roles import Count, HostName, RoleOptions
from lab.topology.sites import LOCAL, MAILBOXES, host_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST = 24
FIRST, EACH, MOST = 201, 10, 5
"""Addresses of applications: so many for each, in the order in which the topology has them."""

GIVEN = ("DATABASE_URL", "DATABASE_READ_URL", "DATABASE_CA", "SMTP_URL")
"""Variables of the environment that the cluster gives."""


TARGETS = frozenset({"all", "minority", "primary", "random", "vip-holder"})
"""What targets of faults may be besides nodes and roles."""

OWN = ("/etc/lab", "/usr/lib/lab", "/run", "/proc", "/sys", "/dev")
"""Folders of an application's node that are the cluster's or the kernel's."""


def _place(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError(f"'{path}' is no whole path: write it without '.' and '..'")
    for own in OWN:
        if f"{path}/".startswith(f"{own}/") or own.startswith(f"{path}/"):
            raise ValueError(f"'{path}' would cover {own}, which is not the application's: name a folder of its own")
    return path


def volume(place: str) -> str:
    """The name of the volume that a folder is."""
    return place.strip("/").replace("/", "-")


def _name(name: str) -> str:
    if not re.fullmatch(identifiers.CLUSTER, name) or len(name) > LONGEST or name[-1].isdigit():
        raise ValueError(
            f"'{name}' is no name of an application: lower-case letters, digits and single hyphens between them, a"
            f" letter first, no digit at the end, at most {LONGEST} characters"
        )
    if name in assets.role_folders() or name == "base":
        raise ValueError(f"'{name}' is the name of a role: choose another for the application")
    if name in TARGETS:
        raise ValueError(f"'{name}' means nodes of several roles where faults are named: choose another name")
    return name


AppName = Annotated[str, AfterValidator(_name)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Value = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=10_000)]
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/?&=%+-]*$", max_length=200)]
Place = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=200), AfterValidator(_place)]


class App(RoleOptions):
    """An image behind the HTTP balancers, with its own entrypoint, user and environment."""

    image: str | None = Field(None, min_length=1, description="an image that the engine has, such as shop:dev")
    build: str | None = Field(None, min_length=1, description="or a folder with a Dockerfile, beside this file")
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = Field(description="the port that it listens on")
    count: Count = Field(2, le=EACH, description="how many nodes of it")
    health: UrlPath = Field("/", description="the path that answers 200 while it serves")
    env: dict[Variable, Value] = Field({}, description="variables of its environment")
    database: bool = Field(default=False, description="a database and a user of its own: DATABASE_URL")
    mail: bool = Field(default=False, description="an account of its own on the mail servers: SMTP_URL")
    sticky: bool = Field(default=False, description="keep a visitor on one node, by a cookie")
    names: list[HostName] = Field([], description="other host names, below the cluster's domain or below localhost")
    writable: list[Place] = Field([], description="folders that it may write: a volume of each node's own")
    connections: Count = Field(100, le=10000, description="requests at once to a node; more are queued")
    stop: Count = Field(10, le=600, description="seconds that a clean stop may take")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.image is None) == (self.build is None):
            raise ValueError("an application has an 'image' or a folder to 'build', one of them")
        for name in GIVEN:
            if name in self.env:
                raise ValueError(f"'{name}' is given by the cluster: leave it out of 'env', and write 'database: true'")
        volumes: dict[str, str] = {}
        for place in self.writable:
            if volumes.setdefault(volume(place), place) != place:
                raise ValueError(f"'{volumes[volume(place)]}' and '{place}' would be the same volume: rename one")
        return self


def host_names(name: str, app: App, domain: str) -> tuple[str, ...]:
    """All host names of an application: below the cluster's domain first."""
    return tuple(dict.fromkeys((f"{name}.{domain}", f"{name}.{LOCAL}", *app.names)))


def app_problems(apps: Mapping[str, App], domain: str, owners: dict[str, str]) -> Iterator[str]:
    """What is wrong between applications, or between them and the cluster.

    Args:
        apps: by name.
        domain: the cluster's.
        owners: host names that something else has, and what that is.
    """
    if len(apps) > MOST:
        yield f"{len(apps)} applications are more than the {MOST} that have addresses"
    for name, app in apps.items():
        if app.mail and name in MAILBOXES:
            yield f"the mailbox {name}@{domain} is the cluster's own: choose another name for the application '{name}'"
        yield from host_problems(host_names(name, app, domain), f"the application '{name}'", domain, owners)
