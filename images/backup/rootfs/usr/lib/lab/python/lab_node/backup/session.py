"""A connection to a database server that is kept, for what has to be asked by one: a lock, a moment."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pymysql

from .command import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Session:
    """A connection, for what has to be asked by one."""

    connection: Any

    def rows(self, statement: str) -> list[list[str]]:
        """Those of an answer, as text; "" for NULL.

        Raises:
            Failed: the server refused.
        """
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
                return [["" if one is None else _text(one) for one in row] for row in cursor.fetchall()]
        except (pymysql.MySQLError, OSError) as error:
            raise Failed(
                f"the database refused '{statement[:60]}': {error.args[-1] if error.args else error}"
            ) from None


@contextlib.contextmanager
def opened(place: dict[str, Any]) -> Iterator[Session]:
    """A connection to a place, by PyMySQL's arguments.

    Raises:
        Failed: there is none.
    """
    try:
        connection = pymysql.connect(**place, charset="utf8mb4", autocommit=True, connect_timeout=10)
    except (pymysql.MySQLError, OSError) as error:
        raise Failed(f"the database can't be asked: {error.args[-1] if error.args else error}") from None
    try:
        yield Session(connection)
    finally:
        with contextlib.suppress(pymysql.MySQLError, OSError):
            connection.close()


def _text(value: object) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)
