"""A role's manifest: what its image needs and offers, merged from the base, its parts and its own `role.yaml`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lab import assets, yamls
from lab.errors import SpecError
from lab.recipes.family import Directory

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


NOT_OF_SERVICES = {"SETPCAP"}
"""Capabilities of the base that no service has unless `keeps` names it: the right to bound the others."""


class Service(BaseModel):
    """A daemon under the supervisor.

    `command` is a template over the family's table. `order`: lower starts first and stops last. `stop_seconds`: how
    long a stop may take before the daemon is killed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    command: str
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    order: int = 50


class Limits(BaseModel):
    """What a node of the role may take of the machine that it runs on.

    Each is a number or a formula over the role's options, as of a promise: `memory` in MiB, `processes` (threads count
    too), `processors`, which may be a fraction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    memory: int | str
    processes: int | str
    processors: float | str


class Takes(BaseModel):
    """What is taken where nothing happens yet, in MiB: measured, see docs/decisions/048-sizes.md.

    Attributes:
        memory: of a ready node without load, as `docker stats` shows it.
        disk: of a ready node's volumes, and what it wrote beside its image.
        image: of the image, above the base's; of the base, all of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    memory: int
    disk: int
    image: int


class Promise(BaseModel):
    """What is promised of a role when something happens.

    Attributes:
        check: how it is judged, by the name of a check in `lab/evidence/checks.py`.
        of: the options that the formula's names are of, such as `http-lb.check`; several places with spaces between.
        where: parts of the formula by name, in order: each an expression over the options and the parts before it.
        formula: the bound in seconds, a Jinja expression over the options and `where`; it may call `max` and `ceil`.
        service: whose acknowledged operations it speaks of.
        when: the kinds of faults that it speaks of; all that make a node dark unless said.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    event: str
    says: str
    check: str
    of: str = ""
    where: dict[str, str] = {}
    formula: str = ""
    service: str = ""
    when: list[str] = []


class Fragment(BaseModel):
    """What `role.yaml` and `part.yaml` hold; see CONTRIBUTING.md for the meaning of each key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    summary: str
    parts: list[str] = []
    beside: str = ""
    software: list[str] = []
    packages: dict[str, list[str]] = {}
    slots: tuple[int, int] | None = None
    holds_vip: bool = False
    entrypoint: str = ""
    services: dict[str, Service] = {}
    ports: dict[str, int] = {}
    volumes: dict[str, str] = {}
    directories: list[Directory] = []
    capabilities: dict[str, str] = {}
    keeps: dict[str, list[str]] = {}
    devices: dict[str, str] = {}
    sysctls: dict[str, str] = {}
    limits: Limits | None = None
    takes: Takes | None = None
    promises: dict[str, Promise] = {}
    checks: dict[str, str] = {}
    checked_beside: list[str] = []


class Manifest(BaseModel):
    """A whole role.

    Attributes:
        own: what its `role.yaml` says.
        layers: base, parts and role, in the order in which their files are laid over each other.
        folders: the folder of each layer.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    role: str
    own: Fragment
    layers: tuple[Fragment, ...]
    folders: tuple[str, ...]

    def merged(self, field: str, beside: Container[str] | None = None) -> dict[str, str]:
        """A mapping field of all layers, later ones winning; those not wanted `beside` these roles are left out."""
        layers = [layer for layer in self.layers if beside is None or not layer.beside or layer.beside in beside]
        return {key: value for layer in layers for key, value in getattr(layer, field).items()}

    @property
    def services(self) -> dict[str, Service]:
        """All daemons of the role by name."""
        return {key: value for layer in self.layers for key, value in layer.services.items()}

    @property
    def checks(self) -> dict[str, str]:
        """What the built image has to pass: templates of shell commands over the family's table, by what they check."""
        return self.merged("checks")

    @property
    def limits(self) -> Limits:
        """Those of the last layer that has some: the role's own, or those that the base gives to every role."""
        return next(layer.limits for layer in reversed(self.layers) if layer.limits)

    @property
    def takes(self) -> Takes:
        """As for `limits`: of a role that was never measured, what the base says."""
        return next(layer.takes for layer in reversed(self.layers) if layer.takes)

    def capabilities_of(self, service: str) -> list[str]:
        """What a service may have of the node's capabilities: those of the base, and what `keeps` names for it."""
        own = [name for layer in self.layers for name in layer.keeps.get(service, ())]
        return sorted({*(manifest("base").own.capabilities.keys() - NOT_OF_SERVICES), *own})

    @property
    def software(self) -> list[str]:
        """The names of all software in the role, as the families' tables know it."""
        return list(dict.fromkeys(name for layer in self.layers for name in layer.software))


def roles() -> list[str]:
    """The names of all roles that have an image, `base` left out."""
    return sorted(path.parent.name for path in assets.images().glob("*/role.yaml") if path.parent.name != "base")


def _fragment(path: Path) -> Fragment:
    return Fragment.model_validate(yamls.read(path.read_text(encoding="utf-8")))


@cache
def manifest(role: str) -> Manifest:
    """The merged manifest of a role.

    Raises:
        SpecError: no image of that name.
    """
    root = assets.images()
    if not (root / role / "role.yaml").is_file():
        raise SpecError(
            f"there is no image for a role {role!r}", next_step=f"roles with an image: {', '.join(roles())}"
        )
    own = _fragment(root / role / "role.yaml")
    layers, folders = [], []
    if role != "base":
        layers.append(_fragment(root / "base" / "role.yaml"))
        folders.append(str(root / "base"))
    for part in own.parts:
        layers.append(_fragment(root / "parts" / part / "part.yaml"))
        folders.append(str(root / "parts" / part))
    return Manifest(role=role, own=own, layers=(*layers, own), folders=(*folders, str(root / role)))
