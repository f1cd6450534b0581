"""What is kept of families on this machine: which images did not work, and of which family a cluster's data is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab import paths, private
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.plan import Plan

OF_DATA = "family"
"""The file, in a cluster's own folder, that names the family by which its volumes are made."""

VOLUMES = "volumes"
"""The file beside it that exists once they were made."""


PROVEN = "ready"
"""The file beside it that exists once the cluster was ready."""


def failed(roles: Iterable[str], family: str) -> str:
    """Why an image of these roles did not work here before; empty where all may be tried."""
    known = _read()
    wanted = (recipe(role, family).tag for role in ("base", *roles))
    return next((known[image] for image in wanted if image in known), "")


def remember(images: Iterable[str], why: str) -> None:
    """Notes that these images do not work here: `auto` does not try them again until they change."""
    _write(_read() | dict.fromkeys(images, why.splitlines()[0]))


def forget(made: Plan) -> None:
    """Notes that the images of this plan work."""
    known, works = _read(), {recipe("base", made.family).tag, *(node.image for node in made.nodes)}
    if known.keys() & works:
        _write({image: why for image, why in known.items() if image not in works})


def of_data(cluster: str) -> str | None:
    """The family by which a cluster's volumes were made, as far as it is known."""
    path = paths.secrets(cluster) / OF_DATA
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def keep_of_data(made: Plan) -> None:
    """Notes by which family the volumes of a cluster are made."""
    if of_data(made.cluster) != made.family:
        private.write(paths.secrets(made.cluster, make=True) / OF_DATA, made.family)


def keep_volumes(made: Plan) -> None:
    """Notes that a cluster's volumes were made."""
    if any(node.volumes for node in made.nodes):
        private.write(paths.secrets(made.cluster, make=True) / VOLUMES, "made")


def had_volumes(cluster: str) -> bool:
    """Whether a cluster's volumes were made, and not removed by the lab."""
    return (paths.secrets(cluster) / VOLUMES).is_file()


def keep_proven(made: Plan) -> None:
    """Notes that a cluster was ready once with its family."""
    if not proven(made.cluster):
        private.write(paths.secrets(made.cluster, make=True) / PROVEN, "ready")


def proven(cluster: str) -> bool:
    """Whether a cluster was ready once since its volumes were made."""
    return (paths.secrets(cluster) / PROVEN).is_file()


def forget_volumes(cluster: str) -> None:
    """Notes that a cluster has no volumes any more."""
    for name in (VOLUMES, PROVEN):
        (paths.secrets(cluster) / name).unlink(missing_ok=True)


def _path() -> Path:
    return paths.families() / "failed.json"


def _read() -> dict[str, str]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _write(known: dict[str, str]) -> None:
    private.write(_path(), json.dumps(known, indent=1, sort_keys=True))
