"""The context of a round: the cluster, its nodes, and the record of what was done."""

from __future__ import annotations

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
class RoundContext:
    """The context of a round.

    Attributes:
        names: the mysql nodes, the primary at the start of the round first.
        happened: the faults of the round, after they were reverted.
        notes: further remarks.
    """

    cluster: Cluster
    backend: Backend
    place: Placement
    names: Sequence[str]
    happened: list[FaultEvent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Waits for the duration of a fault."""
        self.backend.clock.wait(seconds)

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[None]:
        """Injects a fault for the duration of a `with`: verified, reverted, and recorded."""
        begun = self.backend.clock.now()
        with inject(self.backend, fault) as injected:
            bitten = mending = self.backend.clock.now()
            try:
                yield
            finally:
                mending = self.backend.clock.now()
                try:
                    if fault.lasting:
                        injected.heal()
                finally:
                    ended = self.backend.clock.now() if fault.lasting else bitten
                    times = (begun, bitten, mending, ended, injected.restored if fault.lasting else bitten)
                    self.happened.append(FaultEvent(fault.kind, str(fault), fault.nodes, *times))

    @contextmanager
    def noted(self, kind: str, text: str, nodes: Sequence[str]) -> Iterator[None]:
        """Records an action that is not a fault of `lab.faults`."""
        begun = self.backend.clock.now()
        try:
            yield
        finally:
            ended = self.backend.clock.now()
            self.happened.append(FaultEvent(kind, text, tuple(nodes), begun, begun, ended, ended))
