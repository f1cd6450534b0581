"""Faults of single processes: `hang` (SIGSTOP) and `crash` (SIGKILL); the node keeps running."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.faults.fault import Facts


@dataclass(frozen=True)
class _Process(Fault):
    """`process`: a part of the command line, such as `mariadbd` or `lab_node.keeper`."""

    process: str = ""

    def __post_init__(self) -> None:
        if len(self.process) < 3:  # noqa: PLR2004  a shorter text matches most command lines
            raise SpecError(
                f"'{self.process}' is too short to identify a process",
                next_step="use a longer part of its command line",
            )

    def _matching(self, backend: Backend) -> dict[str, str]:
        """Process IDs of each node, before any process gets a signal.

        Raises:
            SpecError: a node has no such process.
        """
        matching = {node: self._pids(backend, node) for node in self.nodes}
        for node, pids in matching.items():
            if not pids:
                raise SpecError(
                    f"{node} has no process with '{self.process}' in its command line",
                    where=node,
                    next_step=f"'lab exec {node} -- ps ax' lists them",
                )
        return matching

    def _send(self, backend: Backend, name: str) -> None:
        for node in self.nodes:
            done = backend.run(node, ["pkill", f"-{name}", "-f", self._pattern])
            if not done.ok:
                raise BackendError(f"cannot send SIG{name} to {self.process} of {node}: {done.last_line}", where=node)

    def _pids(self, backend: Backend, node: str) -> str:
        return " ".join(backend.run(node, ["pgrep", "-f", self._pattern]).stdout.split())

    @property
    def _pattern(self) -> str:
        """A pattern for pgrep that does not match pgrep's own command line."""
        first, rest = re.escape(self.process[0]), re.escape(self.process[1:])
        return f"[{first}]{rest}"

    def __str__(self) -> str:
        return f"{self.kind} {self.process} of {' '.join(self.nodes)}"


@dataclass(frozen=True)
class Hang(_Process):
    """Stops one process; its parent and children keep running."""

    kind = "hang"

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        before = self._matching(backend)
        self._send(backend, "STOP")
        return before

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark
        stopped = {node: self._stopped(backend, node, facts.get(node, "")) for node in self.nodes}
        observation = ", ".join(f"{node}: {count} processes stopped" for node, count in stopped.items())
        return ProbeResult(all(stopped.values()), observation)

    def _stopped(self, backend: Backend, node: str, pids: str) -> int:
        if not pids:
            return 0
        states = backend.run(node, ["ps", "-o", "stat=", "-p", pids.replace(" ", ",")]).stdout.split()
        return sum(state.startswith("T") for state in states)

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        for node in self.nodes:
            # The process's supervisor may have killed it meanwhile: pkill then exits with 1.
            done = backend.run(node, ["pkill", "-CONT", "-f", self._pattern])
            if done.rc not in (0, 1):
                raise BackendError(f"cannot resume {self.process} of {node}: {done.last_line}", where=node)


@dataclass(frozen=True)
class Crash(_Process):
    """Kills one process; ends at once, since the supervisor may start it again."""

    kind = "crash"
    lasting = False

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        before = self._matching(backend)
        self._send(backend, "KILL")
        return before

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark
        left = {node: set(self._pids(backend, node).split()) & set(facts.get(node, "").split()) for node in self.nodes}
        return ProbeResult(not any(left.values()), f"the process of {' '.join(self.nodes)} has ended")

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        """Nothing to revert."""
        del backend, mark, facts
