"""lab_node.arrivals [MAILBOX]: moves a mailbox's new messages from each new/ to the cur/ beside it, where many wait.

Dovecot moves them when a mailbox is opened, one after the other: 20 ms each on the shared filesystem, two minutes for
5,000. This moves many at a time. Concurrent moves are safe: the first one succeeds, and no name is used twice.

Without a mailbox: all of them, repeatedly, before their owners log in.
"""

from __future__ import annotations

import contextlib
import fcntl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_ONCE = 32  # the shared filesystem answers each late, and many as soon as one
NO_FLAGS = ":2,"
STACK_BYTES = (
    256 * 1024
)  # of each thread: eight MiB, as usual, are more than Dovecot lets its processes have (vsz_limit)
MAILBOXES = Path("/srv/mail/accounts")
TURN = MAILBOXES / ".arrivals"  # locked by the node that looks: two would meet in each rename
FEW = 20  # in one mailbox: so many are quicker moved by Dovecot
LOOK_SECONDS = 20.0


def move(path: Path) -> None:
    """Moves one; nothing where another was quicker."""
    with contextlib.suppress(FileNotFoundError):
        path.rename(path.parent.with_name("cur") / f"{path.name}{NO_FLAGS}")


def folders(mailbox: Path) -> list[Path]:
    """The new/ of the inbox and of each folder."""
    return [mailbox / "new", *mailbox.glob(".*/new")]


def move_all(mailbox: Path) -> None:
    """Moves what waits in a mailbox, if it is much."""
    waiting = [path for folder in folders(mailbox) for path in folder.iterdir()]
    if len(waiting) > FEW:
        with ThreadPoolExecutor(AT_ONCE) as movers:
            for _ in movers.map(move, waiting):
                pass


def written(mailbox: Path) -> dict[Path, int]:
    """When messages last came or went, by folder."""
    return {folder: folder.stat().st_mtime_ns for folder in folders(mailbox)}


def look(times: dict[Path, dict[Path, int]]) -> None:
    """Moves what waits in all mailboxes that were written to since the last look, recorded in `times`."""
    for mailbox in MAILBOXES.glob("*/*/Maildir"):
        try:
            now = written(mailbox)
            if times.get(mailbox) != now:
                move_all(mailbox)
                times[mailbox] = now
        except OSError as error:  # it was removed, or storage is not reached
            print(f"{mailbox.relative_to(MAILBOXES)}: new messages can't be moved: {error}", flush=True)


def keep_looking() -> None:
    """Looks for ever, while no other node does."""
    times: dict[Path, dict[Path, int]] = {}
    while True:
        try:
            with TURN.open("a") as turn:  # not changed by each look: backups compare its time
                fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                look(times)
        except BlockingIOError:
            pass  # another node has the turn
        except OSError as error:
            print(f"new messages can't be moved: {error}", flush=True)
        time.sleep(LOOK_SECONDS)


def main(mailbox: str = "") -> None:
    """Once, of one mailbox, or of all for ever."""
    threading.stack_size(STACK_BYTES)
    if mailbox:
        move_all(Path(mailbox))
    else:
        keep_looking()


if __name__ == "__main__":
    main(*sys.argv[1:])
