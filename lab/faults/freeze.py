"""The fault `freeze`: SIGSTOP to all processes of one service; the node itself keeps running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.faults.fault import Facts

SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"
# `$2`: the service's name on a node that an earlier version created.
# `pids`: the service's process and its descendants, parents first, so that no child created meanwhile is missed.
TREE = f"""
tree() {{ echo "$1"; for child in $(pgrep -P "$1"); do tree "$child"; done; }}
pid=$({SUPERVISOR} pid "$1") || {{ [ -n "$2" ] && pid=$({SUPERVISOR} pid "$2"); }} || {{ echo "$pid"; exit 3; }}
[ "$pid" != 0 ] || {{ echo "$1 does not run"; exit 3; }}
pids=$(tree "$pid")
"""
STOP = TREE + "kill -STOP $pids"
CONTINUE = TREE + "kill -CONT $pids"
STATES = TREE + "ps -o stat= -p $(echo $pids | tr ' ' ',')"


RENAMED = {
    "names": "dnsmasq",
    "banning": "fail2ban",
    "dkim": "opendkim",
    "alive": "haproxy-watchdog",
    "leaving": "haproxy-drain",
    "mysql": "mysql-keeper",
}
"""Services by their former names, which are accepted until 0.3."""


def renamed(service: str) -> str:
    """The notice about a former name of a service; empty for any other name."""
    return (
        f"the service '{service}' is '{RENAMED[service]}' now; 0.3 removes the old name" if service in RENAMED else ""
    )


@dataclass(frozen=True)
class Freeze(Fault):
    """Freezes a service, named as in the supervisor's configuration: `haproxy`, `httpd`, `php-fpm`."""

    kind = "freeze"
    service: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "service", RENAMED.get(self.service, self.service))

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        for node in self.nodes:
            done = self._run(backend, node, STOP)
            if done:
                status = backend.run(node, ["sh", "-c", f"{SUPERVISOR} status"]).stdout
                names = ", ".join(line.split()[0] for line in status.splitlines() if line)
                raise SpecError(
                    f"{node} has no running service '{self.service}': {done}",
                    where=node,
                    next_step=f"services: {names}",
                )
        return {}

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark, facts
        frozen, observations = True, []
        for node in self.nodes:
            states = backend.run(node, ["sh", "-c", STATES, "sh", *self._names]).stdout.split()
            stopped = sum(state.startswith("T") for state in states)
            frozen = frozen and bool(states) and stopped == len(states)
            observations.append(f"{node}: {stopped} of {len(states)} processes of {self.service} stopped")
        return ProbeResult(frozen, "; ".join(observations))

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        for node in self.nodes:
            error = self._run(backend, node, CONTINUE)
            if error and "does not run" not in error and "No such process" not in error:
                raise BackendError(f"cannot resume {self.service} of {node}: {error}", where=node)

    def _run(self, backend: Backend, node: str, script: str) -> str:
        """The script's error; empty on success."""
        done = backend.run(node, ["sh", "-c", script, "sh", *self._names])
        return "" if done.ok else done.last_line

    @property
    def _names(self) -> tuple[str, str]:
        """The service's name now and formerly."""
        return self.service, next((old for old, new in RENAMED.items() if new == self.service), "")

    def __str__(self) -> str:
        return f"freeze {self.service} of {' '.join(self.nodes)}"
