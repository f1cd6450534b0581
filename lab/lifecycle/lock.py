"""One command at a time per cluster: a file lock, which the kernel releases even if its holder is killed."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab import paths
from lab.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.progress import Report

WAIT_SECONDS = 600.0
POLL_SECONDS = 0.2


@contextmanager
def held(cluster: str, what: str, report: Report, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Holds the cluster's lock; waits for another holder, and reports it.

    Raises:
        Locked: the other holder did not finish within `seconds`.
    """
    path = paths.lock(cluster)
    with path.open("a+", encoding="utf-8") as file:
        _acquire(file.fileno(), path, report, seconds)
        file.truncate(0)
        file.write(f"'{what}' (process {os.getpid()})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _acquire(fd: int, path: Path, report: Report, seconds: float) -> None:
    cluster, deadline, reported = path.name, time.monotonic() + seconds, False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = path.read_text(encoding="utf-8") or "another command"
            if time.monotonic() >= deadline:
                raise Locked(
                    f"the cluster {cluster} is busy with {who}", next_step="wait for it, or end that process"
                ) from None
            if not reported:
                report.say(f"waiting: the cluster {cluster} is busy with {who}")
                reported = True
            time.sleep(POLL_SECONDS)
        else:
            return
