"""The lesson that a cluster was made for, noted in the engine with its topology; `up` of another topology ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.base import LASTING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.optional import Notes

LESSON = f"{LASTING}lesson"
"""Key of the note: the lesson's name, a space, and what its topology was read from, as `Cluster.source` has it."""


def lesson(notes: Mapping[str, str]) -> str:
    """The name of the lesson; empty for none."""
    return notes.get(LESSON, "").partition(" ")[0]


def keep(backend: Notes, name: str, source: str) -> None:
    """Notes the lesson and the topology that the cluster is made from."""
    backend.note(LESSON, f"{name} {source}")


def forget_other(backend: Notes, source: str) -> None:
    """Forgets the lesson where another topology than the lesson's is applied: from then on the cluster is not its own.

    Args:
        backend: of the cluster.
        source: that of the topology which is applied.
    """
    name, _, noted = backend.notes().get(LESSON, "").partition(" ")
    if name and noted != source:
        backend.note(LESSON, None)
