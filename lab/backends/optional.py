"""What only some backends do: protocols that a backend has or lacks, each asked for by a function that says so.

A backend has one of them by having its methods; nothing is registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lab.errors import Unable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lab.backends.base import Backend, Existing, Result
    from lab.building.trial import Trial
    from lab.recipes import Recipe


@runtime_checkable
class Images(Protocol):
    """Its nodes are made of images. Without it nothing is built."""

    def has_base_image(self, family: str, seconds: float) -> bool:
        """Whether the base image of a family is here, or becomes available within `seconds`."""

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        """Makes the images that are missing; `report(role, step)` hears how far each is.

        An image gets its name once it has passed `trial(role)`, which is asked for those that were built.
        """


@dataclass(frozen=True)
class ImageFacts:
    """An image of the user's own.

    Attributes:
        id: a name that no other image ever gets.
        ports: the TCP ports that it declares; empty where it declares none.
        argv: its entrypoint and its command.
        user: whom it runs as, as it says; empty for root.
        labels: the names of its labels.
    """

    id: str
    ports: tuple[int, ...] = ()
    argv: tuple[str, ...] = ()
    user: str = ""
    labels: tuple[str, ...] = ()


@runtime_checkable
class RunsImages(Protocol):
    """It runs images of the user's own. Without it there are no applications."""

    def image(self, reference: str) -> ImageFacts | None:
        """An image that the engine has; None where it has not."""

    def source(self, folder: Path) -> str:
        """The digest of a folder with a Dockerfile.

        Raises:
            SpecError: it has none, or cannot be read.
        """


@runtime_checkable
class Notes(Protocol):
    """It keeps short texts with a cluster. Without it there are no faults, and less is known of data without nodes."""

    def note(self, key: str, text: str | None) -> None:
        """Keeps a short text with the cluster in the engine, or forgets it; it is gone when the cluster is."""

    def notes(self) -> Mapping[str, str]:
        """The texts that are kept, by key."""


@runtime_checkable
class NetworkTools(Protocol):
    """It reaches a node's network with rights that the node may lack."""

    def run_in_network(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        """Runs a command in a node's network, with the right to change it; bounded as `Backend.run` is."""


@runtime_checkable
class Logs(Protocol):
    """It keeps what the nodes' services print."""

    def logs(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """What a node's services printed, line by line; all of it, or the last `tail` lines.

        With `follow` further ones as they come, until the node ends, or `close` where it is a `Followed`.
        """


@runtime_checkable
class Clusters(Protocol):
    """It lists all clusters of its engine."""

    def clusters(self) -> Mapping[str, Existing]:
        """All clusters of the engine by name; their data and volumes are not listed."""


@runtime_checkable
class Consoles(Protocol):
    """Its nodes are machines with a console."""

    def console(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """All that a node's machine printed, its kernel included."""


@runtime_checkable
class Shells(Protocol):
    """A command of this machine leads into its nodes."""

    def shell(self, node: str, argv: Sequence[str], *, terminal: bool) -> list[str]:
        """The command on this machine that runs `argv` in a node, on this terminal or on its own input and output."""


@runtime_checkable
class Endpoints(Protocol):
    """Ports of this machine lead to its nodes."""

    def endpoint(self, port: int) -> str:
        """`host:port` on this machine that reaches a published port of a node; the way there is made if need be."""


def images(backend: Backend) -> Images:
    """The images of a backend."""
    if isinstance(backend, Images):
        return backend
    raise _lacking(backend, "builds no images")


def notes(backend: Backend) -> Notes:
    """The notes of a backend."""
    if isinstance(backend, Notes):
        return backend
    raise _lacking(backend, "keeps no notes with a cluster, without which nothing would know how to revert a fault")


def noted(backend: Backend) -> Mapping[str, str]:
    """The texts that are kept with a cluster, by key; none where its backend keeps none."""
    return backend.notes() if isinstance(backend, Notes) else {}


def network_tools(backend: Backend) -> NetworkTools:
    """The way into the nodes' networks."""
    if isinstance(backend, NetworkTools):
        return backend
    raise _lacking(backend, "can't change the network of a node")


def logs(backend: Backend) -> Logs:
    """The logs of a backend's nodes."""
    if isinstance(backend, Logs):
        return backend
    raise _lacking(backend, "keeps no logs of its nodes", "look inside: 'lab enter NODE'")


def consoles(backend: Backend) -> Consoles:
    """The consoles of a backend's nodes."""
    if isinstance(backend, Consoles):
        return backend
    raise _lacking(backend, "has no consoles", "'lab logs NODE' shows what its services print")


def shells(backend: Backend) -> Shells:
    """The shells of a backend's nodes."""
    if isinstance(backend, Shells):
        return backend
    raise _lacking(backend, "opens no shell in a node")


def endpoints(backend: Backend) -> Endpoints:
    """The published ports of a backend."""
    if isinstance(backend, Endpoints):
        return backend
    raise _lacking(backend, "publishes no ports")


def clusters(backend: Backend) -> Clusters:
    """What lists the clusters of a backend's engine."""
    if not isinstance(backend, Clusters):
        raise _lacking(backend, "lists no clusters", "name each cluster")
    return backend


def _lacking(backend: Backend, what: str, next_step: str = "") -> Unable:
    return Unable(f"the backend '{backend.name}' {what}", where=f"backend {backend.name}", next_step=next_step)
