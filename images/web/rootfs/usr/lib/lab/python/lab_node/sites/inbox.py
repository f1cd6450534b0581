"""What this machine's user sends to the node: an archive in parts, in a folder that is removed once it is taken."""

from __future__ import annotations

import shutil
import time
from typing import IO, TYPE_CHECKING

from . import settings

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = ".inbox-"
LEFT_SECONDS = 1800.0  # longer than any deployment takes


def joined(source: Path, out: IO[bytes]) -> None:
    """Writes the parts, in their order, into one file; each is removed as soon as it is written."""
    for part in sorted(source.glob("part-*")):
        with part.open("rb") as content:
            shutil.copyfileobj(content, out, 1 << 20)
        part.unlink()


def clear() -> None:
    """Removes what deployments left that broke off; `.*.tar.gz` are those of earlier versions of the lab."""
    for left in (*settings.LOCAL.glob(f"{PREFIX}*"), *settings.LOCAL.glob(".*.tar.gz")):
        try:
            if time.time() - left.stat().st_ctime < LEFT_SECONDS:
                continue
        except FileNotFoundError:
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
