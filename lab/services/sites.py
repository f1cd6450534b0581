"""The sites on the web nodes: deploys releases, rolls back, lists, and runs commands as a site."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, SpecError
from lab.hints import nearest
from lab.lifecycle.members import informed, of_role
from lab.services.archive import Archive
from lab.services.packing import Packed, packed, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.backends.base import Backend, Existing, Result
    from lab.topology import Cluster

ROLE = "web"
PROGRAM = "/usr/lib/lab/sites"
SETTINGS = "/etc/lab/sites.json"
ENVIRONMENT = "/etc/lab/sites.env"
INBOX = "/var/lib/sites"
LONGEST_SECONDS = 600.0
REVISE_SECONDS = 60.0
PREVIOUS = "previous"


def folders(cluster: Cluster) -> dict[str, Path]:
    """The folders of code that a topology names, by site; relative paths start at the topology's file.

    Raises:
        SpecError: one was not found.
    """
    beside = Path(cluster.source).parent if cluster.source else Path()
    by_site = {name: beside / Path(site.code).expanduser() for name, site in cluster.sites.items() if site.code}
    for name, folder in by_site.items():
        if not folder.is_dir():
            raise SpecError(
                f"the folder of the site '{name}' was not found: {folder}",
                where=f"sites.{name}.code",
                next_step="name a folder beside the topology's file, or leave 'code' out",
            )
    return by_site


def added(name: str, settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Adds a site to a topology's section."""

    def change(sites: dict[str, Any]) -> None:
        if name in sites:
            raise SpecError(f"there is a site '{name}' already", next_step=f"'lab site deploy {name}' brings a release")
        sites[name] = settings

    return change


def mailing() -> dict[str, Any]:
    """The settings of a site that may send mail."""
    return {"mail": True}


def removed(name: str) -> Callable[[dict[str, Any]], None]:
    """Takes a site out of a topology's section."""

    def change(sites: dict[str, Any]) -> None:
        if name not in sites:
            known = nearest(name, list(sites)) if sites else "there are none"
            raise SpecError(f"there is no site '{name}'; {known}")
        del sites[name]

    return change


def present(backend: Backend, existing: Existing) -> set[str]:
    """The sites of the running cluster, by a web node's file."""
    node = informed(existing, ROLE)
    settings = json.loads((backend.get(node, SETTINGS) if node else None) or b'{"sites": {}}')
    return set(settings["sites"])


@dataclass(frozen=True)
class Release:
    """A release of a site in the store; `bytes`: size of its archive, `base`: the release of which it is a revision."""

    release: str
    bytes: int
    current: bool
    base: str = ""


@dataclass(frozen=True)
class Deployed:
    """The outcome of a deployment.

    Attributes:
        release: the one that is served now.
        files: their number.
        seconds: duration of the deployment.
        changed: whether another release was served before.
    """

    release: str
    files: int
    seconds: float
    changed: bool


@dataclass(frozen=True)
class Sites:
    """The running web nodes and their sites.

    Attributes:
        nodes: their names.
        holders: the nodes into whose stores a release is put: one where all nodes share a store, else all.
        names: the names of the sites.
        away: nodes that do not run and have a store of their own, which 'lab up' completes.
        writable: the folders that each site's PHP may write.
    """

    nodes: tuple[str, ...]
    holders: tuple[str, ...]
    names: tuple[str, ...]
    away: tuple[str, ...] = ()
    writable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def admit(self, site: str) -> None:
        """Refuses a name that is no site of the running cluster.

        Raises:
            SpecError: there is no such site; names the nearest.
        """
        if site not in self.names:
            known = nearest(site, self.names) if self.names else "it has none; 'lab site add' makes one"
            raise SpecError(f"the cluster has no site '{site}'; {known}")


def look(backend: Backend) -> Sites:
    """The sites of the running cluster.

    Raises:
        SpecError: no web node runs.
    """
    there = of_role(backend, ROLE)
    nodes = tuple(node.name for node in there if node.state is State.RUNNING)
    if not nodes:
        raise SpecError("no web node runs", next_step="'lab up' starts the cluster's nodes")
    settings = json.loads(backend.get(nodes[0], SETTINGS) or b'{"sites": {}, "mount": ""}')
    writable = {name: tuple(site.get("writable", ())) for name, site in settings["sites"].items()}
    if settings["mount"]:
        return Sites(nodes, nodes[:1], tuple(writable), (), writable)
    away = tuple(node.name for node in there if node.name not in nodes)
    return Sites(nodes, nodes, tuple(writable), away, writable)


