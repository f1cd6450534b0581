"""Readiness: waits until nodes serve and the cluster's promises hold; names those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import State
from lab.backends.optional import logs
from lab.errors import BackendError, LabError, NotReady

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend

READY_SECONDS = 120.0
LAST_LINES = 8


READY = "ready.d"
"""What a node is asked: whether it serves."""

ENDED = "its first process has ended"

ALL = (READY, "check.d")
"""And whether what it promises to the cluster holds: that its pool is full, that the site answers on the VIP."""


def node(backend: Backend, name: str, seconds: float, checks: Sequence[str] = (READY,)) -> None:
    """Waits until a node passes all readiness checks.

    Raises:
        NotReady: not within `seconds`; carries the node's reason and last log lines.
    """
    clock = backend.clock
    begun, limit = clock.steady(), int(clock.limit(seconds))
    try:
        result = backend.run(name, ["/usr/lib/lab/await", str(limit), *checks], seconds=seconds + 10)
    except BackendError as error:
        raise _not_ready(backend, name, clock.steady() - begun, error.what) from error
    if not result.ok:
        raise _not_ready(backend, name, clock.steady() - begun, result.last_line)


def nodes(backend: Backend, names: Sequence[str], seconds: float, checks: Sequence[str] = ALL) -> None:
    """Waits until these nodes serve, and until their promises to the cluster hold, if requested.

    Raises:
        NotReady: names the node and its last reason.
    """
    parallel.for_each(names, lambda name: node(backend, name, seconds, checks))


def _not_ready(backend: Backend, name: str, seconds: float, reason: str) -> NotReady:
    reason = ENDED if ended(backend, name) else reason
    try:
        tail = list(logs(backend).logs(name, tail=LAST_LINES))
    except LabError:
        tail = []
    shown = "".join(f"\n    | {line}" for line in tail)
    return NotReady(
        f"{name} is not ready after {seconds:.0f} s: {reason}{shown}",
        where=name,
        next_step=f"'lab logs {name}' shows its log, 'lab enter {name}' a shell, 'lab restart {name}' restarts it",
        awaited=f"{name} to be ready",
        last=reason,
    )


def ended(backend: Backend, name: str) -> bool:
    """Whether a node that was started is not running any more."""
    try:
        node = backend.observe().node(name)
    except LabError:
        return False
    return bool(node and node.state is State.STOPPED)
