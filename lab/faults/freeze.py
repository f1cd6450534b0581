"""A service that hangs inside a node that does not: SIGSTOP to all its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.faults.fault import Facts

SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"
# `pids`: the service's process and all below it, parents first, so that none has a child which is not seen.
TREE = f"""
tree() {{ echo "$1"; for child in $(pgrep -P "$1"); do tree "$child"; done; }}
pid=$({SUPERVISOR} pid "$1") || {{ echo "$pid"; exit 3; }}
[ "$pid" != 0 ] || {{ echo "$1 does not run"; exit 3; }}
pids=$(tree "$pid")
"""
STOP = TREE + "kill -STOP $pids"
GO_ON = TREE + "kill -CONT $pids"
STATES = TREE + "ps -o stat= -p $(echo $pids | tr ' ' ',')"


@dataclass(frozen=True)
class Freeze(Fault):
    """A service of the node, by the supervisor's name, such as `haproxy`, `httpd`, `php-fpm`."""

    kind = "freeze"
    service: str = ""

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        for node in self.nodes:
            done = self._run(backend, node, STOP)
            if done:
                said = backend.run(node, ["sh", "-c", f"{SUPERVISOR} status"]).stdout
                names = ", ".join(line.split()[0] for line in said.splitlines() if line)
                raise SpecError(
                    f"{node} has no service '{self.service}' that runs: {done}",
                    where=node,
                    next_step=f"it has: {names}",
                )
        return {}

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark, facts
        frozen, seen = True, []
        for node in self.nodes:
            states = backend.run(node, ["sh", "-c", STATES, "sh", self.service]).stdout.split()
            stopped = sum(state.startswith("T") for state in states)
            frozen = frozen and bool(states) and stopped == len(states)
            seen.append(f"{node}: {stopped} of {len(states)} processes of {self.service} stand still")
        return Look(frozen, "; ".join(seen))

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        for node in self.nodes:
            said = self._run(backend, node, GO_ON)
            if said and "does not run" not in said and "No such process" not in said:
                raise BackendError(f"{self.service} of {node} can't go on: {said}", where=node)

    def _run(self, backend: Backend, node: str, script: str) -> str:
        """Nothing, or why it failed."""
        done = backend.run(node, ["sh", "-c", script, "sh", self.service])
        return "" if done.ok else done.said

    def __str__(self) -> str:
        return f"freeze {self.service} of {' '.join(self.nodes)}"
