"""Files and folders for nobody else's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.drafts import drafted
from lab.errors import HostError, unusable

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes | str) -> None:
    """Writes a file whole or not at all, and never readable by others."""
    with drafted(path, 0o600) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def read(path: Path) -> str:
    """What a file says.

    Raises:
        HostError: it is damaged, or can't be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise damaged(path) from None
    except OSError as error:
        raise unusable(path, error, "make it readable for you") from None


def damaged(path: Path) -> HostError:
    """A secret that is not what it was written as."""
    return HostError(
        f"the secret '{path.name}' is damaged",
        where=str(path),
        next_step="restore the file from a copy; 'lab down --volumes' removes the cluster with its data and secrets",
    )


def close(path: Path, below: Path) -> None:
    """Has nobody else enter a folder, nor those between it and `below`, which stays as it is."""
    while path != below:
        path.chmod(0o700)
        path = path.parent
