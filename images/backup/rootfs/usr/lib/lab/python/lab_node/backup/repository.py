"""The repository: restic's, encrypted, on this node's own volume. Only this node opens it, one command at a time.

Who only reads leaves no lock of restic's there: a disk that is full is one to restore from.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import command
from .settings import HOME, RUN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = HOME / "repository"
DRAFT = HOME / "repository.new"
PASSWORD = "/etc/lab/repository"  # noqa: S105  where it is
LOCK = RUN / "backup.lock"
LOCK_SECONDS = 600.0
AHEAD_SECONDS = 60.0  # by which a clock may be set back without a word
POSITION, HISTORY = "gtid:", "history:"


@dataclass(frozen=True)
class Snapshot:
    """A backup. `time`: Unix seconds of the moment that it shows; `position`, `history`: the database's, if any."""

    id: str
    time: float
    position: str
    history: str


@dataclass(frozen=True)
class Added:
    """What a backup took: all bytes, and those that the repository did not have."""

    id: str
    bytes: int
    new_bytes: int


@contextlib.contextmanager
def held(seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """The repository for one command alone; those that come meanwhile wait, for so long."""
    RUN.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise command.Failed(f"another backup command has run for {seconds:.0f} s; it goes on") from None
                time.sleep(0.1)
        yield


def ensure() -> None:
    """Creates the repository if there is none, and removes the locks of killed commands.

    Raises:
        Failed: it can't be opened.
    """
    if not REPOSITORY.is_dir():
        shutil.rmtree(DRAFT, ignore_errors=True)  # half of one, by a start that was killed
        _restic("the repository can't be made", "init", repository=DRAFT)
        DRAFT.rename(REPOSITORY)
    _restic("the repository can't be opened", "unlock", "--remove-all")
    _restic("the repository can't be opened", "cat", "config", "--no-lock")


def snapshots() -> list[Snapshot]:
    """All backups, oldest first."""
    rows = json.loads(_restic("the backups can't be listed", "snapshots", "--no-lock", "--json") or "[]")
    backups = []
    for row in rows or []:
        tags = row.get("tags") or []
        position, history = (
            next((t.removeprefix(k) for t in tags if t.startswith(k)), "") for k in (POSITION, HISTORY)
        )
        backups.append(Snapshot(row["short_id"], _seconds(row["time"]), position, history))
    return sorted(backups, key=lambda one: one.time)


def add(folder: Path, moment: float, position: str, history: str) -> Added:
    """Keeps a folder, as a backup of that moment. It is there when this returns, and was not before."""
    when = datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")  # restic reads it as local time
    tags = [f"--tag={key}{value}" for key, value in ((POSITION, position), (HISTORY, history)) if value]
    output = _restic(
        "the backup can't be written", "backup", "--json", "--host=cluster", f"--time={when}", *tags, ".", cwd=folder
    )
    end = next(row for line in output.splitlines() if (row := json.loads(line))["message_type"] == "summary")
    return Added(end["snapshot_id"][:8], end["total_bytes_processed"], end["data_added"])


def extract(snapshot: str, target: Path, only: list[str]) -> None:
    """Puts a backup's files, or those below some of its folders, into an empty folder."""
    includes = [f"--include=/{path}" for path in only]
    _restic(f"the backup {snapshot} can't be read", "restore", "--no-lock", snapshot, f"--target={target}", *includes)


def ahead(known: list[Snapshot], now: float) -> list[Snapshot]:
    """Those of a moment that has not been: the clock was wrong when they were made, and when that was is not known."""
    return [one for one in known if one.time > now + AHEAD_SECONDS]


def newest(known: list[Snapshot], now: float) -> Snapshot:
    """The newest whose moment can be; of others only, the last."""
    return [*ahead(known, now), *(one for one in known if one.time <= now + AHEAD_SECONDS)][-1]


def forget(keep: dict[str, int], ahead: int) -> None:
    """Removes the backups that are not to be kept, and what only they had.

    Args:
        keep: how many of each kind.
        ahead: how many are of a future moment; they are kept in addition.
    """
    rules = [f"--keep-{name}={count + ahead}" for name, count in keep.items() if count]
    _restic("old backups can't be removed", "forget", "--prune", "--group-by=host", *rules)


def check() -> str:
    """Reads everything, and says what restic says; the first trouble is a failure."""
    return _restic("the repository is damaged", "check", "--no-lock", "--read-data")


def size() -> int:
    """Bytes on the disk."""
    return sum(path.stat().st_size for path in REPOSITORY.rglob("*") if path.is_file())


def _restic(what: str, *words: str, repository: Path = REPOSITORY, cwd: Path | None = None) -> str:
    env = os.environ | {"RESTIC_REPOSITORY": str(repository), "RESTIC_PASSWORD_FILE": PASSWORD}
    argv = ["restic", "--no-cache", "--quiet", *words] if "--json" not in words else ["restic", "--no-cache", *words]
    try:
        return command.run(what, argv if cwd is None else ["env", f"--chdir={cwd}", *argv], env=env)
    except command.Failed as failed:
        if "wrong password" in failed.what:
            raise command.Failed(
                "the repository can't be opened: it was made with another password",
                next_step="put the secret 'backup-repository' back that it was made with, then 'lab up'",
            ) from None
        raise


def _seconds(text: str) -> float:
    """Restic's time, which has nine decimals where Python reads six."""
    head, _, tail = text.partition(".")
    zone = tail.lstrip("0123456789") if tail else ""
    when = datetime.fromisoformat((head + zone).replace("Z", "+00:00"))
    return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
