"""Removes the mailbox locks of dead nodes.

Dovecot's lock on a mailbox's list of messages is a file with its owner's name. Only the owner's node can detect that
the owner is dead; every other node waits two minutes before it removes such a lock (Dovecot's
MAILDIR_UIDLIST_LOCK_STALE_TIMEOUT), and all mail of that mailbox waits too. A holder that only hung finds its
lock gone when it resumes, and begins again. A lock without a name is one whose owner died between creating it and
writing the name.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAILBOXES = Path("/srv/mail/accounts")
PEERS = Path("/etc/lab/peers")
STATUS_PORT = 8404
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 1.0
FALL = 2  # unanswered questions in a row until a node is taken for dead
AGAIN_SECONDS = 10.0
SIGNED_SECONDS = 2.0  # a lock without a name for as long has no owner: an owner writes its name at once


def locks() -> Iterator[tuple[Path, str, float]]:
    """All locks, with the node that has each, and since when."""
    for pattern in ("*/*/Maildir/*.lock", "*/*/Maildir/.*/*.lock"):
        for path in MAILBOXES.glob(pattern):
            try:
                yield path, path.read_text().strip().rpartition(":")[2], path.stat().st_mtime
            except OSError:
                continue  # it was let go meanwhile


def remove(node: str, before: float = float("inf")) -> None:
    """Removes a node's locks that are older than a moment, and locks without a name."""
    for path, owner, since in locks():
        if since < before if owner == node else not owner and since < time.time() - SIGNED_SECONDS:
            path.unlink(missing_ok=True)
            print(
                f"{path.relative_to(MAILBOXES)}: the lock of {owner or 'nobody'}, which is dead, is removed", flush=True
            )


def there() -> bool:
    """Whether the mailboxes can be looked into: a mount that does not reach storage yet shows nothing."""
    try:
        return any(MAILBOXES.parent.iterdir())
    except OSError:
        return False


def answers(address: str) -> bool:
    """Whether a node lives."""
    try:
        socket.create_connection((address, STATUS_PORT), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Looks for ever."""
    own_name = os.uname().nodename
    missed: dict[str, int] = {}
    removed: dict[str, float] = {}
    booted = Path("/proc/1").stat().st_ctime
    while not there():
        time.sleep(LOOK_SECONDS)
    for _ in range(2):  # one without a name may be too young the first time
        remove(own_name, booted)  # its processes' numbers may be other processes' by now
        time.sleep(SIGNED_SECONDS)
    while True:
        for line in PEERS.read_text().splitlines():
            node, address = line.split()
            missed[node] = 0 if node == own_name or answers(address) else missed.get(node, 0) + 1
            if missed[node] >= FALL and (missed[node] == FALL or time.monotonic() - removed[node] > AGAIN_SECONDS):
                try:
                    remove(node)
                except OSError as error:
                    print(f"locks of {node} may be left: {error}", flush=True)
                removed[node] = time.monotonic()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
