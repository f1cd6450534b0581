"""The database's log, copied from a replica while it is written, so that a moment between two backups can be restored.

It lies in one folder for each life of the database, and there in one for each connection: the files as the node has
them. Who replays it goes by the transactions' numbers, so that folders may overlap.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import databases, repository, settings
from .command import Failed
from .settings import ARCHIVE, RUN, write

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from .repository import Snapshot
    from .settings import Settings

SAID = RUN / "archive"
HEARD = "heard"
STATE_PORT = 9104
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 60.0  # without a copy being made until this node says so
SERVER_ID = 61  # of the copying connection; the nodes have the first numbers
OLDEST_SECONDS = 86400.0  # by which the log of a life without a backup is kept longer than the oldest backup
GTID = re.compile(rb"^#(\d{6} {1,2}[\d:]+) server id \d+ .*\tGTID \d+-\d+-(\d+)")
LIST = re.compile(rb"^#.*\tGtid list \[")
LISTED = re.compile(rb"\d+-\d+-(\d+)(?=[,\]])")


@dataclass(frozen=True)
class Part:
    """The files of one connection, in order.

    Attributes:
        heard: the moment (Unix seconds) up to which they are whole.
        position: the number of the last transaction that the node had by then.
    """

    folder: Path
    heard: float
    position: int

    @property
    def logs(self) -> list[Path]:
        """Those that have something in them."""
        return sorted(path for path in self.folder.glob("*.[0-9]*") if path.stat().st_size)

    @property
    def grows(self) -> bool:
        """Whether a connection is copying to it: `heard` is rewritten each second, also while the clock is wrong."""
        return abs(time.time() - (self.folder / HEARD).stat().st_mtime) < PATIENCE_SECONDS


def parts(history: str) -> list[Part]:
    """The parts of one life of the database, in its order: a folder's name is of a clock that may have been wrong."""
    all_parts = []
    for folder in sorted((ARCHIVE / history).glob("*/")) if history else []:
        with contextlib.suppress(OSError, ValueError):
            heard, position = (folder / HEARD).read_text().split()
            all_parts.append(Part(folder, float(heard), int(position)))
    return sorted(all_parts, key=lambda part: (part.position, part.heard))


def reach(history: str) -> float:
    """The moment (Unix seconds) up to which a life of the database can be restored; 0 for not at all.

    That of the last part by position. A part of a moment that has not been was heard by a clock that was ahead: it ends
    no earlier than the part before it, and how much later is not known.
    """
    now = time.time()
    known = [part for part in parts(history) if part.heard <= now + repository.AHEAD_SECONDS]
    return min(now, known[-1].heard) if known else 0.0


def refuse_missing(history: str) -> None:
    """Refuses an archive that lacks transactions that its node had reported.

    Raises:
        Failed: the end of the log is missing.
    """
    there, expected = _last(history), max((part.position for part in parts(history)), default=0)
    if there < expected:
        raise Failed(
            f"the archived log ends at the transaction {there}; {expected} was copied: its last file is damaged"
        )


def transactions(logs: list[Path], *options: str) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """The transactions in log files: number, time as it is written there, and the lines that replay it.

    What stands before the first, which all of them need, comes with the number of the last before it, as the log says
    it. It ends where an event is cut off or damaged: who needs what comes behind misses it in the next part, or at the
    end.
    """
    argv = ["mariadb-binlog", "--verify-binlog-checksum", *options, *map(str, logs)]
    number, when, listing = 0, b"", False
    lines: list[bytes] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        assert reader.stdout is not None
        for line in reader.stdout:
            if match := GTID.match(line):
                yield number, when, lines
                number, when, lines = int(match[2]), match[1], []
            elif not when and (listing or LIST.match(line)):
                number = max([number, *map(int, LISTED.findall(line))])
                listing = b"]" not in line
            lines.append(line)
        yield number, when, lines


def trim(backups: list[Snapshot]) -> None:
    """Removes the folders that no backup can be carried on with.

    Those of a life are judged by transactions: the oldest backup has all of theirs. A life without a backup goes by
    time, a day before the oldest one.
    """
    for life in ARCHIVE.glob("*/") if backups else ():
        positions = [databases.number(one.position) for one in backups if one.history == life.name]
        all_parts = parts(life.name)
        for part in all_parts:
            needed = (
                part.position == all_parts[-1].position or _goes_beyond(part, min(positions))
                if positions
                else part.heard >= backups[0].time - OLDEST_SECONDS
            )
            if not needed and not part.grows:
                _remove(part.folder)


