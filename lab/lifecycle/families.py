"""What is kept of families on this machine: which images did not work, and of which family a cluster's data is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from lab import paths
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.plan import Plan

OF_DATA = "family"
"""The file, in a cluster's own folder, that names the family by which its volumes were made."""


def failed(made: Plan) -> str:
    """Why an image of this plan did not work before; empty where all may be tried."""
    known = _read()
    return next((known[image] for image in _images(made) if image in known), "")


def remember(images: Iterable[str], why: str) -> None:
    """These images do not work here; they are not tried again until they change."""
    _write(_read() | dict.fromkeys(images, why.splitlines()[0]))


def forget(made: Plan) -> None:
    """The images of this plan work."""
    known, works = _read(), _images(made)
    if known.keys() & set(works):
        _write({image: why for image, why in known.items() if image not in works})


def has_data(cluster: str) -> bool:
    """Whether a cluster of this name was made before and its data may still be here."""
    folder = paths.secrets(cluster)
    return folder.is_dir() and any(folder.iterdir())


def of_data(cluster: str) -> str | None:
    """The family by which a cluster's volumes were made, as far as it is known."""
    path = paths.secrets(cluster) / OF_DATA
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def keep_of_data(made: Plan) -> None:
    """Notes by which family the volumes of a cluster are made."""
    if of_data(made.cluster) != made.family:
        _replace(paths.secrets(made.cluster, make=True) / OF_DATA, made.family)


def _images(made: Plan) -> list[str]:
    """What its nodes are made of, and what that stands on."""
    return [recipe("base", made.family).tag, *dict.fromkeys(node.image for node in made.nodes)]


def _path() -> Path:
    return paths.families() / "failed.json"


def _read() -> dict[str, str]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _write(known: dict[str, str]) -> None:
    _replace(_path(), json.dumps(known, indent=1, sort_keys=True))


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
