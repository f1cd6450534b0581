"""lab_node.delivered SCRIPT: writes the Sieve script that is run before each person's own, and drops known messages.

Postfix removes a message from its queue after Dovecot has reported its delivery. A node that is killed between the two
delivers it again. Dovecot starts after this program has searched the recipients' mailboxes for each message of the
queue, by its queue id.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Ids = dict[str, int]
"""Queue ids, and since when each may be in a mailbox (Unix seconds)."""

MAILBOXES = Path("/srv/mail/accounts")
HEAD_BYTES = 16384  # a message's own header names the queue id near its top
# Maildir's: when, and which node delivered.
NAME = re.compile(rf"(\d+)\.[^.]+\.{re.escape(os.uname().nodename)}(?:,|:|$)")
CLOCK_SECONDS = 2
AT_ONCE = 8  # files that are read at a time: the shared filesystem answers each late, and many as soon as one


def queued() -> list[dict[str, Any]]:
    """Queue ids with their arrival and recipients; deferred ones too.

    After a kill Postfix may defer what is in the mailbox, since Dovecot does not listen yet; a second kill then finds
    it in the deferred queue.
    """
    output = subprocess.run(["postqueue", "-j"], capture_output=True, text=True, check=False).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def awaited(rows: Iterable[dict[str, Any]]) -> dict[str, Ids]:
    """By recipient: the queue ids, and since when they may be there."""
    by_recipient: dict[str, Ids] = defaultdict(dict)
    for row in rows:
        for recipient in row["recipients"]:
            by_recipient[recipient["address"].lower()][row["queue_id"]] = row["arrival_time"]
    return by_recipient


def mailbox(address: str) -> Path:
    """Where an address' mail lies."""
    user, _, domain = address.rpartition("@")
    return MAILBOXES / domain / user.partition("+")[0] / "Maildir"


def present(place: Path, ids: Ids) -> set[str]:
    """Those of the queue ids that a message in the mailbox bears. Only what this node delivered since is looked at."""
    since = min(ids.values()) - CLOCK_SECONDS
    matches: set[str] = set()
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for folder in ("new", "cur", ".*/new", ".*/cur"):  # in the order in which a message moves
            own = (
                path
                for path in place.glob(f"{folder}/*")
                if (match := NAME.match(path.name)) and int(match[1]) >= since
            )
            for head in readers.map(start, own):
                matches |= ids.keys() & set(re.findall(r" id (\w+)", head))
    return matches


def start(path: Path) -> str:
    """The beginning of a message."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES).decode(errors="replace")
    except OSError:
        return ""  # another process moves or removes it


def script(pairs: Iterable[tuple[str, str]]) -> str:
    """Drops each message for each recipient that has it."""
    lines = ['require "envelope";']
    for one, address in sorted(pairs):
        lines.append(
            f'if allof (header :contains "received" " id {one}", envelope :is "to" "{address}") {{ discard; stop; }}'
        )
    return "\n".join(lines) + "\n"


def main(path: str) -> None:
    """Looks for what was delivered before the mailboxes are opened to more."""
    by_recipient = awaited(queued())
    if by_recipient:
        while "/srv/mail fuse.glusterfs" not in Path("/proc/mounts").read_text():
            time.sleep(0.2)  # nothing can be delivered meanwhile, either
    pairs = {(one, address) for address, ids in by_recipient.items() for one in present(mailbox(address), ids)}
    for one, address in sorted(pairs):
        print(f"{one} is in the mailbox of {address} already", flush=True)
    Path(path).write_text(script(pairs))


if __name__ == "__main__":
    main(sys.argv[1])