def _goes_beyond(part: Part, position: int) -> bool:
    """Whether a part has transactions after a position."""
    return part.position > position or _end(part) > position


def stay(ending: threading.Event) -> None:
    """Copies until `ending` is set; reads its settings again at each connection."""
    since = time.monotonic()
    tell("")
    while not ending.is_set():
        config = settings.read()
        if not config.archive:
            ending.wait(LOOK_SECONDS)
            continue
        try:
            copied = _copy(config, ending)
            why = "the connection to the mysql node ended"
        except (Failed, OSError) as error:
            copied, why = False, str(error)
        if copied:
            since = time.monotonic()
        elif time.monotonic() - since > PATIENCE_SECONDS:
            tell(f"the database's log is not copied: {why}")
        ending.wait(LOOK_SECONDS)


def tell(because: str) -> None:
    """What `ready` reads."""
    write(SAID, because + "\n")


def _copy(config: Settings, ending: threading.Event) -> bool:
    """One connection, until it ends or its node is none to read from; whether anything was copied."""
    name = _source(config, ending)
    server = databases.node(config, name)
    life = databases.history(server)
    if not life:
        raise Failed("the database has not begun its first life yet")
    first = _first(server, _last(life))
    folder = ARCHIVE / life / f"{datetime.now().astimezone():%Y%m%dT%H%M%S}-{name}"
    folder.mkdir(parents=True)
    argv = ["mariadb-binlog", *server.words, "--read-from-remote-server", "--raw", "--stop-never"]
    argv += [f"--stop-never-slave-server-id={SERVER_ID}", f"--result-file={folder}/", first]
    begun = False
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as copier:
        try:
            before = ""  # what was committed by then, this node had when it was looked at
            while not ending.wait(LOOK_SECONDS) and copier.poll() is None:
                if before:
                    write(folder / HEARD, before)
                    begun = begun or _began()
                before = _heard(config.nodes[name])
                if not before:
                    break
        finally:
            copier.kill()
    if not begun:
        _remove(folder)
    return begun


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _began() -> bool:
    tell("")
    return True


def _source(config: Settings, ending: threading.Event) -> str:
    """The node to copy from: a replica, which has nothing that another might not have; of one node, that one.

    Three nodes that do not answer take longer than the supervisor waits for a stop.
    """
    for name, address in config.nodes.items():
        if ending.is_set():
            break
        if _status_of(address, "/replica")[0] == 200 or (
            len(config.nodes) == 1 and _status_of(address, "/primary")[0] == 200
        ):
            return name
    raise Failed("no mysql node is a fresh replica")


def _heard(address: str) -> str:
    """The moment up to which a node has everything, and its last transaction; "" where it is not to be read from."""
    status = _status_of(address, "/replica")[1]
    if "role" not in status or not (status["serves"] or (status["role"] == "replica" and status["lag"] is not None)):
        return ""
    return f"{time.time() - float(status['lag'] or 0.0) - LOOK_SECONDS} {status['position']}"


def _status_of(address: str, path: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(address, STATE_PORT, timeout=3)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def _last(life: str) -> int:
    """The number of the last transaction that is copied; 0 for none."""
    for part in reversed(parts(life)):
        if part.logs:
            return _end(part)
    return 0


def _end(part: Part) -> int:
    """The number of the last transaction in a part's files, which may be later than its `position`; 0 for none."""
    logs = part.logs[-1:]
    return max((number for number, _, _ in transactions(logs)), default=0) if logs else 0


def _first(server: databases.Server, last: int) -> str:
    """The newest of a node's log files that begins no later than what is copied ends."""
    logs = [row[0] for row in server.ask("SHOW BINARY LOGS")]
    if not logs:
        raise Failed("the mysql node has no log")
    for name in reversed(logs):
        rows = server.ask(f"SHOW BINLOG EVENTS IN '{name}' LIMIT 3")
        begins = next((row[5] for row in rows if row[2] == "Gtid_list"), "[]")
        if databases.number(begins.strip("[]")) <= last:
            return name
    return logs[0]
