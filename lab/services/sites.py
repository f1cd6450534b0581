"""What a person does to the sites on the web nodes: deploys releases, rolls back, lists, and runs commands in them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, SpecError
from lab.hints import nearest
from lab.lifecycle.members import of_role
from lab.services.packing import Packed, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Backend, Existing, Result
    from lab.topology import Cluster
    from lab.topology.editing import Edit

ROLE = "web"
PROGRAM = "/usr/lib/lab/sites"
SETTINGS = "/etc/lab/sites.json"
ENVIRONMENT = "/etc/lab/sites.env"
INBOX = "/var/lib/sites"
LONGEST_SECONDS = 600.0
PREVIOUS = "previous"


def folders(cluster: Cluster) -> dict[str, Path]:
    """The folders on this machine that a topology names, by site: beside its file.

    Raises:
        SpecError: one was not found.
    """
    beside = Path(cluster.source).parent if cluster.source else Path()
    found = {name: beside / Path(site.code).expanduser() for name, site in cluster.sites.items() if site.code}
    for name, folder in found.items():
        if not folder.is_dir():
            raise SpecError(
                f"the folder of the site '{name}' was not found: {folder}",
                where=f"sites.{name}.code",
                next_step="name a folder beside the topology's file, or leave 'code' out",
            )
    return found


def added(name: str, told: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Adds a site to a topology's section."""

    def work(sites: dict[str, Any]) -> None:
        if name in sites:
            raise SpecError(f"there is a site '{name}' already", next_step=f"'lab site deploy {name}' brings a release")
        sites[name] = told

    return work


def mailing() -> dict[str, Any]:
    """What a topology says of a site that may send mail."""
    return {"mail": True}


def removed(name: str) -> Callable[[dict[str, Any]], None]:
    """Takes a site out of a topology's section."""

    def work(sites: dict[str, Any]) -> None:
        if name not in sites:
            known = nearest(name, list(sites)) if sites else "there are none"
            raise SpecError(f"there is no site '{name}'; {known}")
        del sites[name]

    return work


def admit(edit: Edit, backend: Backend, existing: Existing, name: str) -> None:
    """Refuses a change by a file that lacks sites of the running cluster; `name`: the site that may go.

    Raises:
        SpecError: the file is another one than the cluster's; says what it lacks.
    """
    node = next((node.name for node in existing.nodes if node.role == ROLE), None)
    told = json.loads((backend.get(node, SETTINGS) if node else None) or b'{"sites": {}}')
    lost = sorted(set(told["sites"]) - {name} - set(edit.cluster.sites))
    if lost:
        raise SpecError(
            f"the cluster '{backend.cluster}' has sites that {edit.target} lacks: {', '.join(lost)}",
            where=str(edit.target.resolve()),
            next_step="name the topology that it was made from with --file; 'lab up' with this one would remove them",
        )


@dataclass(frozen=True)
class Release:
    """A release of a site, as the store has it; `bytes`: of its archive."""

    release: str
    bytes: int
    current: bool


@dataclass(frozen=True)
class Deployed:
    """What a deployment did.

    Attributes:
        release: which one is served now.
        files: how many it has.
        seconds: how long it took.
        changed: whether it was another one before.
    """

    release: str
    files: int
    seconds: float
    changed: bool


@dataclass(frozen=True)
class Sites:
    """The web nodes that run, and the sites that they have.

    Attributes:
        nodes: by name.
        holders: those of whose stores each release has to be put into one's own: one where all share it.
        names: of the sites.
    """

    nodes: tuple[str, ...]
    holders: tuple[str, ...]
    names: tuple[str, ...]

    def admit(self, site: str) -> None:
        """Refuses what is no site of the running cluster.

        Raises:
            SpecError: it is not; names the nearest.
        """
        if site not in self.names:
            known = nearest(site, self.names) if self.names else "it has none; 'lab site add' makes one"
            raise SpecError(f"the cluster has no site '{site}'; {known}")


def look(backend: Backend) -> Sites:
    """The sites of the running cluster.

    Raises:
        SpecError: it has no web node that runs.
    """
    nodes = tuple(node.name for node in of_role(backend, ROLE) if node.state is State.RUNNING)
    if not nodes:
        raise SpecError("no web node runs", next_step="'lab up' starts the cluster's nodes")
    told = json.loads(backend.get(nodes[0], SETTINGS) or b'{"sites": {}, "mount": ""}')
    return Sites(nodes, nodes[:1] if told["mount"] else nodes, tuple(told["sites"]))


def deploy(backend: Backend, site: str, folder: Path) -> Deployed:
    """Brings what is in a folder as a new release; every visitor gets the former one or this, and no half of either.

    Raises:
        SpecError: there is no such site, or the folder can't be brought; nothing was changed.
        BackendError: a web node did not do it; what was served before still is.
    """
    began, there = time.monotonic(), look(backend)
    there.admit(site)
    made = packed(folder)
    now = {_current(backend, holder, site) for holder in there.holders}
    if len(now) == 1 and (release := now.pop()).endswith(made.digest):
        return Deployed(release, made.files, time.monotonic() - began, changed=False)
    bring(backend, there, site, made)
    return Deployed(made.release, made.files, time.monotonic() - began, changed=True)


