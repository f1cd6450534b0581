"""A scratch folder and server, in which a backup is restored and verified before it is used."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import archive, command, databases, definitions, dumps, files, mark, repository
from .command import Failed
from .settings import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .mark import Mark
    from .repository import Snapshot
    from .settings import Settings

START_SECONDS = 60.0
TIME = "%y%m%d %H:%M:%S"


@dataclass(frozen=True)
class Played:
    """What was played onto a backup: transactions, and when the last of them was (Unix seconds; 0 for none)."""

    count: int = 0
    last: float = 0.0


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty place, gone afterwards; one that a killed command left is gone before."""
    _remove(SCRATCH)
    SCRATCH.mkdir(parents=True)
    try:
        yield SCRATCH
    finally:
        _remove(SCRATCH)


def extracted(snapshot: Snapshot, where: Path, volumes: list[str], *, wants_databases: bool) -> Mark:
    """Takes parts of a backup out of the repository, and holds them against its mark; returns that.

    Raises:
        Failed: something is other than it was when the backup was made.
    """
    parts = [
        mark.NAME,
        *([mark.DUMP, mark.AFTERWARDS] if wants_databases else []),
        *(f"{mark.FILES}/{name}" for name in volumes),
    ]
    repository.extract(snapshot.id, where, parts)
    whole = mark.read(where)
    expected = whole.part(volumes, databases=wants_databases)
    for name, of in expected.files.items():
        files.dig(where / mark.FILES / name, of)
    tables = dumps.tables(where / mark.DUMP) if wants_databases and whole.tables else {}
    content = mark.Mark(
        tables, expected.definitions, {name: files.figures(where / mark.FILES / name) for name in expected.files}
    )
    _judge(snapshot, expected.missed_by(content))
    return whole


@contextlib.contextmanager
def server(config: Settings, where: Path) -> Iterator[databases.Server]:
    """A database server for this place alone, without a network."""
    data, socket = where / "mysql", where / "mysql.sock"
    install = [config.binaries["install"], "--no-defaults", f"--datadir={data}", "--user=mysql", "--skip-test-db"]
    command.run("the scratch database can't be made", [*install, "--auth-root-authentication-method=normal"])
    shutil.chown(where, "mysql")
    argv = [
        "setpriv",
        "--reuid=mysql",
        "--regid=mysql",
        "--clear-groups",
        "--pdeathsig=KILL",
        config.binaries["mariadbd"],
    ]
    argv += [
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={socket}",
        f"--pid-file={where}/mysql.pid",
        "--skip-networking",
    ]
    argv += [
        "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0",
        "--character-set-server=utf8mb4",
        databases.PACKETS,
    ]
    database = databases.Server((f"--socket={socket}", "--user=root"), {"unix_socket": str(socket), "user": "root"})
    with (where / "mysql.log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as daemon:
        try:
            _await(database, daemon, where / "mysql.log")
            yield database
        finally:
            daemon.kill()


def loaded(target: databases.Server, where: Path, expected: Mark) -> list[str]:
    """Puts a backup's databases and accounts into the scratch server; what that gives back other than the mark says."""
    target.load(where / mark.DUMP)
    if (where / mark.AFTERWARDS).is_file():
        target.load(where / mark.AFTERWARDS)
    again = where / "again.sql"
    target.dump(target.names(), again)
    with target.session() as session:
        session.rows("START TRANSACTION")
        sums, entries = target.checksums(session), definitions.read(session)
    now = time.time()
    part = expected.part([], databases=True)
    part = mark.Mark(part.tables, definitions.lasting(part.definitions, now), old=part.old)
    missed = part.missed_by(mark.Mark(dumps.marked(again, sums), definitions.lasting(entries, now)))
    again.unlink()
    return missed


def restored(snapshot: Snapshot, target: databases.Server, where: Path, expected: Mark) -> None:
    """The same, of a backup that was judged when it was made.

    Raises:
        Failed: something is other than it was then.
    """
    _judge(snapshot, loaded(target, where, expected))


def played(snapshot: Snapshot, target: databases.Server, until: float) -> Played:
    """Plays the log onto the scratch server, from where the backup is up to a moment: what was committed before it.

    Raises:
        Failed: the log can't be played.
    """
    last, count, when = databases.number(snapshot.position), 0, b""
    stop = f"--stop-datetime={time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(until))}"
    for part in archive.parts(snapshot.history):
        if not part.logs:
            continue
        with subprocess.Popen(
            ["mariadb", *target.words, "--binary-mode", databases.PACKETS],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as to:
            assert to.stdin is not None
            assert to.stderr is not None
            with contextlib.suppress(BrokenPipeError):
                for number, at, lines in archive.transactions(part.logs, stop):
                    if not at and number > last:
                        raise Failed(f"the archived log has nothing between the transactions {last} and {number}")
                    if not at or number > last:
                        to.stdin.writelines(lines)
                        last, count, when = (number, count + 1, at) if at else (last, count, when)
                to.stdin.close()
            errors = to.stderr.read().decode(errors="replace")
            if to.wait():
                raise command.refused("the database's log can't be played onto the backup", errors, to.returncode)
    return Played(count, time.mktime(time.strptime(when.decode(), TIME)) if when else 0.0)


def _judge(snapshot: Snapshot, missed: list[str]) -> None:
    if missed:
        raise Failed(
            f"the backup {snapshot.id} is not what it was when it was made: {mark.shortened(missed)}",
            next_step="'lab backup check' reads the whole repository; 'lab backup list' has the others",
        )


def _await(target: databases.Server, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            target.ask("SELECT 1")
            return
        except Failed:
            if daemon.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise Failed(
                    f"the scratch database does not start: {lines[-1] if lines else 'it says nothing'}"
                ) from None
        time.sleep(0.1)


def _remove(where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)
