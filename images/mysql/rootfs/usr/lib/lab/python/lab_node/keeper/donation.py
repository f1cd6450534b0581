"""The donor's side of a copy: what mariadb-backup streams of this node, and how long commits may wait for it."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

from . import child
from .http1 import Refused
from .server import SOCKET
from .wire import CHUNK

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

NAME = "mariadb-backup"
HELD = 2  # times the patience that a node which is copied may hold up commits here, or take nothing
QUIET_SECONDS = 1.0  # until an empty piece says that nothing has come
READ_SECONDS = 1.0  # for what it printed last to be read, when it has ended
LOOK_SECONDS = 0.1  # between two looks at how long commits have waited
COMMITS, DDL, END = b"BACKUP STAGE BLOCK_COMMIT", b"BACKUP STAGE BLOCK_DDL", b"BACKUP STAGE END"
"""What mariadb-backup prints before it locks commits, before it locks definitions, and before it unlocks both."""

_one = threading.Lock()  # held by the thread of the present donation


def donated(patience: float, *, galera: bool = False) -> Generator[bytes, None, None]:
    """What mariadb-backup streams of this node: to one other node at a time.

    It is ended when commits have waited for that node for `HELD` times the patience: one that hangs, or is slow, amid
    its copy would hold them up for as long. A Galera node takes part in no commit from the lock of definitions on.

    Yields:
        a piece, or nothing after each second in which nothing came.

    Raises:
        Refused: another node is being copied, or mariadb-backup does not start.
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
                yield from bound.timed(_pieces(backup.stdout))
            bound.judge(child.code(NAME, backup))
        except OSError as error:
            print(f"a copy of this node was broken off: {error}", flush=True)
            raise
        except GeneratorExit:
            reason = bound.broken or "the node that is copied has gone, or took nothing"
            print(f"a copy of this node was broken off: {reason}", flush=True)
            raise
        finally:
            child.kill(NAME, backup)
    finally:
        _one.release()


def _begun(options: list[str]) -> subprocess.Popen[bytes]:
    argv = [NAME, "--defaults-file=/etc/lab/my.cnf", "--backup", "--stream=mbstream", "--user=root"]
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
    """Ends mariadb-backup when what it has locked has waited for too long until its pieces were taken.

    The time that it takes by itself does not count: it would take as long at the next try.

    Attributes:
        last: the last line that it printed.
        broken: why it was ended; empty where it was not.
    """

    def __init__(self, backup: subprocess.Popen[bytes], locks: bytes, seconds: float) -> None:
        self.last = self.broken = ""
        self._backup, self._locks, self._seconds = backup, locks, seconds
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._locked_at: float | None = None
        self._given_at: float | None = None  # of a piece that is not taken yet
        self._waited = 0.0  # under the lock, for pieces that were taken

    def start(self) -> None:
        """In a thread of its own.

        Raises:
            OSError: there are too many threads.
        """
        try:
            self._watching.start()
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def timed(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """The same pieces."""
        for piece in pieces:
            self._given_at = time.monotonic()
            yield piece
            waited, self._given_at = self._waits(), None  # first this: the other thread counts too little, never twice
            self._waited = waited

    def judge(self, code: int) -> None:
        """Raises OSError where mariadb-backup ended with a code that says so, or was ended."""
        if code:
            self._watching.join(READ_SECONDS)  # its last line may not be read yet
            raise OSError(self.broken or f"mariadb-backup ended with {code}: {self.last}")

    def _waits(self) -> float:
        """Seconds for which what is locked has waited."""
        locked, since = self._locked_at, self._given_at
        return self._waited + (time.monotonic() - max(locked, since) if locked and since else 0.0)

    def _watch(self) -> None:
        assert self._backup.stderr is not None
        with self._backup.stderr as stream:
            self._read(stream)

    def _read(self, stream: IO[bytes]) -> None:
        readable, rest = select.poll(), b""
        readable.register(stream, select.POLLIN)
        while True:
            if readable.poll(None if self._locked_at is None else LOOK_SECONDS * 1000):
                printed = os.read(stream.fileno(), CHUNK)
                *lines, rest = (rest + printed).split(b"\n")
                for line in lines:
                    self._heed(line)
                if not printed:
                    return
            if not self.broken and self._waits() > self._seconds:
                self.broken = f"commits waited for {self._seconds:.0f} s until the node that is copied took its data"
                self._backup.kill()

    def _heed(self, line: bytes) -> None:
        self.last = line.decode(errors="replace")
        if END in line:
            self._locked_at = None
        elif self._locks in line and self._locked_at is None:
            self._locked_at = time.monotonic()
