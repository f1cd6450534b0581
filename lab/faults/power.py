"""Faults of whole nodes: `kill`, `stop`, `pause`, `restart`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import Lack, State
from lab.errors import BackendError
from lab.faults import network
from lab.faults.fault import Fault, ProbeResult
from lab.lifecycle import hand, ready
from lab.lifecycle.endings import Endings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

ANSWER_SECONDS = 2.0
BOOT = "cat /proc/sys/kernel/random/boot_id; cut -d ' ' -f 22 /proc/1/stat"
"""Prints an identifier of the boot: of the kernel in a domain, of the first process in a container."""


def _states(backend: Backend, nodes: tuple[str, ...]) -> dict[str, State]:
    return {node.name: node.state for node in backend.observe().nodes if node.name in nodes}


def _start(backend: Backend, nodes: tuple[str, ...]) -> None:
    """Starts or resumes nodes that do not run."""
    states = _states(backend, nodes)
    parallel.for_each([name for name, state in states.items() if state is not State.RUNNING], backend.start)


def _await_ready(backend: Backend, nodes: tuple[str, ...]) -> None:
    """Waits until all are ready; those by hand, until they boot."""
    existing = backend.observe()
    by_hand = [node.name for node in existing.nodes if node.name in nodes and node.fixed.by_hand]
    endings = Endings(existing, backend)

    def wait(name: str) -> None:
        if name not in by_hand:
            endings.nodes([name], ready.READY_SECONDS)
        else:
            hand.booted(backend, name)

    parallel.for_each(nodes, wait)


def _answers(backend: Backend, node: str) -> bool:
    try:
        return backend.run(node, ["true"], seconds=ANSWER_SECONDS).ok
    except BackendError:
        return False


@dataclass(frozen=True)
class _Power(Fault):
    """An operation of the backend, on all nodes in parallel."""

    @property
    def expected(self) -> State:
        """State that the engine must report for each node."""
        return State.STOPPED

    def verb(self, backend: Backend) -> Callable[[str], None]:
        """Operation on one node."""
        raise NotImplementedError

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark  # nothing is created in a stopped node
        parallel.for_each(self.nodes, self.verb(backend))
        return {}

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark, facts
        states = _states(backend, self.nodes)
        observation = ", ".join(f"{name} is {state}" for name, state in states.items())
        if set(states.values()) != {self.expected}:
            return ProbeResult(active=False, observation=observation)
        answers = self._reached if self.expected is State.STOPPED else _answers
        alive = [name for name in self.nodes if answers(backend, name)]
        return ProbeResult(not alive, f"{observation}; {f'{alive[0]} answers' if alive else 'no answer'}")

    def _reached(self, backend: Backend, node: str) -> bool:
        """Whether a packet from another node is answered; not for paused containers, whose kernel still answers."""
        sender = next((other.name for other in reversed(network.running(backend, self.nodes))), None)
        receiver = backend.observe().node(node)
        return bool(sender and receiver and network.ping(backend, sender, receiver.address, "-c", "1", "-W", "0.3").ok)

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        _start(backend, self.nodes)

    def await_ready(self, backend: Backend) -> None:
        _await_ready(backend, self.nodes)


@dataclass(frozen=True)
class Kill(_Power):
    """Power failure."""

    kind = "kill"

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.kill


@dataclass(frozen=True)
class Stop(_Power):
    """Clean shutdown: services stop in order."""

    kind = "stop"

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.stop


@dataclass(frozen=True)
class Pause(_Power):
    """A hang of the node: connections stay open and get no answer."""

    kind = "pause"

    def needs(self, can: Capabilities) -> str:
        return can.lacks.get(Lack.PAUSE, "")

    @property
    def expected(self) -> State:
        return State.PAUSED

    def verb(self, backend: Backend) -> Callable[[str], None]:
        return backend.pause


@dataclass(frozen=True)
class Restart(Fault):
    """Power failure and immediate start; ends when the node is ready."""

    kind = "restart"
    lasting = False

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        before = self._boots(backend)
        parallel.for_each(self.nodes, backend.kill)
        _start(backend, self.nodes)
        _await_ready(backend, self.nodes)
        return before

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark
        now = self._boots(backend)
        return ProbeResult(all(now[name] != facts.get(name) for name in self.nodes), "each node has booted again")

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        _start(backend, self.nodes)

    def await_ready(self, backend: Backend) -> None:
        _await_ready(backend, self.nodes)

    def _boots(self, backend: Backend) -> Facts:
        return {name: backend.run(name, ["sh", "-c", BOOT]).stdout for name in self.nodes}
