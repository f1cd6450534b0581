"""The databases: asked, dumped and loaded with MariaDB's own programs."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import command

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings

SYSTEM = {"information_schema", "mysql", "performance_schema", "sys"}
OWN = "lab"
"""What the mysql nodes keep about themselves: dumped, so that their log can be played onto it, and never put back."""

ALIKE = ["--order-by-primary", "--hex-blob", "--routines", "--events", "--triggers", "--skip-dump-date", "--skip-add-locks"]
"""What makes two dumps of the same rows the same text, and loads on every kind of node."""


@dataclass(frozen=True)
class Position:
    """Where in the database's life a dump is.

    Attributes:
        gtid: the last transaction that it has.
        history: which of the lives that a cluster of this name had: it begins anew when all disks are new.
        moment: Unix seconds, by when all that it has was committed.
    """

    gtid: str
    history: str
    moment: float


@dataclass(frozen=True)
class Server:
    """A database server: the words by which MariaDB's programs find it."""

    words: tuple[str, ...]

    def ask(self, statement: str) -> list[list[str]]:
        """The rows of an answer."""
        argv = ["mariadb", *self.words, "--batch", "--skip-column-names", "--execute", statement]
        return [line.split("\t") for line in command.run("the database can't be asked", argv).splitlines()]

    def names(self) -> list[str]:
        """All databases but the system's."""
        return sorted(row[0] for row in self.ask("SHOW DATABASES") if row[0] not in SYSTEM)

    def dump(self, names: list[str], target: Path, *more: str) -> None:
        """Writes a dump that shows one moment.

        Raises:
            Failed: the server refused, or the dump has no end.
        """
        argv = ["mariadb-dump", *self.words, "--single-transaction", *ALIKE, *more, "--databases", *names]
        with target.open("wb") as file:
            command.run("the databases can't be dumped", argv, stdout=file)
        with target.open("rb") as file:
            file.seek(max(0, target.stat().st_size - 200))
            if b"-- Dump completed" not in file.read():
                raise command.Failed("the databases can't be dumped: the dump has no end")

    def load(self, source: Path) -> None:
        """Runs the statements of a file."""
        with source.open("rb") as file:
            command.run("the databases can't be loaded", ["mariadb", *self.words, "--binary-mode"], stdin=file, stdout=subprocess.DEVNULL)


def readable(wanted: Settings) -> Server:
    """One of the replicas, through the VIP."""
    return _remote("backup", wanted.database, wanted.replicas_port)


def writable(wanted: Settings) -> Server:
    """The node that takes writes, through the VIP."""
    return _remote("restore", wanted.database, 3306)


def node(wanted: Settings, name: str) -> Server:
    """One node."""
    return _remote("backup", wanted.nodes[name], 3306)


def _remote(user: str, host: str, port: int) -> Server:
    return Server((f"--defaults-file=/etc/lab/{user}.cnf", f"--host={host}", f"--port={port}"))


def keep(wanted: Settings, target: Path) -> Position:
    """Dumps all databases from a replica, with the place in the log where the dump is."""
    server = readable(wanted)
    logged = ["--gtid", "--master-data=2"] if wanted.archive else []
    server.dump(server.names(), target, *logged)
    return Position(_gtid(target) if wanted.archive else "", history(server) if wanted.archive else "", time.time())


def history(server: Server) -> str:
    """The life that the cluster's database is in: that of its first primary."""
    rows = server.ask(f"SELECT epoch, node, UNIX_TIMESTAMP(at) FROM {OWN}.epochs ORDER BY epoch LIMIT 1")
    return "-".join(rows[0]) if rows else ""


def number(gtid: str) -> int:
    """The number of the last of a dump's transactions; those of a later epoch are larger."""
    return max((int(one.rsplit("-", 1)[1]) for one in gtid.split(",") if one), default=0)


def _gtid(dump: Path) -> str:
    """It stands behind the last table; no row begins so."""
    with dump.open("rb") as file:
        for line in file:
            if found := re.match(rb"-- SET GLOBAL gtid_slave_pos='([^']*)'", line):
                return found[1].decode()
    raise command.Failed("the databases can't be dumped: the dump does not say where in the log it is")


def tables(dump: Path) -> dict[str, list[int | str]]:
    """Of each table in a dump, by `database.table`: how many rows, and the SHA-256 of what it is and has."""
    database, name, inside = "", "", False
    rows: dict[str, int] = {}
    digests = {}
    with dump.open("rb") as file:
        for line in file:
            if line.startswith(b"USE `") and not inside:
                database, name = line.split(b"`")[1].decode(), ""
            elif line.startswith(b"CREATE TABLE `") and not inside:
                name = f"{database}.{line.split(b'`')[1].decode()}"
                rows[name], digests[name] = 0, hashlib.sha256()
            elif line.startswith(b"INSERT INTO `"):
                name, inside = f"{database}.{line.split(b'`')[1].decode()}", True
                continue
            if name and (inside or not line.startswith((b"--", b"/*", b"\n"))):
                rows[name] += inside
                digests[name].update(line.rstrip(b",;\n"))
            inside = inside and not line.endswith(b";\n")
    return {name: [rows[name], digests[name].hexdigest()] for name in rows}
