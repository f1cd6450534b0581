"""Memory and disk that a plan needs, compared with the available, before anything is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.base import Room, State
from lab.errors import HostError
from lab.recipes import manifest, recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.backends.base import Existing
    from lab.plan import NodePlan, Plan

GIB = 1024
BASE_SECONDS, ROLE_SECONDS = 30, 7  # on two processors, two at a time: measured for all ten (docs/figures.md)
BUILDING = 1.25  # disk while images are built, by that of the images: 1.15 measured (docs/decisions/048-sizes.md)
INSTEAD = {
    "memory": "take a smaller topology ('--file stage1'), or end something: 'lab down' removes a cluster",
    "disk": "free some: 'lab images prune' removes images of other versions, 'lab down --volumes' a cluster;\n"
    "    or take a smaller topology ('--file stage1')",
}
UNKNOWN: tuple[Room, ...] = (Room("memory", "the engine"), Room("disk", "the engine", images=frozenset()))
"""Where no engine can be asked."""


@dataclass(frozen=True)
class Size:
    """A plan's need of one resource, in MiB.

    Attributes:
        images: for missing images.
        nodes: for new nodes.
        counted: the new nodes, as text.
        missing: roles whose images are missing, including the base.
    """

    room: Room
    images: int
    nodes: int
    counted: str
    missing: Sequence[str] = ()

    @property
    def needed(self) -> int:
        """MiB that stay in use."""
        return self.images + self.nodes

    @property
    def impossible(self) -> bool:
        """Whether it exceeds the total."""
        return self.room.most is not None and self.needed > self.room.most

    @property
    def tight(self) -> bool:
        """Whether it exceeds the free part, now or while images are built."""
        return self.room.free is not None and self.images * BUILDING + self.nodes > self.room.free

    def __str__(self) -> str:
        need = f"{shown(self.needed)} wanted for {self.counted}" if self.needed else "no more needed"
        free = "not known how much is free" if self.room.free is None else f"{shown(self.room.free)} free"
        return f"{need}, {free}"

    @property
    def instead(self) -> str:
        """The next step if it does not fit."""
        return INSTEAD[self.room.what]


def sizes(plan: Plan, existing: Existing, rooms: Iterable[Room]) -> list[Size]:
    """A plan's need of each resource, in addition to the existing cluster."""
    return [_size(plan, existing, room) for room in rooms]


def admit(measured: Sequence[Size]) -> list[str]:
    """Warnings about resources that may not suffice.

    Raises:
        HostError: a resource cannot suffice.
    """
    for size in measured:
        if size.impossible:
            where = f"{size.room.what} of {size.room.where}"
            raise HostError(f"the cluster does not fit: {size.room.what}: {size}", where=where, next_step=size.instead)
    return [
        f"{size.room.what} of {size.room.where} may not be enough: {size}; {' '.join(size.instead.split())}"
        for size in measured
        if size.tight
    ]


def build_estimate(measured: Iterable[Size]) -> str:
    """Number of images to build, and the usual duration; empty if none is missing."""
    roles = next((size.missing for size in measured if size.missing), ())
    if not roles:
        return ""
    seconds = sum(BASE_SECONDS if role == "base" else ROLE_SECONDS for role in roles)
    minutes = max(0.5, round(seconds / 30) / 2)
    return f"images: {len(roles)} to build, usually {minutes:g} min on two processors (measured with Debian), once"


def shown(mib: int) -> str:
    """A size as text, such as `640 MiB` or `1.3 GiB`."""
    return f"{mib} MiB" if mib < GIB else f"{mib / GIB:.1f} GiB"


def _size(plan: Plan, existing: Existing, room: Room) -> Size:
    missing = _missing(plan, room.images) if room.images is not None else []
    images = sum(manifest(role).takes.image for role in missing) * room.copies
    new = _new(plan, existing, room)
    each = [getattr(manifest(node.role).takes, room.what) if room.node is None else room.node for node in new]
    if room.copies > 1 and room.node is None:  # a node is a copy of its image, with or without existing volumes
        there = {node.name for node in existing.nodes}
        each += [_image(node.role) for node in plan.nodes if node.name not in there]
    parts = {f"{len(missing)} images": images, f"{len(new)} nodes": sum(each)}
    named = [f"{count} ({shown(mib)})" if images and sum(each) else count for count, mib in parts.items() if mib]
    return Size(room, images, sum(each), " and ".join(named), missing)


def _image(role: str) -> int:
    """MiB of an image with its base."""
    return manifest("base").takes.image + manifest(role).takes.image


def _missing(plan: Plan, there: frozenset[str]) -> list[str]:
    """Roles whose images are missing, and the base if it is missing too and one of them needs it."""
    roles = [role for role in plan.images if plan.image(role) not in there]
    return [*(["base"] if roles and recipe("base", plan.family).tag not in there else []), *roles]


def _new(plan: Plan, existing: Existing, room: Room) -> list[NodePlan]:
    """The nodes that need free resources: stopped nodes and existing volumes already have their disk."""
    if room.what == "memory":
        having = {node.name for node in existing.nodes if node.state in (State.RUNNING, State.PAUSED)}
    elif existing.data and not existing.nodes and room.node is None:
        return []
    else:
        having = {node.name for node in existing.nodes}
    return [node for node in plan.nodes if node.name not in having]
