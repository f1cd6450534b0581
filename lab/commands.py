"""Commands of this machine that end within a limit, with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_SECONDS = 10


def finished(argv: Sequence[str], output: IO[bytes], seconds: float, environment: Mapping[str, str]) -> str:
    """Runs a command; how it failed, empty where it ended with 0.

    Args:
        argv: the command.
        output: where its standard output and standard error go.
        seconds: the limit; its whole session is ended then, by SIGTERM first.
        environment: added to this process's own.
    """
    with subprocess.Popen(  # noqa: S603  the callers' own commands
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    ) as running:
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(running)
            return f"not done after {seconds:g} s"
        except BaseException:
            _end(running)
            raise
    return "" if code == 0 else f"exit code {code}"


def _end(running: subprocess.Popen[bytes]) -> None:
    """Ends the command and what it started: a package manager that is only orphaned would go on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):  # those of the group that did not obey
        os.killpg(running.pid, signal.SIGKILL)
