"""The options that verbs share. Each is an environment variable too."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from lab.cli.naming import FLAGS, Naming, begin, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lab.backends.base import Backend, Existing, Observed
    from lab.topology import Cluster, Placement

DEFAULT_NAME = "www"

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        envvar="LAB_FILE",
        help="A file, or a shipped topology (full, stage1, …). Default: cluster.yaml, the one applied last, full.",
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", "-n", envvar="LAB_NAME", help="The cluster's name, over the topology's own.")
]
BackendName = Annotated[
    str | None,
    typer.Option("--backend", envvar="LAB_BACKEND", help="Where the nodes run: docker, xen, or one that is installed."),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        envvar="LAB_HOST",
        help="The Xen host, such as ssh://root@dom0. Default: the one that 'lab xen host up' boots here.",
    ),
]
FamilyName = Annotated[
    str | None,
    typer.Option("--family", envvar="LAB_FAMILY", help="The nodes' operating system: centos, debian or auto."),
]
Scale = Annotated[list[str] | None, typer.Option("--scale", help="A role's count, such as web=5. May be repeated.")]
Port = Annotated[
    list[str] | None,
    typer.Option(
        "--port",
        help="A published port, such as site=9443 or ssh=off; 'lab schema' lists the names. May be repeated.",
    ),
]


def _nodes(incomplete: str) -> list[str]:
    """Shell completion: the nodes of the default cluster."""
    try:
        names = [node.name for node in Choice().open().observe().nodes]
        return [name for name in names if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001  a completion must never print an error into the command line
        return []


Node = Annotated[str, typer.Argument(help="The node, such as web1.", autocompletion=_nodes)]
Nodes = Annotated[list[str], typer.Argument(help="The nodes, such as web1 web2.", autocompletion=_nodes)]


def cluster_name(file: str | None, name: str | None) -> str:
    """The name of the selected cluster. Needs no valid topology: verbs must also work after it was removed or broken.

    Raises:
        SpecError: it can't be a cluster's name.
    """
    from pathlib import Path

    from lab import identifiers

    if name is not None:
        return identifiers.cluster(name, "--name")
    where = Path(file or "cluster.yaml")
    if where.is_file():
        from lab.topology.loading import name_in

        return identifiers.cluster(name_in(where) or DEFAULT_NAME, str(where))
    return DEFAULT_NAME


def place(file: str | None, kind: str | None, host: str | None, name: str | None = None) -> Placement:
    """Where the cluster is: as the command line says, else the topology; that may be broken or gone.

    Raises:
        SpecError: what is said of it is not valid.
    """
    from pathlib import Path

    from lab.errors import HostError, SpecError
    from lab.topology import DEFAULT_FILE, placement

    try:
        path = topology(file, name)
    except (HostError, SpecError):
        path = Path(file) if file else DEFAULT_FILE
    return placement(path, kind, host)


@dataclass(frozen=True)
class Choice:
    """What the common options say: which cluster, where it runs, and changes to its topology.

    An option that a verb does not have is None here, as one that was not given.
    """

    file: str | None = None
    name: str | None = None
    family: str | None = None
    scale: list[str] | None = None
    port: list[str] | None = None
    backend: str | None = None
    host: str | None = None

    @property
    def cluster_name(self) -> str:
        """The cluster that is meant; see `cluster_name`."""
        return cluster_name(self.file, self.name)

    @property
    def last(self) -> str:
        """What the cluster was made from; see `last`."""
        return last(self.file, self.name)

    @property
    def where(self) -> str:
        """The options that say which cluster, as a person would write them."""
        import shlex

        return " ".join(f"{FLAGS[name]} {shlex.quote(value)}" for name, value in self.place_options.items())

    @property
    def place_options(self) -> dict[str, str]:
        """The same, by name."""
        values = {"file": self.file, "name": self.name, "backend": self.backend, "host": self.host}
        return {name: value for name, value in values.items() if value}

    def cluster(self) -> Cluster:
        """The topology with the changes to it; see `cluster`."""
        return cluster(self.file, self.name, self.family, self.scale, self.port)

    def topology(self) -> Path:
        """The topology's file; see `topology`."""
        return topology(self.file, self.name)

    def place(self) -> Placement:
        """Where the cluster is; see `place`."""
        return place(self.file, self.backend, self.host, self.name)

    def naming(self, context: typer.Context, values: Mapping[str, str] | None = None) -> Naming:
        """What adds the options that say which cluster to commands; `values`: some of them, else all."""
        chosen = self.place_options if values is None else values
        cluster = self.cluster_name if "file" in chosen else ""
        return Naming(context.find_root().command, chosen, cluster)

    def with_default(self, topology: str) -> Choice:
        """The same, with this topology where none is named and no `cluster.yaml` is here."""
        from lab.topology import DEFAULT_FILE

        return replace(self, file=self.file or (None if DEFAULT_FILE.exists() else topology))

    def open(self, cluster: str | None = None) -> Backend:
        """The backend, bound to the cluster of a name, or to the one that is meant."""
        from lab.backends import backend as make

        return make(self.place(), cluster or self.cluster_name)


