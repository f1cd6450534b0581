"""Watches what people run: ends what is more than a user may have, and all that is left of one who has logged out.

Memory is counted over all processes of a user, shared memory included, which a process may have without being the one
that made it, or (System V) without any process, with what lies in memory as a file (lab_node.memory_files):
/etc/lab/memory says how many MiB. A limit of the kernel's holds for one process, and a control group would need more
rights than a container has.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from . import memory_files

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

PROC = Path("/proc")
FIRST, LAST = 20000, 59999  # the numbers that the plan gives to people
LOOK_SECONDS = 0.5
GRACE_SECONDS = 2.0  # from being asked to end to being ended
DOORS = {"sshd", "sshd-session"}  # what OpenSSH calls the process of a login, up to 9.7 and from 9.8


class Process:
    """A process as /proc tells it: owner, parent, name, and bytes of memory that belong to it (files left out)."""

    def __init__(self, place: Path) -> None:
        fields = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        self.owner = int(fields["Uid"].split()[0])
        self.parent = int(fields["PPid"])
        self.name = fields["Name"].strip()
        self.size = sum(int(fields.get(key, "0 kB").split()[0]) << 10 for key in ("RssAnon", "RssShmem"))


def processes() -> dict[int, Process]:
    """All processes by number."""
    by_number: dict[int, Process] = {}
    for place in PROC.glob("[0-9]*"):
        try:
            by_number[int(place.name)] = Process(place)
        except (OSError, ValueError, KeyError):
            continue  # it has just ended
    return by_number


def segments() -> dict[int, dict[int | str, int]]:
    """System V shared memory that no process has attached, by owner: identifiers with their resident bytes."""
    by_owner: dict[int, dict[int | str, int]] = defaultdict(dict)
    head, *rows = (line.split() for line in (PROC / "sysvipc/shm").read_text().splitlines())
    for row in rows:
        values = dict(zip(head, map(int, row)))
        if FIRST <= values["uid"] <= LAST and values["nattch"] == 0:
            by_owner[values["uid"]][values["shmid"]] = values["rss"]
    return by_owner


def logged_in(by_number: Mapping[int, Process]) -> set[int]:
    """The users who have a login: a process of theirs stands below one of root's sshd."""
    users = set()
    for process in by_number.values():
        if FIRST <= process.owner <= LAST:
            above = by_number.get(process.parent)
            if above and above.owner == 0 and above.name in DOORS:
                users.add(process.owner)
    return users


def end(number: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Ends a process, if it has not ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, how)


def remove(owner: int, loose: int | str) -> None:
    """Removes shared memory by its identifier, or a file by its path.

    By the owner's own right: root's would be CAP_SYS_ADMIN, and a path may lead to others' files by now.
    """
    argv = ["ipcrm", "-m", str(loose)] if isinstance(loose, int) else ["rm", "-f", "--", loose]
    subprocess.run(argv, user=owner, group=owner, extra_groups=[], check=False)


def within(limit: int, own: MutableMapping[int, int], loose: MutableMapping[int | str, int], owner: int) -> None:
    """Ends the largest of a user's processes until the others have at most `limit` bytes.

    Memory of no process first: `loose`, System V segments by their identifiers and files by their paths.
    """
    while sum(own.values()) + sum(loose.values()) > limit:
        if loose:
            largest = max(loose, key=lambda one: loose[one])
            what = f"shared memory {largest}" if isinstance(largest, int) else f"file {largest!a}"
            had = loose.pop(largest)
            remove(owner, largest)
        else:
            number = max(own, key=lambda one: own[one])
            had, what = own.pop(number), f"process {number}"
            end(number)
        print(f"user {owner}: {what} with {had >> 20} MiB is ended: more than {limit >> 20} in all", flush=True)


def written(
    limit: int, own: Mapping[int, Mapping[int, int]], loose: Mapping[int, Mapping[int | str, int]]
) -> dict[int, dict[int | str, int]]:
    """Files in memory by owner. Looked for only where all that the file systems hold could exceed one user's limit."""
    most = max(
        (sum(own.get(owner, {}).values()) + sum(loose.get(owner, {}).values()) for owner in {*own, *loose}), default=0
    )
    places = memory_files.places(PROC)
    if most + sum(map(memory_files.used, places)) <= limit:
        return {}
    by_owner: dict[int, dict[int | str, int]] = defaultdict(dict)
    for path, owner, size in memory_files.files(places):
        if FIRST <= owner <= LAST:
            by_owner[owner][path] = size
    return by_owner


def main() -> None:
    """Looks for ever."""
    ending: dict[int, float] = {}  # who has logged out and is asked to end what he left: since when
    while True:
        limit = int(Path("/etc/lab/memory").read_text()) << 20
        running, loose, now = processes(), segments(), time.monotonic()
        own: dict[int, dict[int, int]] = defaultdict(dict)
        for number, process in running.items():
            if FIRST <= process.owner <= LAST:
                own[process.owner][number] = process.size
        for sizes in own.values():
            for number, size in memory_files.held(PROC, sizes).items():
                sizes[number] += size
        files = written(limit, own, loose)
        present = logged_in(running)
        for owner in own.keys() | loose.keys() | files.keys():
            if owner in present:
                ending.pop(owner, None)
                within(limit, own[owner], {**loose[owner], **files.get(owner, {})}, owner)
                continue
            within(limit, {}, {**files.get(owner, {})}, owner)
            since = ending.setdefault(owner, now)
            for number in own[owner]:
                end(number, signal.SIGKILL if now > since + GRACE_SECONDS else signal.SIGTERM)
            for segment in loose[owner]:
                remove(owner, segment)
        ending = {owner: since for owner, since in ending.items() if own[owner]}
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
