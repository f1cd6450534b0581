"""What happens to whole machines: killed, stopped, paused, restarted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import Lack, State
from lab.errors import BackendError
from lab.faults import wire
from lab.faults.fault import Fault, Look
from lab.lifecycle import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

ANSWER_SECONDS = 2.0
BOOT = "cat /proc/sys/kernel/random/boot_id; cut -d ' ' -f 22 /proc/1/stat"
"""Which boot of a node this is: of its kernel in a domain, of its first process in a container."""


def _states(backend: Backend, nodes: tuple[str, ...]) -> dict[str, State]:
    return {node.name: node.state for node in backend.observe().nodes if node.name in nodes}


def _start(backend: Backend, nodes: tuple[str, ...]) -> None:
    """Starts or wakes those that do not run, and waits until all are ready."""
    down = [name for name, state in _states(backend, nodes).items() if state is not State.RUNNING]
    parallel.for_each(down, backend.start)
    parallel.for_each(nodes, lambda name: ready.node(backend, name, ready.READY_SECONDS))


def _answers(backend: Backend, node: str) -> bool:
    try:
        return backend.run(node, ["true"], seconds=ANSWER_SECONDS).ok
    except BackendError:
        return False


@dataclass(frozen=True)
class _Power(Fault):
    """One of the backend's own verbs, on all nodes at once."""

    @property
    def wanted(self) -> State:
        """What the engine has to say of the nodes."""
        return State.STOPPED

    def verb(self, backend: Backend) -> Callable[[str], None]:
        """What is done to a node."""
        raise NotImplementedError

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark  # a machine that is off carries nothing
        parallel.for_each(self.nodes, self.verb(backend))
        return {}

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark, facts
        states = _states(backend, self.nodes)
        seen = ", ".join(f"{name} is {state}" for name, state in states.items())
        if set(states.values()) != {self.wanted}:
            return Look(bites=False, seen=seen)
        asked = self._reached if self.wanted is State.STOPPED else _answers
        alive = [name for name in self.nodes if asked(backend, name)]
        return Look(
            not alive, f"{seen}; {f'{alive[0]} answers' if alive else 'nothing that is sent there is answered'}"
        )

    def _reached(self, backend: Backend, node: str) -> bool:
        """Whether a packet from another node is answered; a container that is paused answers packets still."""
        sender = next((other.name for other in reversed(wire.running(backend, self.nodes))), None)
        found = backend.observe().node(node)
        return bool(sender and found and wire.ping(backend, sender, found.address, "-c", "1", "-W", "0.3").ok)

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        _start(backend, self.nodes)


@dataclass(frozen=True)
class Kill(_Power):
    """The power is cut."""

    kind = "kill"

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.kill


@dataclass(frozen=True)
class Stop(_Power):
    """Somebody stops it cleanly: services end in order."""

    kind = "stop"

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.stop


@dataclass(frozen=True)
class Pause(_Power):
    """It hangs: its connections stay, and nothing is answered."""

    kind = "pause"

    def needs(self, can: Capabilities) -> str:
        return can.lacks.get(Lack.PAUSE, "")

    @property
    def wanted(self) -> State:
        return State.PAUSED

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.pause


@dataclass(frozen=True)
class Restart(Fault):
    """It is killed and started again at once; over when it is ready."""

    kind = "restart"
    lasting = False

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        before = self._boots(backend)
        parallel.for_each(self.nodes, backend.kill)
        _start(backend, self.nodes)
        return before

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark
        now = self._boots(backend)
        return Look(all(now[name] != facts.get(name) for name in self.nodes), "each node's boot is another one")

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        _start(backend, self.nodes)

    def _boots(self, backend: Backend) -> Facts:
        return {name: backend.run(name, ["sh", "-c", BOOT]).stdout for name in self.nodes}
