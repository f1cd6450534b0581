"""Which addresses are probed closely: those that the promises of the broken roles read, for a while after an event."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from lab.evidence.promises import promises

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.clock import Clock
    from lab.plan import Plan

CLOSE_SECONDS = 20.0
"""How long the probes stay close after the last fault or action, on an ordinary processor."""


class Attention:
    """The roles whose addresses are probed closely after an action, and until when; `clock`: of the nodes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = 0.0
        self._roles: frozenset[str] | None = frozenset()

    def extend(self, roles: frozenset[str] | None) -> None:
        """Observes these roles too, for a while from now on; None: all of them."""
        with self._lock:
            if not self._on:
                self._roles = frozenset()
            self._roles = None if roles is None or self._roles is None else self._roles | roles
            self._until = time.monotonic() + self._clock.limit(CLOSE_SECONDS)

    def roles(self, active: frozenset[str]) -> frozenset[str] | None:
        """The roles to observe closely, with those of active faults; None: all."""
        with self._lock:
            if not self._on:
                return active
            return None if self._roles is None else self._roles | active

    @property
    def on(self) -> bool:
        """Whether there was an event recently."""
        with self._lock:
            return self._on

    @property
    def _on(self) -> bool:
        return time.monotonic() < self._until


def roles_read(plan: Plan, nodes: Iterable[str]) -> frozenset[str]:
    """The roles of nodes, and the roles in which the promises of those show: a web node's death shows in `http-lb`."""
    names = set(nodes)
    broken = {node.role for node in plan.nodes if node.name in names}
    watching = {
        place.partition(".")[0]
        for one in promises().values()
        if one.role in broken
        for place in one.declared.of.split()
    }
    return frozenset(broken | watching)
