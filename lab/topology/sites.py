"""Sites of a person's own, on the web nodes: what `cluster.yaml` says of each, and what its name stands for."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from lab import identifiers
from lab.hints import nearest
from lab.models import Model
from lab.topology.roles import Count, HostName
from lab.topology.users import UserName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

FIRST, LAST = 60000, 64999
"""The numbers of the sites' system users; `images/web` leaves all others alone."""

LONGEST = 24  # a system user's name has at most 32 characters, with what stands before
FOLDER = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
BESIDE = 4
"""Requests for files, which no PHP answers."""

MAILBOXES = frozenset({"abuse", "evidence", "guestbook", "postmaster"})
"""Addresses that the cluster itself has."""

LOCAL = "localhost"
"""Names below it are this machine's (RFC 6761, 6.3): a browser here needs no DNS for them."""


def _known(extension: str) -> str:
    from lab.recipes.family import extensions

    there = extensions()
    if extension not in there:
        raise ValueError(f"the web nodes' PHP has no extension '{extension}'; it has: {', '.join(there)}")
    return extension


def _label(name: str) -> str:
    if not re.fullmatch(identifiers.CLUSTER, name) or len(name) > LONGEST:
        raise ValueError(
            f"'{name}' is no name of a site: it becomes a part of a host name, of lower-case letters, digits and single"
            f" hyphens between them, a letter first, at most {LONGEST} characters"
        )
    return name


SiteName = Annotated[str, AfterValidator(_label)]
Folder = Annotated[str, Field(pattern=FOLDER, max_length=200)]
Extension = Annotated[str, AfterValidator(_known)]


class Php(Model):
    """The PHP of one site, on each web node."""

    upload: Count = Field(16, le=2000, description="MiB of an upload, at most")
    memory: Count = Field(128, ge=16, le=4096, description="MiB of one request, at most")
    seconds: Count = Field(60, le=3600, description="seconds of one request, at most")
    children: Count = Field(8, le=200, description="requests at once on a web node, at most; others wait")
    extensions: list[Extension] = Field([], description="extensions that the site needs, by PHP's names")


class Site(Model):
    """A site on the web nodes: a system user, a PHP-FPM pool and folders of its own."""

    code: str | None = Field(None, description="a folder beside this file; unset: 'lab site deploy' brings one")
    public: Folder | Literal[""] = Field("", description="the folder of the code that is served; unset: all of it")
    names: list[HostName] = Field([], description="other host names, below the cluster's domain or below localhost")
    database: bool = Field(default=False, description="a database and a user of its own")
    mail: bool = Field(default=False, description="a mailbox of its name, by which it sends through the mail servers")
    writable: list[Folder] = Field([], description="folders of the code that its PHP may write, kept over releases")
    php: Php = Field(default_factory=Php, description="what its PHP may take")
    owner: UserName | None = Field(None, description="a user, who may change its code at ~/sites/NAME on shell nodes")


def host_names(name: str, site: Site, domain: str) -> tuple[str, ...]:
    """All host names of a site: below the cluster's domain first."""
    return tuple(dict.fromkeys((f"{name}.{domain}", f"{name}.{LOCAL}", *site.names)))


def number(name: str) -> int:
    """The number of a site's system user: the same on every node, independent of other sites."""
    return FIRST + zlib.crc32(name.encode()) % (LAST - FIRST + 1)


def problems(
    sites: Mapping[str, Site],
    domain: str,
    taken: Collection[str],
    people: Collection[str] = (),
    users: Collection[str] = (),
) -> Iterator[str]:
    """What is wrong between sites, or between them and the cluster.

    Args:
        sites: by name.
        domain: the cluster's.
        taken: names directly below the domain that something else has.
        people: names of the users and of their groups, which are the web nodes' users as well.
        users: names of the users.
    """
    owners = {f"{each}.{domain}": "the cluster itself" for each in taken} | {LOCAL: "the guest book"}
    numbers: dict[int, str] = {}
    for name, site in sites.items():
        for folder in site.writable:
            if any(other != folder and folder.startswith(f"{other}/") for other in site.writable):
                yield f"'{folder}' of the site '{name}' is in a folder that is writable anyway: leave it out"
        if site.owner and site.owner not in users:
            known = nearest(site.owner, list(users)) if users else "there are none; 'lab user add' adds one"
            yield f"'{site.owner}', the owner of the site '{name}', is no user; {known}"
        yield from _taken(name, site, domain, people)
        yield from host_problems(host_names(name, site, domain), f"the site '{name}'", domain, owners)
        if number(name) in numbers:
            yield f"'{numbers[number(name)]}' and '{name}' would have the same system user: call one otherwise"
        numbers[number(name)] = name


def _taken(name: str, site: Site, domain: str, people: Collection[str]) -> Iterator[str]:
    """Names of a site that a user, a group or a mailbox of the cluster has already."""
    for own in (f"site-{name}", f"web-{name}"):
        if own in people:
            yield f"'{own}' under 'users' is the name of a system user or group of the site '{name}': rename one"
    if site.mail and name in MAILBOXES:
        yield f"the mailbox {name}@{domain} is the cluster's own: choose another name for the site '{name}'"


def host_problems(hosts: Iterable[str], whose: str, domain: str, owners: dict[str, str]) -> Iterator[str]:
    """What is wrong with the host names of a site or application.

    Args:
        hosts: the names; the first is below the domain.
        whose: for a message, such as `the site 'blog'`.
        domain: the cluster's.
        owners: host names in use, and by what; the names are added.
    """
    for place, host in enumerate(hosts):
        if host in owners:
            then = "leave it out" if place else "choose another name"
            yield f"the host {host} of {whose} is that of {owners[host]}: {then}"
        if not host.endswith((f".{domain}", f".{LOCAL}")):
            yield f"the host {host} of {whose} is not below {domain} or {LOCAL}; the cluster's CA speaks for no other"
        owners[host] = whose
