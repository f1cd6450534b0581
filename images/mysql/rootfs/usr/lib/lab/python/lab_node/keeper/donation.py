"""The donor's side of a copy: what mariadb-backup streams of this node, and how long commits may wait for it."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

from .http1 import Refused
from .server import SOCKET
from .wire import CHUNK

if TYPE_CHECKING:
    from collections.abc import Generator

HELD = (
    2  # times the patience that commits may wait for mariadb-backup, or that this waits for a node that takes nothing
)
QUIET_SECONDS = 1.0  # until an empty piece says that nothing has come
COMMITS, DDL, END = b"BACKUP STAGE BLOCK_COMMIT", b"BACKUP STAGE BLOCK_DDL", b"BACKUP STAGE END"
"""What mariadb-backup prints before it locks commits, before it locks definitions, and before it unlocks both."""

_one = threading.Lock()  # held by the thread of the present donation


def donated(patience: float, *, galera: bool = False) -> Generator[bytes, None, None]:
    """What mariadb-backup streams of this node: to one other node at a time.

    It is ended when commits have waited for it for `HELD` times the patience: a node that hangs, or is slow, amid its
    copy would hold them up for as long as it takes. A Galera node takes part in no commit from the lock of definitions
    on.

    Yields:
        a piece, or nothing after each second in which nothing came.

    Raises:
        Refused: another node is being copied, or mariadb-backup is not there.
        OSError: it broke off.
    """
    if not _one.acquire(blocking=False):
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "another node is being copied from it")
    try:
        backup = _begun(["--galera-info"] if galera else [])
        bound = Bound(backup, DDL if galera else COMMITS, HELD * patience)
        try:
            bound.start()
            assert backup.stdout is not None
            with backup.stdout:
                yield from _pieces(backup.stdout)
            bound.judge(backup.wait())
        except OSError as error:
            print(f"a copy of this node was broken off: {error}", flush=True)
            raise
        finally:
            backup.kill()
            backup.wait()
    finally:
        _one.release()


def _begun(options: list[str]) -> subprocess.Popen[bytes]:
    argv = ["mariadb-backup", "--defaults-file=/etc/lab/my.cnf", "--backup", "--stream=mbstream", "--user=root"]
    try:
        return subprocess.Popen([*argv, f"--socket={SOCKET}", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"mariadb-backup does not start: {error}") from error


def _pieces(stream: IO[bytes]) -> Generator[bytes, None, None]:
    readable = select.poll()
    readable.register(stream, select.POLLIN)
    while True:
        if not readable.poll(QUIET_SECONDS * 1000):
            yield b""
        elif piece := os.read(stream.fileno(), CHUNK):
            yield piece
        else:
            return


class Bound:
    """Reads what mariadb-backup prints, and ends it when it has locked for too long.

    Attributes:
        last: the last line.
        broken: why it was ended; empty where it was not.
    """

    def __init__(self, backup: subprocess.Popen[bytes], locks: bytes, seconds: float) -> None:
        self.last = self.broken = ""
        self._backup, self._locks, self._seconds = backup, locks, seconds
        self._until: float | None = None
        self._locked = False  # at any time

    def start(self) -> None:
        """In a thread of its own.

        Raises:
            OSError: there are too many threads.
        """
        try:
            threading.Thread(target=self._watch, daemon=True).start()
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def judge(self, code: int) -> None:
        """Raises OSError where mariadb-backup ended with a code that says so, or was ended."""
        if code:
            raise OSError(self.broken or f"mariadb-backup ended with {code}: {self.last}")

    def _watch(self) -> None:
        assert self._backup.stderr is not None
        with self._backup.stderr as stream:
            self._read(stream)

    def _read(self, stream: IO[bytes]) -> None:
        readable, rest = select.poll(), b""
        readable.register(stream, select.POLLIN)
        while True:
            left = None if self._until is None else max(0.0, self._until - time.monotonic()) * 1000
            if not readable.poll(left):
                self.broken = f"commits waited for {self._seconds:.0f} s until mariadb-backup would unlock them"
                self._until = None
                self._backup.kill()
                continue
            printed = os.read(stream.fileno(), CHUNK)
            *lines, rest = (rest + printed).split(b"\n")
            for line in lines:
                self._heed(line)
            if not printed:
                return

    def _heed(self, line: bytes) -> None:
        self.last = line.decode(errors="replace")
        if self._locks in line and not self._locked:
            self._locked, self._until = True, time.monotonic() + self._seconds
        elif END in line:
            self._until = None
