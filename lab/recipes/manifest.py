"""A role's manifest: what its image needs and offers, merged from the base, its parts and its own `role.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lab import assets, reading
from lab.errors import SpecError
from lab.recipes.declared import ByHand, Daemon, Feature, Fragment, LimitFormulas, Published, Takes

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


ROLE = reading.Document(
    "role",
    "summary: a cache\nsoftware: [memcached]\nslots: [91, 93]\nservices: {memcached: {command: ...}}",
    "docs/roles.md says what is valid",
)
NOT_OF_SERVICES = {"SETPCAP"}
"""Capabilities of the base that no service has unless `keeps` names it: the right to bound the others."""


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
    def services(self) -> dict[str, Daemon]:
        """All daemons of the role by name."""
        return {key: value for layer in self.layers for key, value in layer.services.items()}

    @property
    def checks(self) -> dict[str, str]:
        """What the built image has to pass: templates of shell commands over the family's table, by what they check."""
        return self.merged("checks")

    @property
    def by_hand(self) -> ByHand:
        """What is left to the person on a node by hand: that of all layers."""
        parts = [layer.by_hand for layer in self.layers]
        files = [path for each in parts for path in each.files]
        return ByHand(
            files=files,
            services=[name for each in parts for name in each.services],
            runs={name: daemon for each in parts for name, daemon in each.runs.items()},
        )

    @property
    def limits(self) -> LimitFormulas:
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
    return list(assets.role_folders())


def published_ports() -> dict[str, Published]:
    """All ports that any role publishes, by name; those that are listed first come first."""
    ports = {name: entry for role in roles() for name, entry in manifest(role).own.publishes.items()}
    return dict(sorted(ports.items(), key=lambda item: item[1].rank))


def kernel_features() -> dict[str, tuple[str, Feature]]:
    """The modules of the kernel that any role needs: the role, and what for."""
    return {module: (role, feature) for role in roles() for module, feature in manifest(role).own.kernel.items()}


def _fragment(path: Path) -> Fragment:
    return reading.model(Fragment, reading.text(path, ROLE), ROLE, str(path))


def _app(name: str) -> Manifest:
    """That of an application: what all of them are, with promises of its own name."""
    from lab.recipes import apps

    declared = apps.declared()
    of = manifest(declared.like.role).own.promises
    own = declared.fragment.model_copy(update={"promises": apps.promises(name, of)})
    return Manifest(role=name, own=own, layers=(own,), folders=(str(apps.folder()),))


@assets.cached
def manifest(role: str) -> Manifest:
    """The merged manifest of a role.

    Raises:
        SpecError: there is no such role, or its files are not valid.
    """
    root, known = assets.images(), assets.role_folders()
    folder = root / "base" if role == "base" else known.get(role)
    if folder is None and role in assets.apps():
        return _app(role)
    if folder is None:
        raise SpecError(
            f"there is no image for a role {role!r}", next_step=f"roles with an image: {', '.join(roles())}"
        )
    own = _fragment(folder / "role.yaml")
    layers, folders = [], []
    if role != "base":
        layers.append(_fragment(root / "base" / "role.yaml"))
        folders.append(str(root / "base"))
    for part in own.parts:
        if not (root / "parts" / part / "part.yaml").is_file():
            there = ", ".join(sorted(path.name for path in (root / "parts").iterdir()))
            raise SpecError(
                f"the role '{role}' has a part '{part}', which was not found",
                where=str(folder / "role.yaml"),
                next_step=f"parts: {there}",
            )
        layers.append(_fragment(root / "parts" / part / "part.yaml"))
        folders.append(str(root / "parts" / part))
    return Manifest(role=role, own=own, layers=(*layers, own), folders=(*folders, str(folder)))
