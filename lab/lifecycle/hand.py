"""Nodes that are by hand: whether they boot, and what they printed last where they don't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.backends.optional import Consoles, Logs
from lab.errors import BackendError, LabError, NotReady
from lab.lifecycle.ready import LAST_LINES
from lab.recipes import manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend, Observed

BOOT_SECONDS = 20.0
SUPERVISED = ["test", "-S", "/run/supervisor.sock"]


def boots(backend: Backend, name: str) -> bool:
    """Waits until the supervisor of a started node runs; whether it did. Services may run or not."""

    def ask() -> bool:
        node = backend.observe().node(name)
        if node is None or node.state is not State.RUNNING:
            return True  # it has ended
        return backend.run(name, SUPERVISED, seconds=5).ok

    try:
        backend.clock.until(f"{name} to boot", BOOT_SECONDS, ask)
        return backend.run(name, SUPERVISED, seconds=5).ok
    except (NotReady, BackendError):
        return False


def left_services(node: Observed) -> list[str]:
    """The services that a node lacks as it is by hand: its readiness check asks them, so that it need not get ready."""
    try:
        return sorted(manifest(node.role).by_hand.services) if node.fixed.by_hand else []
    except KeyError:  # an application, or a role that is not known here
        return []


def says(services: Sequence[str]) -> str:
    """What is said of a node that lacks these services."""
    return f"a person does what {' and '.join(services)} would do"


def last_lines(backend: Backend, name: str) -> list[str]:
    """The last lines of a node's console, else of its log; none where neither is kept."""
    try:
        if isinstance(backend, Consoles):
            return list(backend.console(name, tail=LAST_LINES))
        return list(backend.logs(name, tail=LAST_LINES)) if isinstance(backend, Logs) else []
    except LabError:
        return []


def does_not_boot(backend: Backend, name: str) -> str:
    """The message about a node that does not boot, with its last lines."""
    shown = "".join(f"\n    | {line}" for line in last_lines(backend, name))
    return f"{name}, which is by hand, does not boot{shown}"


def ended(backend: Backend, names: Sequence[str]) -> list[str]:
    """Those of these nodes that do not run."""
    states = {node.name: node.state for node in backend.observe().nodes}
    return [name for name in names if states.get(name) is not State.RUNNING]
