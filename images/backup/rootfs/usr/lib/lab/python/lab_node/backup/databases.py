"""The databases: asked, dumped and loaded with MariaDB's own programs."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from . import command, definitions, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .mark import Entry
    from .session import Session
    from .settings import Settings

SYSTEM = {"information_schema", "mysql", "performance_schema", "sys"}
OWN = "lab"
"""What the mysql nodes keep about themselves: dumped, so that their log can be played onto it, and never put back."""

PACKET_BYTES = 1 << 30
"""The most that MariaDB knows. A row is one statement when it is loaded, of binary data twice as long as the row."""
PACKETS = f"--max-allowed-packet={PACKET_BYTES}"

ALIKE = [
    "--order-by-primary",
    "--hex-blob",
    "--routines",
    "--events",
    "--triggers",
    "--skip-dump-date",
    "--skip-add-locks",
]
"""What makes two dumps of the same rows the same text, and loads on every kind of node."""
HISTORY = "--dump-history"
"""Rows that system-versioned tables had before (MariaDB 10.11). It refuses tables with transaction-precise history."""

RESTORER = "`restore`@`%`"
"""The account that writes to the cluster."""
LOCK_SECONDS = 30
"""How long a commit or a change of a table may keep the others' moment from being taken."""
BEGINNING = ("-- Connecting", "-- Starting transaction")
"""What mariadb-dump says before it has its snapshot."""
LINE = re.compile(r"at line (\d+)")


@dataclass(frozen=True)
class Position:
    """The position of a dump in the database's history.

    Attributes:
        gtid: the last transaction that it has.
        history: the identifier of the history; a cluster with all disks new begins another one.
        moment: Unix seconds by which everything in the dump was committed.
    """

    gtid: str
    history: str
    moment: float


@dataclass(frozen=True)
class Kept:
    """A dump: where it is, and what the server that was dumped had at that moment, by which a restore is judged."""

    position: Position
    tables: dict[str, Entry]
    definitions: dict[str, Entry]


