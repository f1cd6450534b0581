"""The lab's own images on an engine, and the disks made of them for Xen: which are of use, and which are left over."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import paths
from lab.backends.docker import engine, trying
from lab.errors import BackendError
from lab.names import NAMESPACE
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
        rows = [row for row in api.images() if _own(row)]
        used = {row["ImageID"] for row in api.containers(all=True)}
    found = [_image(row, used) for row in rows]
    stems = {row["Id"].removeprefix("sha256:")[:DIGITS] for row, one in zip(rows, found, strict=True) if one.why}
    stems |= {name.rpartition("-")[2] for name in _tools()}
    return sorted(found, key=lambda one: one.name) + [
        _disk(path, stems) for path in sorted(paths.disks().iterdir()) if path.is_file()
    ]


def prune(api: docker.APIClient) -> list[Kept]:
    """Removes what is left over; the engine keeps what anything still stands on. What was removed."""
    remove_trials(api)
    gone = [one for one in stock(api) if not one.why]
    for one in gone:
        if not one.tags:
            (paths.disks() / one.name).unlink(missing_ok=True)
        for tag in one.tags:
            with contextlib.suppress(BackendError), engine.asking(f"removing {tag}"):  # a container began to use it
                api.remove_image(tag)
    return gone


def remove_trials(api: docker.APIClient) -> None:
    """Removes containers of trials whose `lab` was killed; none that goes on is as old."""
    oldest = time.time() - 2 * trying.TRIAL_SECONDS
    with engine.asking("removing trials that were broken off"):
        for row in api.containers(all=True, filters={"label": trying.LABELLED}):
            if row["Created"] < oldest:
                api.remove_container(row["Id"], force=True, v=True)


def layers(api: docker.APIClient) -> int:
    """Bytes of all layers on the engine, each counted once."""
    with engine.asking("measuring the images"):
        return int(api.df()["LayersSize"])


def _own(row: dict[str, Any]) -> list[str]:
    return sorted(tag for tag in row["RepoTags"] or [] if tag.startswith(f"{NAMESPACE}/"))


def _image(row: dict[str, Any], used: set[str]) -> Kept:
    tags = _own(row)
    why = "in use by a node" if row["Id"] in used else ""
    if _current() & set(tags):
        why = "this version" + (f", {why}" if why else "")
    if any("/origin:" in tag for tag in tags):
        why = "what all images of a family stand on"
    return Kept(max(tags, key=len), tuple(tags), int(row["Size"]), why)


def _disk(path: Path, stems: set[str]) -> Kept:
    of_use = any(f"-{stem}-" in path.name for stem in stems)
    return Kept(path.name, (), path.stat().st_size, "for Xen domains" if of_use else "")


def _current() -> set[str]:
    made = {recipe(role, family).tag for family in families() for role in ["base", *roles()]}
    return made | _tools()


def _tools() -> set[str]:
    """What is built to make domains."""
    from lab.backends.xen import toolbox

    return {toolbox.recipe(kind).tag for kind in toolbox.PARTS}
