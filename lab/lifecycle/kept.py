"""What this machine keeps of a cluster beside its secrets: what it was made from, and how far it came."""

from __future__ import annotations

from enum import StrEnum

from lab import paths, private
from lab.errors import HostError


class Note(StrEnum):
    """A note, by the name of its file in the cluster's own folder."""

    FAMILY = "family"
    """The family by which the volumes were made."""
    VOLUMES = "volumes"
    """That the volumes were made; removed with them."""
    UNPROVEN = "unproven"
    """The family with which the cluster was begun, until it was ready for the first time."""
    TOPOLOGY = "topology"
    """The topology that was applied last: the name of a shipped one, or the path of a file."""


def keep(cluster: str, note: Note, text: str) -> None:
    """Writes a note, where it does not say so already."""
    if read(cluster, note) != text:
        private.write(paths.secrets(cluster, make=True) / note, text)


def read(cluster: str, note: Note) -> str:
    """What a note says; empty where there is none.

    Raises:
        HostError: it is damaged.
    """
    path = paths.secrets(cluster) / note
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(
            f"the note '{note}' of the cluster '{cluster}' can't be read: {error}",
            where=str(path),
            next_step="remove that file; without the note 'topology', -f names the topology",
        ) from error


def remove(cluster: str, *notes: Note) -> None:
    """Removes notes, those that exist."""
    for note in notes:
        (paths.secrets(cluster) / note).unlink(missing_ok=True)
