"""What is asked of mariadbd in SQL, by root over the local socket."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pymysql
import pymysql.cursors

from . import rules
from .answers import Known
from .durability import sync_folder
from .server import CA, DATA, SOCKET, TLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import relay
    from .settings import Settings

ADOPT = "adopt-position"
WORK_SECONDS = 30.0
STOP_SECONDS = 3.0  # with the patience, more than a replica waits for a host that is gone
LOCK_SECONDS = 2  # for current writes to end
LOCKED = 1205  # the server's error when they did not
WAITING_SECONDS = 0.5


class Trouble(Exception):
    """The database does not do what it was asked."""


def number(gtid: str) -> int:
    """The sequence number of a position such as `0-1-1000000000004`; 0 of none."""
    return max((int(one.rpartition("-")[2]) for one in (gtid or "").split(",") if one), default=0)


class Database:
    """A connection that is made again when it broke; every method raises `Trouble` when it can't be done."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connections: dict[float, Any] = {}  # by how long an answer may take
        self._known: dict[float, Known] = {}
        self._lock = threading.RLock()
        self._changing = threading.Lock()  # the connections: also while an answer is waited for
        self._waiting_since: float | None = None
        self.wrote_last = False  # whether the last transaction in the log was written here first

    def ask(self, statement: str, *values: object, seconds: float = WORK_SECONDS) -> list[dict[str, Any]]:
        """The rows of a statement."""

        def rows(connection: Any) -> list[dict[str, Any]]:  # noqa: ANN401  PyMySQL has no types
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())

        return self._answer(rows, statement, seconds)

    def look(self, statement: str, seconds: float) -> list[dict[str, Any]]:
        """The same of what is asked at every step; the rows may be those of the last time, and must not be changed."""
        return self._answer(lambda connection: self._known[seconds].rows(connection, statement), statement, seconds)

    def _answer(
        self, rows: Callable[[Any], list[dict[str, Any]]], statement: str, seconds: float
    ) -> list[dict[str, Any]]:
        with self._lock:
            connection = None
            try:
                connection = self._connected(seconds)
                return rows(connection)
            except (pymysql.MySQLError, OSError) as error:
                if not isinstance(error, (pymysql.ProgrammingError, pymysql.DataError)):
                    self.forget()
                raise Trouble(
                    f"{statement.split(' TO ', maxsplit=1)[0]}: {error.args[-1] if error.args else error}"
                ) from None
            except Exception:
                if connection is self._connections.get(seconds):
                    raise
                # Another thread has closed it, since the database was ended; PyMySQL has no error of its own for that.
                raise Trouble("the database was ended") from None

    def _connected(self, seconds: float) -> Any:  # noqa: ANN401  PyMySQL has no types
        connection = self._connections.get(seconds)
        if connection is None:
            connection, self._known[seconds] = self.connect(seconds), Known()
            with self._changing:
                self._connections[seconds] = connection
        return connection

    def connect(self, seconds: float | None) -> Any:  # noqa: ANN401  PyMySQL has no types
        """A new connection of its own; `seconds`: for an answer, None for as long as it takes."""
        return pymysql.connect(
            unix_socket=SOCKET, user="root", autocommit=True, connect_timeout=3, read_timeout=seconds,
            write_timeout=seconds, cursorclass=pymysql.cursors.DictCursor,
        )  # fmt: skip

    def forget(self) -> None:
        """The connections are of no more use; also of one that waits for an answer in another thread."""
        with self._changing:
            connections, self._connections = self._connections, {}
        for connection in connections.values():
            with contextlib.suppress(pymysql.MySQLError, OSError):
                connection.close()

    def value(self, name: str) -> str:
        """A global variable."""
        return str(self.ask(f"SELECT @@GLOBAL.{name} AS value")[0]["value"])

    def set(self, **values: object) -> None:
        """Global variables."""
        for name, value in values.items():
            self.ask(f"SET GLOBAL {name} = %s", value)

    def counter(self, name: str) -> str:
        """A status value; like `position`, asked in every step, so that one that hangs is noticed as soon."""
        rows = self.look(f"SHOW GLOBAL STATUS LIKE '{name}'", self._settings.patience)
        return str(rows[0]["Value"])

    def position(self) -> int:
        """The number of the last transaction in this node's log."""
        gtid = str(self.look("SELECT @@GLOBAL.gtid_binlog_pos AS value", self._settings.patience)[0]["value"])
        self.wrote_last = gtid.split("-")[1:2] == [str(self._settings.server_id)]
        return number(gtid)

    def slave(self) -> dict[str, Any]:
        """What replication says; empty where there is none."""
        rows = self.look("SHOW SLAVE STATUS", self._settings.patience + STOP_SECONDS)
        return rows[0] if rows else {}

    def history(self) -> tuple[tuple[int, int], ...]:
        """Each epoch of this node's log, with the position after which it began."""
        return tuple(
            (row["epoch"], row["began_after"]) for row in self.ask("SELECT epoch, began_after FROM lab.epochs")
        )

    def adopt(self) -> None:
        """Of a copy that was just made: the log goes on where the donor's was."""
        file = DATA / ADOPT
        if file.exists():
            gtid = file.read_text().strip()
            self.ask("RESET MASTER")
            self.set(gtid_binlog_state=gtid)
            self._continue_after(gtid)
            file.unlink()
            sync_folder(DATA)  # read again after a loss of power, it would shorten the log

    def apply_received(self, received: relay.Received) -> None:
        """Has the server apply the relay logs from before a restart: they are acknowledged, and may be nowhere else.

        Under GTID it would drop them, so it reads them by position, without a connection to a primary.
        """
        host = "" if self.slave().get("Master_Host") else "MASTER_HOST='nobody', "
        self.ask(
            f"CHANGE MASTER TO {host}MASTER_USE_GTID=no, RELAY_LOG_FILE=%s, RELAY_LOG_POS=%s",
            received.file,
            received.place,
        )
        self.start_applying(received)

    def start_applying(self, received: relay.Received | None) -> None:
        """Starts to apply what was received; before a restart: not the part of a group that was never acknowledged."""
        torn = received.torn if received else None
        until = f" UNTIL RELAY_LOG_FILE='{torn[0]}', RELAY_LOG_POS={torn[1]}" if torn else ""
        self.ask(f"START SLAVE SQL_THREAD{until}")

    def end_applying(self) -> None:
        """Ends the replay of relay logs from before a restart: the next primary is followed by GTID."""
        self.ask("STOP SLAVE")
        self.ask("RESET SLAVE ALL")

    def stop_receiving(self) -> None:
        """Stops receiving; received transactions are still applied."""
        if self.slave():
            self.ask("STOP SLAVE IO_THREAD", seconds=self._settings.patience + STOP_SECONDS)

    def clear_the_way(self) -> None:
        """Ends sessions that read or lock here: acknowledged transactions precede them. Who is sent the log stays."""
        mine = {connection.thread_id() for connection in list(self._connections.values())}
        sessions = "SELECT id FROM information_schema.processlist WHERE user <> 'system user'"
        for row in self.ask(f"{sessions} AND command <> 'Binlog Dump'"):
            if row["id"] not in mine:
                self._kill(row["id"])

    def follow(self, address: str, *, acknowledging: bool) -> None:
        """Replicates from an address, from the end of this log; received transactions are applied before.

        Not from a name: the name of a node that leaves no longer resolves.
        """
        self.ask("STOP SLAVE")
        self.set(rpl_semi_sync_slave_enabled=acknowledging)
        self._continue_after(self.value("gtid_binlog_pos"))
        self.ask(
            "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=3306, MASTER_USER='replication', MASTER_PASSWORD=%s, "
            "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1, MASTER_SSL=1, "
            "MASTER_SSL_CA=%s, MASTER_SSL_CERT=%s, MASTER_SSL_KEY=%s, MASTER_SSL_VERIFY_SERVER_CERT=1",
            address, self._settings.replication_password, str(CA), str(TLS), str(TLS),
        )  # fmt: skip
        self.ask("START SLAVE")

    def _continue_after(self, gtid: str) -> None:
        """Sets where replication continues, in a table; a session that locks it is ended."""
        try:
            self._behind_locks("SET GLOBAL gtid_slave_pos = %s", gtid)
        except (pymysql.MySQLError, OSError) as error:
            self.clear_the_way()
            raise Trouble(f"who locks tables here is ended: replication could not begin ({error.args[-1]})") from None

    def expect_replicas(self, *, alone: bool) -> None:
        """From a replica to one that replicas may follow, and whose commits wait for them."""
        if self.slave():
            self.ask("STOP SLAVE")
            self.ask("RESET SLAVE ALL")
        self.set(rpl_semi_sync_master_enabled=not alone)

    def can_be_taken(self, others: int) -> bool:
        """Whether a replica that acknowledges is connected; or all are, since those whose disks are new join later."""
        dumps = "SELECT COUNT(*) AS value FROM information_schema.processlist WHERE command = 'Binlog Dump'"
        rows = self.ask(f"{dumps} AND user = 'replication'", seconds=self._settings.patience)
        return self.counter("Rpl_semi_sync_master_clients") != "0" or int(rows[0]["value"]) >= others

    def begin_epoch(self, epoch: int, after: int) -> None:
        """Writes the epoch into the log, as its first transaction; returns when a replica has it too."""
        for again in (True, False):
            try:
                self._begin_epoch(epoch, after)
                return
            except (pymysql.MySQLError, OSError) as error:
                if not again or error.args[:1] != (LOCKED,):
                    raise Trouble(f"epoch {epoch} could not be begun: {error.args[-1]}") from None
                self.clear_the_way()

    def _begin_epoch(self, epoch: int, after: int) -> None:
        connection = self.connect(None)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET SESSION lock_wait_timeout = %s, gtid_seq_no = %s", (LOCK_SECONDS, epoch * rules.SPAN)
                )
                cursor.execute(
                    "INSERT INTO lab.epochs (epoch, node, began_after) VALUES (%s, %s, %s)",
                    (epoch, self._settings.node, after),
                )
        finally:
            connection.close()

    def waits(self) -> bool:
        """Whether a commit has waited longer than a replica takes, although one is connected."""
        if self.counter("Rpl_semi_sync_master_wait_sessions") == "0":
            self._waiting_since = None
            return False
        self._waiting_since = self._waiting_since or time.monotonic()
        return time.monotonic() - self._waiting_since > WAITING_SECONDS

    def open(self) -> None:
        """Lets everybody write; it changes a value, and waits for nothing."""
        self.ask("SET GLOBAL read_only = OFF", seconds=self._settings.patience)

    def close_to_writers(self) -> None:
        """Refuses writes, and waits for current ones; reverted if they do not end."""
        try:
            self._behind_locks("SET GLOBAL read_only = ON")
        except (pymysql.MySQLError, OSError) as error:
            raise Trouble(f"writers don't end: {error.args[-1]}") from None

    def _behind_locks(self, statement: str, *values: object) -> None:
        """A statement that waits for the locks of others, for `LOCK_SECONDS` at most; raises the server's errors."""
        try:
            connection = self.connect(self._settings.patience + LOCK_SECONDS)
        except (pymysql.MySQLError, OSError) as error:
            raise Trouble(f"mariadbd does not answer: {error.args[-1]}") from None
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION lock_wait_timeout = %s", (LOCK_SECONDS,))
                cursor.execute(statement, values or None)
        finally:
            connection.close()

    def demote(self) -> None:
        """Changes a primary without waiting commits into a node that could replicate."""
        if self.counter("Rpl_semi_sync_master_wait_sessions") != "0":
            raise Trouble("writers still wait for a replica")
        self.disconnect()
        self.set(rpl_semi_sync_master_enabled=False)

    def disconnect(self) -> None:
        """Ends the connections of everybody but root."""
        for row in self.ask("SELECT id FROM information_schema.processlist WHERE user NOT IN ('root', 'system user')"):
            self._kill(row["id"])

    def _kill(self, number: int) -> None:
        with contextlib.suppress(Trouble):  # it has gone by itself
            self.ask(f"KILL CONNECTION {number}")
