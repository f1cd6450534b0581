"""A full disk, where that fills nothing else: a volume with a size of its own, or memory such as /tmp."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults.fault import Fault, Look
from lab.plan.model import TMPFS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

FILL_SECONDS = 120
# What is free is taken at once where the filesystem can; then whatever is left, down to a page.
WRITE = """
fallocate -l "$(df -P -B1 "$(dirname {0})" | awk 'NR == 2 {{ print $4 }}')" {0} 2>/dev/null
dd if=/dev/zero of={0}.more bs=1M
dd if=/dev/zero of={0}.rest bs=4k
sync
"""
PROBE = "head -c 65536 /dev/zero > {0}.probe; rc=$?; rm -f {0}.probe; exit $rc"


@dataclass(frozen=True)
class Fill(Fault):
    """Not a byte more fits. `where`: a volume of the node by name, or /tmp or /run."""

    kind = "fill"
    where: str = "/tmp"  # noqa: S108  in the node, not here

    def needs(self, can: Capabilities) -> str:
        if self.where in TMPFS or can.sized_volumes:
            return ""
        return "volumes have no size of their own here: to fill one would fill this machine's disk"

    def apply(self, backend: Backend, mark: str) -> Facts:
        for node in self.nodes:
            file = shlex.quote(self._file(backend, node, mark))
            backend.run(node, ["sh", "-c", WRITE.format(file)], seconds=FILL_SECONDS)
        return {}

    def _file(self, backend: Backend, node: str, mark: str) -> str:
        if self.where in TMPFS:
            return f"{self.where}/.lab-fault-{mark}"
        found = backend.observe().node(node)
        volumes = json.loads(found.fixed)["volumes"] if found else {}
        if self.where not in volumes:
            has = ", ".join([*volumes, *TMPFS])
            raise SpecError(f"{node} has no volume '{self.where}'", where=node, next_step=f"it has: {has}")
        return f"{volumes[self.where]}/.lab-fault-{mark}"

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del facts
        looks = {}
        for node in self.nodes:
            done = backend.run(node, ["sh", "-c", PROBE.format(shlex.quote(self._file(backend, node, mark)))])
            looks[node] = not done.ok and "No space left" in done.stderr
        return Look(
            all(looks.values()), "; ".join(f"{node}: {'no' if full else 'a'} byte fits" for node, full in looks.items())
        )

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del facts
        for node in self.nodes:
            file = shlex.quote(self._file(backend, node, mark))
            done = backend.run(node, ["sh", "-c", f"rm -f {file} {file}.more {file}.rest {file}.probe"])
            if not done.ok:
                raise BackendError(f"what filled {node} can't be removed: {done.said}", where=node)

    def __str__(self) -> str:
        return f"fill {self.where} of {' '.join(self.nodes)}"
