"""Commands of this machine that work on a cluster, with limits by the clock of its nodes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.clock import Clock


def completed(
    clock: Clock,
    argv: Sequence[str],
    seconds: float,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, whatever its exit code.

    Args:
        clock: of the nodes that it works on.
        argv: the command.
        seconds: its limit with nodes on an ordinary processor.
        cwd: where it runs.
        env: its environment; default: that of the tests.

    Raises:
        TimeoutExpired: it did not end within the limit.
    """
    limit = clock.guard(seconds)
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit, cwd=cwd, env=env)
