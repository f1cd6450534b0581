"""A program that the keeper starts: each wait for its end is bounded."""

from __future__ import annotations

import subprocess

from .server import KILL_SECONDS

END_SECONDS = 30.0
"""For a program to end once it has no more to read or to write: it closes files and unlocks what it locked."""


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


def kill(name: str, process: subprocess.Popen[bytes]) -> None:
    """Ends it at once. One that waits for its disk ends later, and is named in the log."""
    process.kill()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name} (process {process.pid}) was killed and has not ended: its disk does not answer", flush=True)
