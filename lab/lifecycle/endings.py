"""Nodes that end while they are awaited: a stop that an interrupted command began goes on in the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, NotReady
from lab.lifecycle import hand, ready
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Backend, Existing
    from lab.progress import Report

STOPPING = "/run/stopping"  # exists in a node from the signal on that stops it (lab_node.supervisord)
ASK_SECONDS = 5.0
ENDING_SECONDS = 2.0  # between the end of a node's processes and the engine's own word for it


@dataclass(frozen=True)
class Endings:
    """The nodes that ran when a command began; each that ends meanwhile is started once.

    Attributes:
        existing: what was observed then.
        backend: the cluster's.
        report: is told of each node that is started.
        started: the nodes that were started.
    """

    existing: Existing
    backend: Backend
    report: Report = field(default_factory=Silent)
    started: set[str] = field(default_factory=set)

    def start(self, name: str) -> bool:
        """Starts or resumes a node and waits until it is ready.

        Returns False for one by hand, which is awaited only until it has booted.

        Raises:
            NotReady: it does not become ready.
            BackendError: it is by hand, and does not boot.
        """
        self.backend.start(name)
        observed = self.existing.node(name)
        if observed and observed.fixed.by_hand:  # it may have no configuration yet
            self.resume([name])
            hand.booted(self.backend, name)
            return False
        self.nodes([name], ready.READY_SECONDS)
        return True

    def work(self, name: str, first: Callable[[], object], again: Callable[[], object]) -> None:
        """Calls `first`; where that fails since the node has ended, calls `again`, which starts it.

        Raises:
            LabError: of `first`, where the node has not ended, or did not run before; else of `again`.
        """
        try:
            first()
        except (BackendError, NotReady):
            observed = self.existing.node(name)
            if not (observed and observed.state is State.RUNNING and self._ended(name)):
                raise
            self.report.step(name, "starting: it ended meanwhile")
            self.started.add(name)
            again()

    def nodes(self, names: Sequence[str], seconds: float, checks: Sequence[str] = (ready.READY,)) -> None:
        """Waits until these nodes serve, as `ready.nodes`.

        Raises:
            NotReady: names the node and its last reason.
        """

        def await_node(name: str) -> None:
            ready.node(self.backend, name, seconds, checks)

        def start(name: str) -> None:
            self.backend.start(name)
            await_node(name)

        parallel.for_each(names, lambda name: self.work(name, partial(await_node, name), partial(start, name)))

    def resume(self, names: Sequence[str]) -> None:
        """Starts those of these nodes, which are not awaited, that are being stopped, once they have ended.

        Raises:
            NotReady: one is being stopped for longer than a stop takes.
        """

        def resumed(name: str) -> None:
            observed = self.existing.node(name)
            if observed and observed.state is State.RUNNING and self._stopping(name):
                ended = partial(ready.ended, self.backend, name)
                self.backend.clock.until(f"{name} to have ended", ready.READY_SECONDS, ended)
                self.report.step(name, "starting: it ended meanwhile")
                self.started.add(name)
                self.backend.start(name)

        parallel.for_each(names, resumed)

    def _stopping(self, name: str) -> bool:
        """Whether a running node was told to end, or has ended since."""
        try:
            return not self.backend.run(name, ["test", "!", "-e", STOPPING], seconds=ASK_SECONDS).ok
        except BackendError:
            return self._ended(name)

    def _ended(self, name: str) -> bool:
        ended = partial(ready.ended, self.backend, name)
        try:
            return self.backend.clock.until(f"{name} to have ended", ENDING_SECONDS, ended)
        except NotReady:
            return False
