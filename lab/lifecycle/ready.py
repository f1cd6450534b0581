"""Up means ready: waits until a node serves, and until the cluster's promises hold; names what does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.errors import BackendError, LabError, NotReady
from lab.lifecycle import each

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.lifecycle.report import Report
    from lab.plan import Plan

READY_SECONDS = 120.0
LAST_LINES = 8


def node(backend: Backend, name: str, seconds: float, directory: str = "ready.d") -> None:
    """Waits until a node says that it is ready.

    Raises:
        NotReady: it did not within `seconds`; carries its reason and its last log lines.
    """
    begun = time.monotonic()
    try:
        said = backend.run(name, ["/usr/lib/lab/await", str(int(seconds)), directory], seconds=seconds + 10)
    except BackendError as error:
        raise _not_ready(backend, name, time.monotonic() - begun, error.what) from error
    if not said.ok:
        raise _not_ready(backend, name, time.monotonic() - begun, said.said)


def promises(backend: Backend, plan: Plan, seconds: float, report: Report) -> None:
    """Waits until every check of the plan holds.

    Raises:
        NotReady: one does not; says which, and what was last seen.
    """
    report.say("waiting until the cluster's promises hold")
    each.one_by_thread([check.node for check in plan.checks], lambda name: node(backend, name, seconds, "check.d"))


def _not_ready(backend: Backend, name: str, seconds: float, reason: str) -> NotReady:
    try:
        tail = list(backend.logs(name, tail=LAST_LINES))
    except LabError:
        tail = []
    shown = "".join(f"\n    | {line}" for line in tail)
    return NotReady(
        f"{name} is not ready after {seconds:.0f} s: {reason}{shown}",
        where=name,
        next_step=f"'lab logs {name}' shows all of it; 'lab enter {name}' looks inside",
    )
