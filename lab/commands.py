"""Commands on this machine with a time limit that includes all their children."""

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
    """Runs a command; returns its error, empty for exit code 0.

    Args:
        argv: the command.
        output: where its standard output and standard error go.
        seconds: the limit, after which its whole session is ended, by SIGTERM first.
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
    """Ends the command and its children: an orphaned package manager would continue."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):  # processes that ignored SIGTERM
        os.killpg(running.pid, signal.SIGKILL)
