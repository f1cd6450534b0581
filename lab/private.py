"""Files and folders that only this user can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.errors import HostError, unusable

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes | str) -> None:
    """Writes a file whole or not at all, and never readable by others."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)


def read(path: Path) -> str:
    """The content of a file.

    Raises:
        HostError: the file is damaged, or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise damaged(path) from None
    except OSError as error:
        raise unusable(path, error, "make it readable for this user") from None


def damaged(path: Path) -> HostError:
    """The error for a damaged secret."""
    return HostError(
        f"the secret '{path.name}' is damaged",
        where=str(path),
        next_step="restore the file from a copy; 'lab down --volumes' removes the cluster with its data and secrets",
    )


def close(path: Path, below: Path) -> None:
    """Removes other users' access to a folder and to its parents below `below`."""
    while path != below:
        path.chmod(0o700)
        path = path.parent
