"""The time of a host whose processor counts it by instructions, read through a shell there that is kept."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import subprocess
import threading
from typing import TYPE_CHECKING

from lab.clock import Moment
from lab.errors import BackendError

if TYPE_CHECKING:
    from lab.backends.xen.ssh import Link

TELL = 'while read -r _; do read -r up _ < /proc/uptime; echo "$EPOCHREALTIME $up"; done'
SILENT_SECONDS = 120  # of this machine, which may be busy: an answer takes 10 ms
LINE_BYTES = 64


class HostTime:
    """Reads a host's clock: 10 ms of this machine's time, 0.2 ms of the host's (measured).

    Raises:
        BackendError: the host does not answer.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._shell: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def __call__(self) -> Moment:
        with self._lock:
            line = self._ask() or self._ask()  # a kept shell ends with the connection that it came by
        if not line:
            raise BackendError(
                f"{self._link.where} does not tell its time",
                where=self._link.where,
                next_step="'lab xen host status' shows whether it runs; 'lab xen host down' and 'up' restart it",
            )
        unix, steady = line.split()
        return Moment(float(unix), float(steady))

    def close(self) -> None:
        """Ends the shell."""
        shell, self._shell = self._shell, None
        if shell is None:
            return
        for pipe in (shell.stdin, shell.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        shell.terminate()
        shell.wait()

    def _ask(self) -> str:
        """One answer; empty if the shell does not give one, and is ended."""
        shell = self._shell or self._open()
        assert shell.stdin  # noqa: S101  pipes, see _open
        assert shell.stdout  # noqa: S101
        with contextlib.suppress(OSError):
            os.write(shell.stdin.fileno(), b"\n")
            answered, _, _ = select.select([shell.stdout], [], [], SILENT_SECONDS)
            line = os.read(shell.stdout.fileno(), LINE_BYTES) if answered else b""
            if line.endswith(b"\n"):
                return line.decode().strip()
        self.close()
        return ""

    def _open(self) -> subprocess.Popen[bytes]:
        self._link.connect()
        self._shell = subprocess.Popen(  # noqa: S603
            self._link.command(TELL),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the lab's: it still reads the time while it reverts faults
        )
        return self._shell
