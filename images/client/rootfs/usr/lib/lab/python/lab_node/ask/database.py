"""Statements, each on a connection of its own and in a thread of its own."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql

from ..database_url import READ_ONLY, place
from .rows import Answer

THREADS = 64
LONGEST_VALUE = 400
FORBIDDEN, DONE = 403, 200


class DatabaseStream:
    """Statements of one kind.

    Attributes:
        ended: the answers that were not written down yet.
    """

    def __init__(self, index: int, entry: dict[str, Any], timeout: float, ca: str) -> None:
        self.index, self.entry, self._count = index, entry, 0
        self._threads = ThreadPoolExecutor(THREADS)
        self._where = place(entry["url"], ca, timeout)
        self.ended: deque[Answer] = deque()

    def ask(self, due: float) -> None:
        """Asks the next one."""
        self._threads.submit(self._ask, self._count, due)
        self._count += 1

    def _ask(self, number: int, due: float) -> None:
        status, value, error = 0, "", ""
        try:
            connection = pymysql.connect(**self._where)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(self.entry["post"].replace("{n}", str(number)))
                    first = cursor.fetchone()
                    value = " ".join(map(str, first))[:LONGEST_VALUE] if first else ""
                status = DONE
            finally:
                connection.close()
        except (pymysql.MySQLError, OSError) as caught:
            refused = caught.args and caught.args[0] == READ_ONLY
            status = FORBIDDEN if refused and not status else status
            error = str(caught.args[-1] if caught.args else caught)
        self.ended.append(Answer(self.index, number, due, time.monotonic() - due, status, value, error))
