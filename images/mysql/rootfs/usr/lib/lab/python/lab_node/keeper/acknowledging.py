"""Repeats a replica's acknowledgement to a primary: MariaDB does not repeat a lost one.

A replica that reconnects by GTID does not report what it had before. One that requests the log from a position has, by
the protocol, everything before that position: a second connection requests it from where this node's own has come to,
and is closed.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pymysql
import pymysql.cursors
from pymysql.constants import COMMAND

from .server import CA, TLS

if TYPE_CHECKING:
    from .settings import Settings

SECONDS = 2.0
NON_BLOCKING = 1
LAST_PLACE = (1 << 32) - 1  # a request has four bytes for a position; a transaction may end further on in its file
OWN_NUMBERS = 200  # a second connection by the same number would end the first one


def again(settings: Settings, host: str, slave: dict[str, Any]) -> None:
    """Tells `host` that this node has its log up to where replication has received it, on its disk.

    Beyond 4 GiB of a file it says less than that: all up to there.

    Raises:
        OSError: the primary was not reached; pymysql.MySQLError: it did not like it.
    """
    file, place = str(slave["Master_Log_File"]), min(int(slave["Read_Master_Log_Pos"]), LAST_PLACE)
    connection = pymysql.connect(
        host=host, user="replication", password=settings.replication_password, connect_timeout=SECONDS,
        read_timeout=SECONDS, write_timeout=SECONDS, ssl={"ca": str(CA), "cert": str(TLS), "key": str(TLS)},
    )  # fmt: skip
    try:
        with connection.cursor() as cursor:
            for name, value in (("mariadb_slave_capability", "4"), ("rpl_semi_sync_slave", "1")):
                cursor.execute(f"SET @{name} = {value}")
            cursor.execute("SET @master_binlog_checksum = @@GLOBAL.binlog_checksum")
        request = struct.pack("<IHI", place, NON_BLOCKING, OWN_NUMBERS + settings.server_id) + file.encode()
        connection._execute_command(COMMAND.COM_BINLOG_DUMP, request)  # noqa: SLF001  PyMySQL has no other way
        connection._read_packet()  # noqa: SLF001
    finally:
        connection.close()