@dataclass(frozen=True)
class Server:
    """A database server: the words by which MariaDB's programs find it, and the arguments by which PyMySQL does."""

    words: tuple[str, ...]
    place: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A connection, for a while."""
        from .session import opened  # only nodes have its library

        with opened(self.place) as session:
            yield session

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
        with self.dumping(names, target, *more):
            pass

    @contextlib.contextmanager
    def dumping(self, names: list[str], target: Path, *more: str) -> Iterator[None]:
        """The same; goes on with the caller once the dump has its moment, and ends when both are done."""
        argv = [
            "mariadb-dump",
            *self.words,
            "--verbose",
            "--single-transaction",
            PACKETS,
            *ALIKE,
            HISTORY,
            *more,
            "--databases",
            *names,
        ]
        errors: list[str] = []
        with target.open("wb") as file, subprocess.Popen(argv, stdout=file, stderr=subprocess.PIPE) as dumper:
            assert dumper.stderr is not None
            try:
                _begun(dumper.stderr, errors)
                yield
                errors += [line.decode(errors="replace") for line in dumper.stderr if not line.startswith(b"-- ")]
            except BaseException:
                dumper.kill()
                raise
        if dumper.returncode:
            raise command.refused("the databases can't be dumped", "".join(errors), dumper.returncode)
        with target.open("rb") as written:
            written.seek(max(0, target.stat().st_size - 200))
            if b"-- Dump completed" not in written.read():
                raise command.Failed("the databases can't be dumped: the dump has no end")

    def load(self, source: Path) -> None:
        """Runs the statements of a file.

        Raises:
            Failed: one was refused; says of which table.
        """
        argv = ["mariadb", *self.words, "--binary-mode", PACKETS]
        try:
            with source.open("rb") as file:
                command.run("the databases can't be loaded", argv, stdin=file, stdout=subprocess.DEVNULL)
        except command.Failed as failed:
            match = LINE.search(failed.what)
            where = dumps.place_of(source, int(match[1])) if match else ""
            raise command.Failed(
                f"{failed.what} ({where})" if where else failed.what, next_step=failed.next_step
            ) from None

    def checksums(self, session: Session) -> dict[str, str]:
        """CHECKSUM TABLE of every table that a dump gives back to the last bit, as the session's transaction sees it.

        History is included.

        A FLOAT is printed with six digits and comes back as what these say; a table whose engine has no transactions
        has no moment that the dump and this could share. Both are judged by the text of the dump.
        """
        query = f"""SELECT table_schema, table_name FROM information_schema.tables AS t
            WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND table_schema {definitions.NOT}
            AND engine IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')
            AND NOT EXISTS (SELECT 1 FROM information_schema.columns AS c
            WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.data_type = 'float')"""
        sums = {}
        for database, table in session.rows(query):
            name = ".".join("`" + one.replace("`", "``") + "`" for one in (database, table))
            session.rows("SAVEPOINT one")  # so that a change of a table does not wait for all other tables
            sums[f"{database}.{table}"] = session.rows(f"CHECKSUM TABLE {name}")[0][1]
            session.rows("ROLLBACK TO SAVEPOINT one")
        return sums


def _begun(stream: IO[bytes], errors: list[str]) -> None:
    for line in stream:
        text = line.decode(errors="replace")
        if not text.startswith(BEGINNING):
            if not text.startswith("-- "):
                errors.append(text)
            break


def readable(config: Settings) -> Server:
    """One of the replicas, through the VIP."""
    return _remote("backup", config.database, config.replicas_port)


def writable(config: Settings) -> Server:
    """The node that takes writes. It is found through the VIP: all that is done has to be done on one."""
    name = writer(config.database).ask("SELECT @@hostname")[0][0]
    return writer(config.nodes.get(name, config.database))


def writer(address: str) -> Server:
    """The server at an address, as the account that writes to it."""
    return _remote("restore", address, 3306)


def node(config: Settings, name: str) -> Server:
    """One node."""
    return _remote("backup", config.nodes[name], 3306)


def _remote(user: str, host: str, port: int) -> Server:
    file = f"/etc/lab/{user}.cnf"
    place = {"read_default_file": file, "host": host, "port": port, "ssl": {"ca": "/etc/lab/ca.crt"}}
    return Server((f"--defaults-file={file}", f"--host={host}", f"--port={port}"), place)


def keep(config: Settings, target: Path, afterwards: Path) -> Kept:
    """Dumps all databases from a replica, with the place in the log where the dump is.

    Nothing is committed on that replica until both the dump and a second session have their snapshot, which takes as
    long as the dump takes to begin: what the second one reads is what the dump has.

    Args:
        config: the node's settings.
        target: the file of the dump.
        afterwards: the file of what a dump has not: accounts, and which events run.

    Raises:
        Failed: the server refused.
    """
    name = readable(config).ask("SELECT @@hostname")[0][0]
    server = node(config, name) if name in config.nodes else readable(config)
    names, states = server.names(), _states(config)
    with server.session() as holder, server.session() as reader:
        for statement in (
            f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
            "BACKUP STAGE START",
            "BACKUP STAGE BLOCK_COMMIT",
        ):
            holder.rows(statement)
        gtid = _gtid(holder) if config.archive else ""
        if functions := definitions.loadable(reader):
            raise command.Failed(
                f"functions of loaded libraries are in no backup: {', '.join(functions)}",
                next_step="drop them, and create them again where their libraries are installed",
            )
        entries = definitions.lasting(definitions.read(reader, states), time.time())
        afterwards.write_text(
            definitions.script(definitions.accounts(reader, own=True), definitions.servers(reader))
            + definitions.stated(reader, states)
        )
        reader.rows("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with server.dumping(names, target):
            reader.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            holder.rows("BACKUP STAGE END")
            sums = server.checksums(reader)
    position = Position(gtid, history(server) if config.archive else "", time.time())
    return Kept(position, dumps.marked(target, sums), entries)


def _states(config: Settings) -> dict[str, str]:
    """What any node knows of the events. Who changes one makes the others forget."""
    states = {}
    for name in config.nodes:
        with contextlib.suppress(command.Failed), node(config, name).session() as session:
            states.update(definitions.states(session))
    return states


def _gtid(session: Session) -> str:
    """Where a server is while nothing commits on it.

    mariadb-dump's own --gtid asks for a place in the log by its bytes. The server reads the log up to there to tell,
    finds none behind an event that is larger than a packet, and the program ends by a segmentation fault (10.11).
    """
    return session.rows(
        "SELECT IF(@@GLOBAL.gtid_binlog_pos = '', @@GLOBAL.gtid_current_pos, @@GLOBAL.gtid_binlog_pos)"
    )[0][0]


def history(server: Server) -> str:
    """The life that the cluster's database is in: that of its first primary."""
    rows = server.ask(f"SELECT epoch, node, UNIX_TIMESTAMP(at) FROM {OWN}.epochs ORDER BY epoch LIMIT 1")
    return "-".join(rows[0]) if rows else ""


def number(gtid: str) -> int:
    """The number of the last of a dump's transactions; those of a later epoch are larger."""
    return max((int(one.rsplit("-", 1)[1]) for one in gtid.split(",") if one), default=0)
