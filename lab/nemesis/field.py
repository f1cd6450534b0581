"""Where a round is played, and how what is done there is reverted and written down."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.evidence.verdicts import FaultEvent
from lab.faults import inject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.backends.base import Backend
    from lab.faults import Fault
    from lab.topology import Cluster, Placement


@dataclass
class Field:
    """Where a round is played.

    Attributes:
        names: the mysql nodes; the primary first, as the round begins.
        happened: the faults of the round, once they are mended.
        notes: what else is worth telling of it.
    """

    cluster: Cluster
    backend: Backend
    place: Placement
    names: Sequence[str]
    happened: list[FaultEvent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """As long as a fault lasts."""
        threading.Event().wait(seconds)

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[None]:
        """A fault for the span of a `with`; proven, reverted, and written down."""
        begun = time.time()
        with inject(self.backend, fault) as injected:
            bitten = mending = time.time()
            try:
                yield
            finally:
                mending = time.time()
                try:
                    if fault.lasting:
                        injected.heal()
                finally:
                    ended = time.time() if fault.lasting else bitten
                    times = (begun, bitten, mending, ended)
                    self.happened.append(FaultEvent(fault.kind, str(fault), fault.nodes, *times))

    @contextmanager
    def noted(self, kind: str, text: str, nodes: Sequence[str]) -> Iterator[None]:
        """The same for what is no fault of `lab.faults`."""
        begun = time.time()
        try:
            yield
        finally:
            ended = time.time()
            self.happened.append(FaultEvent(kind, text, tuple(nodes), begun, begun, ended, ended))
