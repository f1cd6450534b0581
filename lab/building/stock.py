"""The lab's own images on an engine, and what backends made of them: which are of use, and which are left over."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from docker.errors import APIError, NotFound

from lab import engine
from lab.backends import kinds
from lab.recipes import families, recipe, roles

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

T = TypeVar("T")
LISTINGS = 10
"""Attempts at a list while images or containers are removed."""


@dataclass(frozen=True)
class Kept:
    """One image, or one file that a backend made of an image.

    Attributes:
        name: its longest name, or that of the file.
        tags: all its names; of a file, none.
        size: bytes, those that it shares with others included.
        why: what it is of use for; empty where it is left over from another version.
        file: the file's path; empty for an image.
    """

    name: str
    tags: tuple[str, ...]
    size: int
    why: str
    file: str = ""


def stock(api: docker.APIClient) -> list[Kept]:
    """All images of the lab by name, then what backends made of them."""
    with engine.asking("listing the images"):
        rows = [row for row in _listed(api.images) if engine.own_names(row)]
        used = {row["ImageID"] for row in _listed(lambda: api.containers(all=True))}
    images = [_image(row, used) for row in rows]
    digests = frozenset(row["Id"].removeprefix("sha256:") for row, one in zip(rows, images, strict=True) if one.why)
    derived = [one for kind in kinds.usable().values() for one in kind.made_of_images(digests)]
    return sorted(images, key=lambda one: one.name) + derived


def prune(api: docker.APIClient) -> list[Kept]:
    """Removes what is left over; the engine keeps what anything still stands on. What was removed."""
    gone = []
    for one in stock(api):
        if one.why:
            continue
        if one.file:
            Path(one.file).unlink(missing_ok=True)
        left = [tag for tag in one.tags if not _untagged(api, tag)]
        if not left:
            gone.append(one)
    return gone


def _untagged(api: docker.APIClient, tag: str) -> bool:
    """Removes a name of an image, and the image with its last; false where a container began to use it meanwhile."""
    with engine.asking(f"removing {tag}"):
        try:
            api.remove_image(tag)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            return False
    return True


def layers(api: docker.APIClient) -> int:
    """Bytes of all layers on the engine, each counted once."""
    with engine.asking("measuring the images"):
        return int(_listed(api.df)["LayersSize"])


def _listed(ask: Callable[[], T]) -> T:
    """What the engine lists; asked again where something that it was about to describe is removed meanwhile."""
    for _ in range(LISTINGS - 1):
        with contextlib.suppress(NotFound):
            return ask()
    return ask()


def _image(row: dict[str, Any], used: set[str]) -> Kept:
    tags = engine.own_names(row)
    why = "in use by a node" if row["Id"] in used else ""
    if _current() & set(tags):
        why = "this version" + (f", {why}" if why else "")
    if any("/origin:" in tag for tag in tags):
        why = "what all images of a family stand on"
    return Kept(max(tags, key=len), tuple(tags), int(row["Size"]), why)


def _current() -> set[str]:
    """The full names of the images of this version: of the roles, and those that backends build for themselves."""
    tags = {recipe(role, family).tag for family in families() for role in ["base", *roles()]}
    return tags.union(*(kind.tool_images() for kind in kinds.usable().values()))