def deploy(backend: Backend, site: str, folder: Path) -> Deployed:
    """Deploys a folder as a new release; each visitor gets the former release or this one, never a part of it.

    Raises:
        SpecError: there is no such site, or the folder can't be packed; nothing was changed.
        BackendError: a web node failed; the former release is still served.
    """
    began, running = time.monotonic(), look(backend)
    running.admit(site)
    package = packed(folder)
    current = {_store(backend, holder, site).current for holder in running.holders}
    if len(current) == 1 and (release := current.pop()).endswith(package.digest):
        return Deployed(release, package.files, time.monotonic() - began, changed=False)
    bring(backend, running, site, package)
    return Deployed(package.release, package.files, time.monotonic() - began, changed=True)


def bring(backend: Backend, running: Sites, site: str, package: Packed, since: str = "") -> None:
    """Puts a release into the store, unpacks it on every web node, and serves it; `since`: when that was decided."""
    for holder in running.holders:
        _ask(backend, holder, "admit", str(package.size), refusal=True)
    parallel.for_each(
        running.holders,
        lambda holder: _ask(
            backend, holder, "store", site, package.release, _sent(backend, holder, package), refusal=True
        ),
    )
    parallel.for_each(running.nodes, lambda node: _ask(backend, node, "unpack", site, package.release))
    _serve(backend, running, site, package.release, since or stamp())


def revise(backend: Backend, running: Sites, site: str, package: Packed) -> None:
    """Serves a revision of a release, with as few questions to the nodes as possible."""
    since = stamp()

    def take(holder: str) -> None:
        inbox = _sent(backend, holder, package)
        _ask(backend, holder, "revise", site, package.release, inbox, since, refusal=True, seconds=REVISE_SECONDS)

    parallel.for_each(running.holders, take)
    others = [node for node in running.nodes if node not in running.holders]
    parallel.for_each(others, lambda node: _ask(backend, node, "serve", site, seconds=REVISE_SECONDS))


def _sent(backend: Backend, holder: str, package: Packed) -> str:
    """Copies a release into a node, in pieces; the folder that they are in there."""
    inbox = f"{INBOX}/.inbox-{package.release}"
    header = json.dumps({"base": package.base, "gone": package.gone}).encode()
    first = {f"{inbox}/base": (header, 0o600)} if package.base else {}
    for number, part in enumerate(package.archive.parts()):
        backend.put(holder, first | {f"{inbox}/part-{number:04d}": (part, 0o600)})
        first = {}
    return inbox


def rollback(backend: Backend, site: str, release: str = "") -> str:
    """Serves an earlier release again, by default the one before; returns its name.

    Raises:
        SpecError: there is no such site or release.
    """
    running = look(backend)
    running.admit(site)
    return _serve(backend, running, site, release or PREVIOUS, stamp())


def releases(backend: Backend, site: str) -> list[Release]:
    """The releases of a site in the store, oldest first."""
    running = look(backend)
    running.admit(site)
    return _releases(backend, running.holders[0], site)


def environment(backend: Backend, site: str) -> dict[str, str]:
    """The environment of the site's PHP, credentials included."""
    running = look(backend)
    running.admit(site)
    text = (backend.get(running.nodes[0], ENVIRONMENT) or b"").decode()
    own = text.partition(f"[{site}]\n")[2].partition("\n[")[0].splitlines()
    return {key: value for key, equals, value in (line.partition("=") for line in own) if equals}


def urls(backend: Backend, site: str) -> list[str]:
    """The addresses of a site: inside the cluster first; then on this machine, where a port is published."""
    existing = backend.observe()
    balanced = any(node.role == "http-lb" for node in existing.nodes)
    scheme, name = ("https", "site") if balanced else ("http", "site-http")
    inside = [f"{scheme}://{site}.{backend.cluster}.test/"]
    return inside + ([f"{scheme}://{site}.localhost:{existing.ports[name]}/"] if name in existing.ports else [])


