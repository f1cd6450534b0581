"""Files and folders for nobody else's eyes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes | str) -> None:
    """Writes a file whole or not at all, and never readable by others."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)


def close(path: Path, below: Path) -> None:
    """Has nobody else enter a folder, nor those between it and `below`, which stays as it is."""
    while path != below:
        path.chmod(0o700)
        path = path.parent