COMMON = {
    "file": File,
    "name": Name,
    "family": FamilyName,
    "scale": Scale,
    "port": Port,
    "backend": BackendName,
    "host": Host,
}
"""All options that are common to verbs."""

CONTEXT = "_context"
"""The parameter by which a verb is told of its call."""

WHERE = ("file", "name", "backend", "host")
"""Those that say which cluster, and where."""


def common(*names: str, **others: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A verb with common options: its first parameter is a `Choice` of them.

    Args:
        names: the options, by their names in `COMMON`.
        others: options of the verb's own form, by the name that they stand for.
    """
    which = {name: COMMON[name] for name in names} | others
    return lambda verb: _with_options(verb, which, lambda choice: choice)


def on_cluster(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb on a cluster that exists: its first parameter is the backend, and the options that say which are added."""
    return _with_options(verb, {name: COMMON[name] for name in WHERE}, Choice.open)


def _with_options(
    verb: Callable[..., None], which: Mapping[str, object], first: Callable[[Choice], object]
) -> Callable[..., None]:
    """A verb for Typer, with these options behind its own; they are given to it as its first parameter."""

    @functools.wraps(verb)
    def run(**values: Any) -> None:
        choice = Choice(**{option: values.pop(option) for option in which})
        context = values[own_context] if own_context else values.pop(CONTEXT)
        begin(choice.naming(context, typed(context, choice.place_options)))
        verb(first(choice), **values)

    target, *own = inspect.signature(verb).parameters.values()
    hints = get_type_hints(verb, localns={"Backend": object}, include_extras=True)
    hints.pop(target.name)
    hints |= which
    own_context = next((each.name for each in own if hints[each.name] is typer.Context), "")
    added = [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None) for option in which]
    if not own_context:
        added.append(inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY))
        hints[CONTEXT] = typer.Context
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    annotated = [each.replace(annotation=hints[each.name]) for each in [*own, *added]]
    run.__signature__ = inspect.Signature(annotated)  # type: ignore[attr-defined]
    run.__annotations__ = hints
    return run


def cluster(
    file: str | None, name: str | None, family: str | None, scale: list[str] | None, port: list[str] | None
) -> Cluster:
    """The topology with the command line's changes to it.

    Raises:
        SpecError: one of them is not valid.
    """
    from lab.errors import SpecError
    from lab.hints import nearest
    from lab.recipes import families
    from lab.topology import AUTO, load
    from lab.topology.changes import ported, scaled

    cluster_name(file, name)
    valid = [AUTO, *families()]
    if family is not None and family not in valid:
        raise SpecError(f"'{family}' is no family of systems; {nearest(family, valid)}", where="--family")
    return ported(scaled(load(topology(file, name), name=name, family=family), scale or []), port or [])


def topology(file: str | None, name: str | None) -> Path:
    """The topology's file: as said, else `cluster.yaml` here, else what the cluster was made from, else `full`.

    Raises:
        SpecError: no such file.
    """
    from lab.topology import find

    return find(file, last(file, name))


def last(file: str | None, name: str | None) -> str:
    """What the cluster that is meant was made from, where no topology is named; empty where that is not known."""
    from lab import paths
    from lab.errors import HostError
    from lab.lifecycle import kept

    cluster = cluster_name(file, name)
    try:
        paths.secrets(cluster)
    except HostError:  # a user without a home has no notes
        return ""
    return "" if file else kept.read(cluster, kept.Note.TOPOLOGY)


def placed(cluster: Cluster, where: Placement) -> tuple[Cluster, Existing | None]:
    """The topology as its backend's nodes run it, and the cluster as it exists; plain where no engine can be asked."""
    from lab.backends import backend as make
    from lab.errors import HostError
    from lab.lifecycle.resolve import timers

    try:
        target = make(where, cluster.name)
        return timers(cluster, target), target.observe()
    except HostError:
        return cluster, None


def all_nodes(backend: Backend) -> list[str]:
    """The names of the cluster's nodes.

    Raises:
        SpecError: there is no cluster.
    """
    from lab.lifecycle.members import existing

    return [node.name for node in existing(backend).nodes]


def known_node(backend: Backend, name: str) -> str:
    """The name, if the cluster has such a node.

    Raises:
        SpecError: it has not; names the nearest.
    """
    return _observed(backend, name).name


def running_node(backend: Backend, name: str) -> str:
    """The name, if that node runs.

    Raises:
        SpecError: there is no such node; names the nearest.
        BackendError: it does not run.
    """
    from lab.backends.base import State
    from lab.errors import BackendError

    state = _observed(backend, name).state
    if state is not State.RUNNING:
        raise BackendError(f"{name} is {state.value}", where=name, next_step=f"'lab start {name}' starts it")
    return name


def _observed(backend: Backend, name: str) -> Observed:
    from lab.errors import SpecError
    from lab.hints import nearest
    from lab.lifecycle.members import existing

    nodes = existing(backend).nodes
    match = next((node for node in nodes if node.name == name), None)
    if match:
        return match
    names = [node.name for node in nodes]
    raise SpecError(f"the cluster '{backend.cluster}' has no node '{name}'; {nearest(name, names)}")
