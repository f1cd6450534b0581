"""Another program, run to its end; what it says when it fails."""

from __future__ import annotations

import subprocess
from typing import IO, Any

FULL = "No space left on device"


class Failed(Exception):
    """Something did not work. `bad_request`: the request cannot be met; nothing was tried."""

    def __init__(self, what: str, *, next_step: str = "", bad_request: bool = False) -> None:
        super().__init__(what)
        self.what, self.next_step, self.bad_request = what, next_step, bad_request


def run(  # noqa: PLR0913  as subprocess.run
    what: str,
    argv: list[str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    good: tuple[int, ...] = (0,),
    env: dict[str, str] | None = None,
) -> str:
    """Runs it, and returns what it printed.

    Args:
        what: what it is for, for the message.
        argv: the command.
        stdin: a file; empty if left out.
        stdout: a file, where what it prints is not small.
        good: the exit codes that are no failure.
        env: its whole environment, if not this one.

    Raises:
        Failed: it ended with another code.
    """
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        argv, stdin=stdin or subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, env=env, check=False
    )
    if done.returncode not in good:
        raise refused(what, done.stderr.decode(errors="replace"), done.returncode)
    return (done.stdout or b"").decode(errors="replace")


def refused(what: str, output: str, code: int) -> Failed:
    """The failure that a program's last words speak of."""
    if FULL.lower() in output.lower():
        return Failed(
            f"{what}: the backup node's disk is full", next_step="make room, or keep fewer backups ('backup.keep')"
        )
    # rsync's last line only says that something went wrong above.
    lines: list[Any] = [line for line in output.strip().splitlines() if not line.startswith("rsync error:")]
    return Failed(f"{what}: {lines[-1] if lines else f'exit code {code}'}")
