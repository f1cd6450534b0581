"""Nodes that are by hand: whether they run and boot, what they printed last where they don't, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.backends.optional import Consoles, Logs, noted
from lab.errors import BackendError, LabError, NotReady, SpecError
from lab.lifecycle import origin
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


def booted(backend: Backend, name: str) -> None:
    """Waits until the supervisor of a started node runs.

    Raises:
        BackendError: it does not; with the node's last lines, and what creates the node again.
    """
    if not boots(backend, name):
        raise BackendError(
            f"{name}, which is by hand, does not boot{_lines(backend, name)}",
            where=name,
            next_step=created_again(backend, name),
        )


def does_not_run(backend: Backend, name: str) -> SpecError:
    """The refusal of what needs a node that does not run, with the last lines of one that has ended.

    The node may have been stopped on purpose: what is written on it is not given up before it was started.
    """
    node = backend.observe().node(name)
    if node is None:
        return SpecError(f"{name} does not exist", where=name, next_step="'lab up' creates it")
    if node.state is State.PAUSED:
        return SpecError(f"{name} is paused", where=name, next_step=f"'lab start {name}' resumes it")
    shown = _lines(backend, name) if node.fixed.by_hand else ""
    otherwise = f"; only where it ends again: {created_again(backend, name)}" if shown else ""
    return SpecError(f"{name} does not run{shown}", where=name, next_step=f"'lab start {name}' starts it{otherwise}")


def created_again(backend: Backend, name: str) -> str:
    """What creates a node by hand again: the lesson that its cluster was made for, else `down` and `up`."""
    if origin.lesson(noted(backend)):
        return f"'lab learn reset {name}' creates it again, without what was written on it"
    return "'lab down', then 'lab up' creates the nodes again, without what was written on them"


def _lines(backend: Backend, name: str) -> str:
    return "".join(f"\n    | {line}" for line in last_lines(backend, name))


def ended(backend: Backend, names: Sequence[str]) -> list[str]:
    """Those of these nodes that do not run."""
    states = {node.name: node.state for node in backend.observe().nodes}
    return [name for name in names if states.get(name) is not State.RUNNING]