def concerns(site: str, line: str) -> bool:
    """Whether a line of a web node's output is about a site."""
    marks = (f"site {site} |", f"pool site-{site}]", f"/{site}/", f"sites | {site}:", f"site-{site}.sock")
    return any(mark in line for mark in marks)


def command(site: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs a command as a site, on a web node."""
    return [PROGRAM, "exec", site, *argv]


def ensure(backend: Backend, cluster: Cluster, folders: dict[str, Path]) -> list[tuple[str, Deployed]]:
    """Deploys the folder of each site without a release; copies releases to new nodes that have a store of their own.

    Args:
        backend: where the cluster runs.
        cluster: the topology that it was made from.
        folders: of code, by site.

    Returns:
        The sites that were deployed.
    """
    deployed: list[tuple[str, Deployed]] = []
    if not cluster.sites:
        return deployed
    running = look(backend)
    for site in cluster.sites:
        stores = {holder: _store(backend, holder, site) for holder in running.holders}
        latest = max(stores, key=lambda holder: stores[holder].since)
        if stores[latest].current:  # a node that was down meanwhile lacks it
            _completed(backend, running, site, stores, latest)
        elif site in folders:
            deployed.append((site, deploy(backend, site, folders[site])))
    return deployed


def _completed(backend: Backend, running: Sites, site: str, stores: dict[str, _Store], latest: str) -> None:
    """Has all nodes serve the release that was last chosen, which one of them has."""
    chosen = stores[latest]
    current = next(one for one in chosen.releases if one.current)
    behind = tuple(holder for holder, store in stores.items() if store.current != current.release)
    for release in filter(None, (current.base, current.release)):
        lacking = tuple(holder for holder, store in stores.items() if not store.has(release))
        if lacking:
            package = _fetched(backend, latest, site, release)
            bring(backend, Sites(lacking, lacking, running.names), site, package, chosen.since)
    if behind:
        _serve(backend, Sites(behind, behind, running.names), site, current.release, chosen.since)


def _fetched(backend: Backend, holder: str, site: str, release: str) -> Packed:
    """A release from the store of a node."""
    place = f"{INBOX}/store/{site}/releases/{release}"
    archive = Archive()
    size = archive.write(backend.get(holder, f"{place}.tar.gz") or b"")
    header = json.loads(backend.get(holder, f"{place}.base") or b"{}")
    return Packed(archive, 0, 2 * size, release, header.get("base", ""), tuple(header.get("gone", ())))


@dataclass(frozen=True)
class _Store:
    """What the store of a node has of a site; `since`: when its release was chosen, as `packing.stamp` says it."""

    releases: list[Release]
    since: str

    @property
    def current(self) -> str:
        """The release that is served; empty where none is."""
        return next((one.release for one in self.releases if one.current), "")

    def has(self, release: str) -> bool:
        """Whether it has a release."""
        return any(one.release == release for one in self.releases)


def _store(backend: Backend, holder: str, site: str) -> _Store:
    answer = json.loads(_ask(backend, holder, "tell", site).stdout)
    stored = [Release(**row) for row in answer["releases"]]
    return _Store(stored, answer["switched"] or next((one.release for one in stored if one.current), ""))


def _releases(backend: Backend, holder: str, site: str) -> list[Release]:
    """The releases in the store of a node, oldest first."""
    return _store(backend, holder, site).releases


def _serve(backend: Backend, running: Sites, site: str, release: str, since: str) -> str:
    served = [
        _ask(backend, holder, "switch", site, release, since, refusal=True).stdout.strip() for holder in running.holders
    ]
    parallel.for_each(running.nodes, lambda node: _ask(backend, node, "converge"))
    return served[0]


def _ask(
    backend: Backend, node: str, *arguments: str, refusal: bool = False, seconds: float = LONGEST_SECONDS
) -> Result:
    """Runs a verb of the program on a node; `refusal`: a failure means that the request was not valid."""
    result = backend.run(node, [PROGRAM, *arguments], seconds=seconds)
    if result.ok:
        return result
    error: Any = SpecError if refusal else BackendError
    raise error(result.last_line, where=node, next_step=f"'lab logs {node}' shows more" if not refusal else "")
