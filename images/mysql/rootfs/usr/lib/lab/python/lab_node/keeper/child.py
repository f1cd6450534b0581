"""A program that the keeper starts: each wait for it is bounded."""

from __future__ import annotations

import os
import select
import subprocess

from .server import KILL_SECONDS

END_SECONDS = 30.0
"""For a program to end once it has no more to read or to write: it closes files and unlocks what it locked."""

TAKE_SECONDS = 60.0
"""For a program to read some of what it is sent: its disk may be slow."""


def feed(name: str, process: subprocess.Popen[bytes], piece: bytes) -> None:
    """Writes to the standard input of a program.

    Raises:
        OSError: it has ended, or has read nothing for `TAKE_SECONDS`.
    """
    assert process.stdin is not None
    writable, left = select.poll(), memoryview(piece)
    os.set_blocking(process.stdin.fileno(), False)
    writable.register(process.stdin, select.POLLOUT)
    while left:
        if not writable.poll(TAKE_SECONDS * 1000):
            raise OSError(f"{name} (process {process.pid}) has read nothing for {TAKE_SECONDS:.0f} s")
        left = left[os.write(process.stdin.fileno(), left) :]


def code(name: str, process: subprocess.Popen[bytes]) -> int:
    """The exit code of a program that has nothing more to do.

    Raises:
        OSError: it has not ended after `END_SECONDS`.
    """
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise OSError(
            f"{name} (process {process.pid}) has not ended {END_SECONDS:.0f} s after its last byte"
        ) from error


def run(argv: list[str], seconds: float) -> None:
    """Runs a program to its end. `subprocess.run` waits without a bound for one that it has killed.

    Raises:
        subprocess.SubprocessError: it has not ended after `seconds`, or failed.
    """
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        if failed := process.wait(seconds):
            raise subprocess.CalledProcessError(failed, argv)
    finally:
        kill(argv[0], process)


def kill(name: str, process: subprocess.Popen[bytes]) -> None:
    """Ends it at once. One that waits for its disk ends later, and is named in the log."""
    process.kill()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name} (process {process.pid}) was killed and has not ended: its disk does not answer", flush=True)
