"""Files whose copies differ while none is known to be right: what self-heal leaves to a person.

A name that is another file on each brick is told by the log of the self-heal daemon alone, at each attempt; data or
attributes that differ by `gluster volume heal VOLUME info split-brain` (GlusterFS, issue 502).
"""

from __future__ import annotations

import os
import re
import time
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from . import bricks

if TYPE_CHECKING:
    from collections.abc import Collection

LOG = Path("/var/log/glusterfs/glustershd.log")
MOST = 8 << 20  # bytes of the log that are read at once, and kept; an attempt leaves 250 for each name
RECENT_SECONDS = 60.0  # of two attempts, which come every cluster.heal-timeout, 5 s, and wait for locks
MISMATCH = re.compile(
    r"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[^]]*\] E .*\b0-([\w-]+)-replicate-0: "
    r"(?:Gfid|Type) mismatch detected for <gfid:([0-9a-f-]{36})>/(.+)>, ",
    re.MULTILINE,
)


class Log:
    """The log, read on from where it was read last."""

    def __init__(self, path: Path = LOG) -> None:
        self.path, self.at = path, 0
        self.failures: dict[
            str, dict[tuple[str, str], float]
        ] = {}  # volume: {(the directory's gfid, name): when, in Unix seconds}

    def read(self) -> None:
        """Takes in what was added, and empties a log that has grown: GlusterFS appends to it."""
        try:
            size = self.path.stat().st_size
            self.at = max(0, size - MOST) if size < self.at or size - self.at > MOST else self.at
            with self.path.open("rb") as log:
                log.seek(self.at)
                added = log.read()
        except OSError:
            return
        whole = added[: added.rfind(b"\n") + 1]
        self.at += len(whole)
        if self.at > MOST:
            os.truncate(self.path, 0)
            self.at = 0
        for stamp, volume, parent, name in MISMATCH.findall(whole.decode(errors="replace")):
            when = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
            self.failures.setdefault(volume, {})[parent, name] = when

    def names(self, volume: str, brick: Path, waiting: Collection[str]) -> list[str]:
        """The paths in a volume that the last attempts failed at, in directories that still wait to be healed."""
        since = time.time() - RECENT_SECONDS
        recent = {
            key: when for key, when in self.failures.get(volume, {}).items() if when > since and key[0] in waiting
        }
        self.failures[volume] = recent
        return sorted(f"{bricks.path_of(brick, parent)}/{name}" for parent, name in recent)


def listed(named: Collection[str], split: Collection[str]) -> list[str]:
    """All that a person is to mend, in order.

    `heal info` lists a directory too where a name in it differs; to mend the directory would leave the name as it is,
    and with the name mended it heals.

    Args:
        named: the paths that self-heal names in its log.
        split: those of `heal info`.
    """
    above = {str(folder) for path in named for folder in PurePosixPath(path).parents}
    return sorted({*named, *(path for path in split if path not in above)})
