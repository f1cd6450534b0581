"""The lab's own images on an engine, and the disks made of them for Xen: which are of use, and which are left over."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab import engine, paths
from lab.backends.xen.nested import machine
from lab.recipes import families, recipe, roles

if TYPE_CHECKING:
    from pathlib import Path

    import docker

DIGITS = 16  # of an image's digest, in the name of its disk


@dataclass(frozen=True)
class Kept:
    """One image, or one disk.

    Attributes:
        name: its longest name, or the disk's file name.
        tags: all its names; of a disk, none.
        size: bytes, those that it shares with others included.
        why: what it is of use for; empty where it is left over from another version.
    """

    name: str
    tags: tuple[str, ...]
    size: int
    why: str


def stock(api: docker.APIClient) -> list[Kept]:
    """All images of the lab, and all disks, by name."""
    with engine.asking("listing the images"):
        rows = [row for row in api.images() if engine.own_names(row)]
        used = {row["ImageID"] for row in api.containers(all=True)}
    found = [_image(row, used) for row in rows]
    stems = {row["Id"].removeprefix("sha256:")[:DIGITS] for row, one in zip(rows, found, strict=True) if one.why}
    stems |= {name.rpartition("-")[2] for name in _tools()}
    booted = machine.running() is not None  # the nested host's domains run on these disks
    return sorted(found, key=lambda one: one.name) + [
        _disk(path, stems, booted=booted) for path in sorted(paths.disks().iterdir()) if path.is_file()
    ]


def prune(api: docker.APIClient) -> list[Kept]:
    """Removes what is left over; the engine keeps what anything still stands on. What was removed."""
    gone = []
    for one in stock(api):
        if one.why:
            continue
        if not one.tags:
            (paths.disks() / one.name).unlink(missing_ok=True)
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
        return int(api.df()["LayersSize"])


def _image(row: dict[str, Any], used: set[str]) -> Kept:
    tags = engine.own_names(row)
    why = "in use by a node" if row["Id"] in used else ""
    if _current() & set(tags):
        why = "this version" + (f", {why}" if why else "")
    if any("/origin:" in tag for tag in tags):
        why = "what all images of a family stand on"
    return Kept(max(tags, key=len), tuple(tags), int(row["Size"]), why)


def _disk(path: Path, stems: set[str], *, booted: bool) -> Kept:
    of_use = booted or any(f"-{stem}-" in path.name for stem in stems)
    return Kept(path.name, (), path.stat().st_size, "for Xen domains" if of_use else "")


def _current() -> set[str]:
    made = {recipe(role, family).tag for family in families() for role in ["base", *roles()]}
    return made | _tools()


def _tools() -> set[str]:
    """What is built to make domains."""
    from lab.backends.xen import toolbox

    return {toolbox.recipe(kind).tag for kind in toolbox.PARTS}
