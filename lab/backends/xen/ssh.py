"""One multiplexed connection by the system's own ssh: its configuration, its agent and its known hosts are respected.

The master is started on purpose and has no pipe of ours: one that a command starts by itself keeps that command's
output open, and a reader that waits for its end waits for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from subprocess import PIPE
from typing import IO, TYPE_CHECKING

from lab import interrupts, paths
from lab.backends.xen import trouble
from lab.errors import BackendError, HostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.clock import Clock

CHECKED = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes")
CONNECT_SECONDS = 10  # for the way in and the banner of the other side
CONTROL_SECONDS = 15  # for a question to a master on this machine
MARGIN_SECONDS = 5  # in which ssh itself says that it had no answer, before it is ended
IDLE_SECONDS = 300  # an unused master ends by itself
ALIVE_SECONDS, ALIVE_COUNT = 5, 6  # a connection is lost when the other side owes so many answers, asked so often
LOOK_SECONDS = 1.0  # between two looks at the other side's own clock
LOST = 255  # ssh's own exit code


@dataclass(frozen=True)
class Completed:
    """What a command on the other side did."""

    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        """Its output as text."""
        return self.stdout.decode(errors="replace")

    @property
    def err(self) -> str:
        """Its complaints as text."""
        return self.stderr.decode(errors="replace").replace("\r", "").strip()


@dataclass
class Link:
    """A connection that many commands share.

    Attributes:
        where: what it leads to, for a person.
        arguments: ssh's options and the destination at their end.
        clock: the time of the other side.
        extra: options of the master alone, such as forwarded ports.
        persist: seconds without use after which the master ends; 0 for never.
        label: what its socket is found again by, see `sockets`.
    """

    where: str
    arguments: Sequence[str]
    clock: Clock
    extra: Sequence[str] = ()
    persist: int = IDLE_SECONDS
    label: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _connected: bool = False

    @property
    def socket(self) -> Path:
        """Where its master listens; one for each way to connect. Short, as such paths have to be."""
        digest = hashlib.sha256("\0".join([*self.arguments, *self.extra]).encode()).hexdigest()[:16]
        return paths.sockets() / (f"{digest}.{self.label}" if self.label else digest)

    def run(self, command: str, *, seconds: float, stdin: bytes = b"") -> Completed:
        """Runs a shell command there.

        Args:
            command: for the shell there.
            seconds: the limit on an ordinary processor, by the time of the other side.
            stdin: its input.

        Raises:
            HostError: there is no way in; says why.
            BackendError: it did not end within the limit, or the connection was lost.
        """
        self.connect()
        limit = self.clock.limit(seconds)
        argv = self.command(command)
        # In a session of its own: the terminal sends Ctrl-C to the lab alone, which may defer it.
        with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True) as process:  # noqa: S603
            try:
                output, errors = self._outcome(process, stdin, limit)
            except BaseException:
                process.kill()
                raise
        if output is None:
            raise BackendError(f"{self.where} did not answer within {limit:.0f} s: {command[:80]}", where=self.where)
        if process.returncode == LOST and not self.answers():
            self._connected = False
            raise BackendError(f"the connection to {self.where} was lost", where=self.where)
        return Completed(process.returncode, output, errors)

    def _outcome(self, process: subprocess.Popen[bytes], stdin: bytes, limit: float) -> tuple[bytes | None, bytes]:
        """What a command prints; None if it has not ended within the limit, by the time of the other side."""
        unsent: bytes | None = stdin
        begun, deadline = time.monotonic(), None
        while True:
            # A clock of their own is asked about what lasts: most commands end at once.
            patience = LOOK_SECONDS if self.clock.own else max(0.0, begun + limit - time.monotonic())
            try:
                return process.communicate(unsent, timeout=patience)
            except subprocess.TimeoutExpired:
                unsent = None
            now = self.clock.steady()
            if deadline is None:
                deadline = now + limit if self.clock.own else now
            if now >= deadline:
                process.kill()
                return None, b""

    def command(self, command: str, *, terminal: bool = False) -> list[str]:
        """The command line on this machine that runs a shell command there."""
        return ["ssh", *(["-t"] if terminal else ["-T"]), "-S", str(self.socket), *self.arguments, command]

    def connect(self) -> None:
        """Leaves a master that answers.

        Raises:
            HostError: there is no way in; says why.
        """
        with self._lock:
            if self._connected and self.socket.exists():
                return
            if not self.answers():
                self._start()
            self._connected = True

    def close(self) -> None:
        """Ends the master, if there is one."""
        with self._lock:
            self._connected = False
            end(self.socket)

    def _start(self) -> None:
        self.socket.unlink(missing_ok=True)
        persist = f"ControlPersist={self.persist or 'yes'}"
        limit = math.ceil(self.clock.guard(CONNECT_SECONDS))
        alive = math.ceil(self.clock.guard(ALIVE_SECONDS))
        lost = ("-o", f"ServerAliveInterval={alive}", "-o", f"ServerAliveCountMax={ALIVE_COUNT}")
        options = ("-o", persist, "-o", f"ConnectTimeout={limit}", *lost, *self.extra)
        argv = ["ssh", "-f", "-N", "-M", "-S", str(self.socket), *options, *self.arguments]
        with tempfile.TemporaryFile() as errors:
            try:
                code = _master(argv, errors, limit + MARGIN_SECONDS)
            except FileNotFoundError as error:
                raise HostError("'ssh' is missing", next_step="install OpenSSH's client (openssh-client)") from error
            except subprocess.TimeoutExpired as error:
                raise trouble.unreachable(self.where, f"no answer within {limit} s") from error
            errors.seek(0)
            if code:
                raise trouble.unreachable(self.where, errors.read().decode(errors="replace").strip())

    def answers(self) -> bool:
        """Whether there is a master, and it answers."""
        return self.socket.exists() and _control(self.socket, "check")


def sockets(label: str) -> list[Path]:
    """The sockets of all masters with a label, also those of other commands."""
    return list(paths.sockets().glob(f"*.{label}"))


def end(socket: Path) -> None:
    """Ends a master, if there is one."""
    if socket.exists():
        _control(socket, "exit")
        socket.unlink(missing_ok=True)


def _master(argv: Sequence[str], errors: IO[bytes], seconds: float) -> int:
    """Starts a master; returns ssh's exit code.

    It leaves the terminal once it is connected, and the ssh by which it reaches a host behind another one does not:
    each Ctrl-C would end that. A session of their own would keep the other host from asking for a password.
    """
    with interrupts.unheard():
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)  # noqa: S603
    with process:
        try:
            return process.wait(seconds)
        except BaseException:
            process.kill()
            raise


def _control(socket: Path, verb: str) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired, FileNotFoundError):
        done = subprocess.run(  # noqa: S603
            ["ssh", "-S", str(socket), "-O", verb, "any"],  # noqa: S607
            capture_output=True,
            timeout=CONTROL_SECONDS,
            check=False,
            start_new_session=True,  # see `Link.run`
        )
        return done.returncode == 0
    return False
