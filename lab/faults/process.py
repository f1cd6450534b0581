"""What happens to one process of a node: it is stopped by SIGSTOP, or ended by SIGKILL; the node goes on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.faults.fault import Facts


@dataclass(frozen=True)
class _Process(Fault):
    """`process`: what stands in its command line, such as `mariadbd` or `keeper/main.py`."""

    process: str = ""

    def __post_init__(self) -> None:
        if len(self.process) < 3:  # noqa: PLR2004  so short a text is in any command line
            raise SpecError(
                f"'{self.process}' tells no process from another", next_step="write a part of its command line"
            )

    def _found(self, backend: Backend) -> dict[str, str]:
        """The processes of each node, before any of them gets a signal.

        Raises:
            SpecError: a node has none.
        """
        found = {node: self._pids(backend, node) for node in self.nodes}
        for node, pids in found.items():
            if not pids:
                raise SpecError(
                    f"no process of {node} has '{self.process}' in its command line",
                    where=node,
                    next_step=f"'lab exec {node} -- ps ax' lists them",
                )
        return found

    def _signalled(self, backend: Backend, name: str) -> None:
        for node in self.nodes:
            done = backend.run(node, ["pkill", f"-{name}", "-f", self._pattern])
            if not done.ok:
                raise BackendError(f"{self.process} of {node} got no {name} signal: {done.said}", where=node)

    def _pids(self, backend: Backend, node: str) -> str:
        return " ".join(backend.run(node, ["pgrep", "-f", self._pattern]).stdout.split())

    @property
    def _pattern(self) -> str:
        """A pattern that does not stand in the command line of who looks for it."""
        first, rest = re.escape(self.process[0]), re.escape(self.process[1:])
        return f"[{first}]{rest}"

    def __str__(self) -> str:
        return f"{self.kind} {self.process} of {' '.join(self.nodes)}"


@dataclass(frozen=True)
class Hang(_Process):
    """It stands still, and only it: not what it started, nor what started it."""

    kind = "hang"

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        found = self._found(backend)
        self._signalled(backend, "STOP")
        return found

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark
        stopped = {node: self._stopped(backend, node, facts.get(node, "")) for node in self.nodes}
        seen = ", ".join(f"{node}: {count} processes stand still" for node, count in stopped.items())
        return Look(all(stopped.values()), seen)

    def _stopped(self, backend: Backend, node: str, pids: str) -> int:
        if not pids:
            return 0
        states = backend.run(node, ["ps", "-o", "stat=", "-p", pids.replace(" ", ",")]).stdout.split()
        return sum(state.startswith("T") for state in states)

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        for node in self.nodes:
            # Who watches it may have ended it meanwhile: then there is nobody to wake.
            done = backend.run(node, ["pkill", "-CONT", "-f", self._pattern])
            if done.rc not in (0, 1):
                raise BackendError(f"{self.process} of {node} can't go on: {done.said}", where=node)


@dataclass(frozen=True)
class Crash(_Process):
    """It is ended without warning; over at once: who watches it starts it again."""

    kind = "crash"
    lasting = False

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        before = self._found(backend)
        self._signalled(backend, "KILL")
        return before

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark
        left = {node: set(self._pids(backend, node).split()) & set(facts.get(node, "").split()) for node in self.nodes}
        return Look(not any(left.values()), f"what ran in {' '.join(self.nodes)} is gone")

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        """Nothing: a process that was ended can't be had back."""
        del backend, mark, facts