def bring(backend: Backend, there: Sites, site: str, made: Packed) -> None:
    """Puts a release into the store, unpacks it on every web node, and has it served."""
    for holder in there.holders:
        _ask(backend, holder, "admit", str(made.size), refusal=True)

    def keep(holder: str) -> None:
        inbox = f"{INBOX}/.{made.release}.tar.gz"
        backend.put(holder, {inbox: (made.archive, 0o600)})
        _ask(backend, holder, "store", site, made.release, inbox, refusal=True)

    parallel.for_each(there.holders, keep)
    parallel.for_each(there.nodes, lambda node: _ask(backend, node, "unpack", site, made.release))
    _serve(backend, there, site, made.release)


def rollback(backend: Backend, site: str, release: str = "") -> str:
    """Has an earlier release served: default: the one before; returns which.

    Raises:
        SpecError: there is none such.
    """
    there = look(backend)
    there.admit(site)
    return _serve(backend, there, site, release or PREVIOUS)


def releases(backend: Backend, site: str) -> list[Release]:
    """The releases of a site in the store, oldest first."""
    there = look(backend)
    there.admit(site)
    return _kept(backend, there.holders[0], site)


def environment(backend: Backend, site: str) -> dict[str, str]:
    """What the site's PHP has in its environment, its credentials among it."""
    there = look(backend)
    there.admit(site)
    text = (backend.get(there.nodes[0], ENVIRONMENT) or b"").decode()
    own = text.partition(f"[{site}]\n")[2].partition("\n[")[0].splitlines()
    return {key: value for key, equals, value in (line.partition("=") for line in own) if equals}


def urls(backend: Backend, site: str) -> list[str]:
    """The addresses of a site: inside the cluster first; then on this machine, where a port is published."""
    found = backend.observe()
    scheme, name = ("https", "site") if any(node.role == "http-lb" for node in found.nodes) else ("http", "site-http")
    inside = [f"{scheme}://{site}.{backend.cluster}.test/"]
    return inside + ([f"{scheme}://{site}.localhost:{found.ports[name]}/"] if name in found.ports else [])


def concerns(site: str, line: str) -> bool:
    """Whether a line of a web node's output is about a site."""
    marks = (f"site {site} |", f"pool site-{site}]", f"/{site}/", f"sites | {site}:", f"site-{site}.sock")
    return any(mark in line for mark in marks)


def command(site: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs a command as a site, on a web node."""
    return [PROGRAM, "exec", site, *argv]


def ensure(backend: Backend, cluster: Cluster, folders: dict[str, Path]) -> list[tuple[str, Deployed]]:
    """Brings the folder of each site without a release, and to new nodes with stores of their own what the others have.

    Args:
        backend: where the cluster runs.
        cluster: the topology that it was made from.
        folders: of the sites that have one, by site.

    Returns:
        The sites that were brought.
    """
    done: list[tuple[str, Deployed]] = []
    if not cluster.sites:
        return done
    there = look(backend)
    for site in cluster.sites:
        kept = {holder: _kept(backend, holder, site) for holder in there.holders}
        current = {holder: next((one.release for one in has if one.current), "") for holder, has in kept.items()}
        newest = max(current.values())
        if newest:  # a node that was down meanwhile lacks it
            has = {holder: {one.release for one in rows} for holder, rows in kept.items()}
            lacking = tuple(holder for holder in kept if not current[holder] or newest not in has[holder])
            if lacking:
                made = _fetched(backend, next(h for h, has in current.items() if has == newest), site, newest)
                bring(backend, Sites(lacking, lacking, there.names), site, made)
        elif site in folders:
            done.append((site, deploy(backend, site, folders[site])))
    return done


def _fetched(backend: Backend, holder: str, site: str, release: str) -> Packed:
    """A release as a node has it in a store of its own."""
    archive = backend.get(holder, f"{INBOX}/store/{site}/releases/{release}.tar.gz") or b""
    return Packed(archive, 0, 2 * len(archive), release)


def _kept(backend: Backend, holder: str, site: str) -> list[Release]:
    """The releases in the store of a node, oldest first."""
    told = json.loads(_ask(backend, holder, "tell", site).stdout)
    return [Release(**row) for row in told["releases"]]


def _current(backend: Backend, holder: str, site: str) -> str:
    return next((one.release for one in _kept(backend, holder, site) if one.current), "")


def _serve(backend: Backend, there: Sites, site: str, release: str) -> str:
    said = [_ask(backend, holder, "switch", site, release, refusal=True).stdout.strip() for holder in there.holders]
    parallel.for_each(there.nodes, lambda node: _ask(backend, node, "converge"))
    return said[0]


def _ask(backend: Backend, node: str, *said: str, refusal: bool = False) -> Result:
    """A verb of the program on a node; `refusal`: that it fails means that it was asked for what can't be."""
    done = backend.run(node, [PROGRAM, *said], seconds=LONGEST_SECONDS)
    if done.ok:
        return done
    error: Any = SpecError if refusal else BackendError
    raise error(done.said, where=node, next_step=f"'lab logs {node}' shows more" if not refusal else "")
