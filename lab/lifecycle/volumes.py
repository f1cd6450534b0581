"""Volumes that were removed by hand: an `up` that creates empty ones in their place names them.

The note is in this user's folder: a prune of the engine removes notes in the engine together with the volumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.base import volume
from lab.lifecycle import kept
from lab.lifecycle.kept import Note

if TYPE_CHECKING:
    from collections.abc import Container

    from lab.backends.base import Existing
    from lab.plan import Plan

UNNAMED = "made"
"""The note of a backend that lists no volumes, and of an earlier version."""


def missing(plan: Plan, existing: Existing) -> str:
    """The warning of planned volumes that were made, and exist no longer; empty if all of them exist."""
    noted = kept.read(plan.cluster, Note.VOLUMES).split()
    if not noted:
        return ""
    removed = "no longer exist and were not removed by 'lab down'; empty ones are created"
    if existing.empty:
        return f"the volumes of '{plan.cluster}' {removed}"
    if existing.volumes is None:
        return ""
    lost = sorted(_planned(plan) & set(noted) - existing.volumes)
    return f"volumes of '{plan.cluster}' {removed}: {', '.join(lost)}" if lost else ""


def keep(plan: Plan, existing: Existing) -> None:
    """Notes the volumes of a plan that was carried out; those of nodes that were removed stay."""
    names = _planned(plan)
    if not names:
        return
    if existing.volumes is None:
        names = {UNNAMED}
    noted = set(kept.read(plan.cluster, Note.VOLUMES).split()) - {UNNAMED}
    kept.keep(plan.cluster, Note.VOLUMES, " ".join(sorted(names | noted)))


def keep_only(cluster: str, there: Container[str]) -> None:
    """Removes from the note what `lab down --volumes --keep-backups` has removed."""
    noted = kept.read(cluster, Note.VOLUMES).split()
    if noted and UNNAMED not in noted:
        kept.keep(cluster, Note.VOLUMES, " ".join(name for name in noted if name in there))


def _planned(plan: Plan) -> set[str]:
    return {volume(node.name, key) for node in plan.nodes for key in node.volumes}
