"""Local notes about a cluster, beside its secrets: its topology, and the progress of its creation."""

from __future__ import annotations

from enum import StrEnum

from lab import paths, private
from lab.errors import HostError


class Note(StrEnum):
    """A note, by its file name in the cluster's folder."""

    FAMILY = "family"
    """The family by which the volumes were made."""
    VOLUMES = "volumes"
    """The names of the volumes that were made; `made` where they are not known. Removed with them."""
    UNPROVEN = "unproven"
    """The family with which the cluster was begun, until it was ready for the first time."""
    TOPOLOGY = "topology"
    """The topology that was applied last: the name of a shipped one, or the path of a file."""


def keep(cluster: str, note: Note, text: str) -> None:
    """Writes a note, if its text changes."""
    if read(cluster, note) != text:
        private.write(paths.secrets(cluster, make=True) / note, text)


def read(cluster: str, note: Note) -> str:
    """The text of a note; empty if there is none.

    Raises:
        HostError: the file is damaged.
    """
    path = paths.secrets(cluster) / note
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(
            f"cannot read the note '{note}' of the cluster '{cluster}': {error}",
            where=str(path),
            next_step="remove that file; without the note 'topology', -f names the topology",
        ) from error


def remove(cluster: str, *notes: Note) -> None:
    """Removes notes that exist."""
    for note in notes:
        (paths.secrets(cluster) / note).unlink(missing_ok=True)
