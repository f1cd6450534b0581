"""What survives a loss of power: the content of files and the names in folders."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable; names in the folders inside are not included."""
    _sync(folder)


def sync_tree(folder: Path) -> None:
    """Makes all files and folders below a folder, and the folder itself, durable."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
