"""The backends that there are: the lab's own, and those that another package registers by an entry point.

A package registers one so, NAME being what `cluster.yaml` and `--backend` call it:

    [project.entry-points."www_cluster_lab.backends"]
    NAME = "package.module:ItsKind"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lab.errors import SpecError
from lab.hints import nearest
from lab.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend
    from lab.building.stock import Kept
    from lab.host.findings import Finding

GROUP = "www_cluster_lab.backends"
OWN = {"docker": "lab.backends.docker.kind:DockerKind", "xen": "lab.backends.xen.kind:XenKind"}
"""The lab's own, as another package's entry points would name them: a tree that is not installed has them too."""

DEFAULT = "docker"


class Settings(Model):
    """What is to be said of a backend: a section of `cluster.yaml`, under the backend's name.

    Where it has a field `host`, `--host` gives that one.
    """

    @property
    def volume_size(self) -> int | None:
        """MiB that a volume can hold; None where that is not known before there is one."""
        return None


class BackendKind:
    """A backend before there is a cluster on it; a package's own is a subclass, made without arguments.

    Attributes:
        settings: the model of its section.
        description: what that section is, in one line.
    """

    settings: type[Settings] = Settings
    description: str = ""

    def open(self, cluster: str, settings: Settings) -> Backend:
        """The backend, bound to one cluster. It is imported here, not sooner: `lab --help` is to be quick.

        Raises:
            HostError: its engine can't be used from here.
        """
        raise NotImplementedError

    def ensure(self, say: Callable[[str], None]) -> None:
        """Installs and starts what it needs of this machine (`lab doctor --fix`).

        Raises:
            HostError: a person has to; says what.
        """

    def findings(self) -> list[Finding]:
        """What this machine has of it."""
        return []

    def tool_images(self) -> frozenset[str]:
        """The full names of images that it builds for itself, which are no role's."""
        return frozenset()

    def made_of_images(self, digests: frozenset[str]) -> list[Kept]:
        """Files of this machine that it made of images; what is of no image with these `digests` is left over."""
        del digests
        return []

    def vital(self, settings: Settings) -> bool:
        """Whether an engine that does not answer is something that is missing, and not just not started."""
        del settings
        return True


@cache
def _registered() -> dict[str, EntryPoint]:
    external = {point.name: point for point in entry_points(group=GROUP)}
    return {**external, **{name: EntryPoint(name, place, GROUP) for name, place in OWN.items()}}


def names() -> list[str]:
    """The names of all backends, the lab's own first."""
    return [*OWN, *sorted(_registered().keys() - OWN.keys())]


@cache
def kind(name: str) -> BackendKind:
    """The backend of a name.

    Raises:
        SpecError: there is none, or its package can't be used.
    """
    point = _registered().get(name)
    if point is None:
        hint = nearest(name, names(), "choose one of")
        raise SpecError(f"there is no backend '{name}'", where="backend", next_step=hint)
    try:
        loaded = point.load()()
    except Exception as error:  # another package may raise anything at import
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(loaded, BackendKind):
        raise _unusable(point, f"{point.value} is no BackendKind")
    settings: object = loaded.settings
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        raise _unusable(point, f"the 'settings' of {point.value} are no subclass of Settings")
    return loaded


def _unusable(point: EntryPoint, why: str) -> SpecError:
    package = f" of the package '{point.dist.name}'" if point.dist else ""
    return SpecError(
        f"the backend '{point.name}' can't be used: {why}",
        where=f"{point.value}{package}",
        next_step="repair or remove that package, or choose another backend",
    )


def defaults(name: str) -> Settings:
    """The settings of a backend of which nothing is said.

    Raises:
        SpecError: something has to be said.
    """
    try:
        return kind(name).settings()
    except ValidationError as error:
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors())
        raise SpecError(
            f"the backend '{name}' needs settings: {missing}",
            where=f"the section '{name}' of cluster.yaml",
            next_step="'lab schema' prints its settings",
        ) from None


def usable() -> dict[str, BackendKind]:
    """All usable backends, by name; a broken one is reported only when it is named."""
    by_name = {}
    for name in names():
        try:
            by_name[name] = kind(name)
        except SpecError:
            continue
    return by_name


def field(name: str) -> str:
    """The attribute of a backend's section."""
    return name.replace("-", "_")


def by_host() -> str:
    """The backend that is meant where a host is said and no backend."""
    return next((name for name, each in usable().items() if "host" in each.settings.model_fields), DEFAULT)
