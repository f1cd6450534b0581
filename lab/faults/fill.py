"""The fault `fill`: a full volume of fixed size, or a full tmpfs such as /tmp; never this machine's disk."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, ProbeResult
from lab.plan.model import TMPFS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

FILL_SECONDS = 120
# fallocate takes most of the free space at once where the filesystem supports it; dd takes the rest, page by page.
WRITE = """
fallocate -l "$(df -P -B1 "$(dirname {0})" | awk 'NR == 2 {{ print $4 }}')" {0} 2>/dev/null
dd if=/dev/zero of={0}.more bs=1M
dd if=/dev/zero of={0}.rest bs=4k
sync
"""
PROBE = "head -c 65536 /dev/zero > {0}.probe; rc=$?; rm -f {0}.probe; exit $rc"


@dataclass(frozen=True)
class Fill(Fault):
    """Fills a volume completely. `where`: a volume of the node by name, or /tmp or /run."""

    kind = "fill"
    where: str = "/tmp"  # noqa: S108  in the node, not here

    def needs(self, can: Capabilities) -> str:
        if self.where in TMPFS or can.sized_volumes:
            return ""
        return "volumes have no size limit here: filling one would fill this machine's disk"

    def apply(self, backend: Backend, mark: str) -> Facts:
        for node in self.nodes:
            file = shlex.quote(self._file(backend, node, mark))
            backend.run(node, ["sh", "-c", WRITE.format(file)], seconds=FILL_SECONDS)
        return {}

    def _file(self, backend: Backend, node: str, mark: str) -> str:
        if self.where in TMPFS:
            return f"{self.where}/.lab-fault-{mark}"
        observed = backend.observe().node(node)
        volumes = observed.fixed.volumes if observed else {}
        if self.where not in volumes:
            has = ", ".join([*volumes, *TMPFS])
            raise SpecError(f"{node} has no volume '{self.where}'", where=node, next_step=f"volumes: {has}")
        return f"{volumes[self.where]}/.lab-fault-{mark}"

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del facts
        results = {}
        for node in self.nodes:
            done = backend.run(node, ["sh", "-c", PROBE.format(shlex.quote(self._file(backend, node, mark)))])
            results[node] = not done.ok and "No space left" in done.stderr
        return ProbeResult(
            all(results.values()),
            "; ".join(f"{node}: {'no space left' if full else 'space left'}" for node, full in results.items()),
        )

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del facts
        for node in self.nodes:
            file = shlex.quote(self._file(backend, node, mark))
            done = backend.run(node, ["sh", "-c", f"rm -f {file} {file}.more {file}.rest {file}.probe"])
            if not done.ok:
                raise BackendError(f"cannot remove the file that fills {node}: {done.last_line}", where=node)

    def __str__(self) -> str:
        return f"fill {self.where} of {' '.join(self.nodes)}"
