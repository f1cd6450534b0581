"""Executes the scheduled faults of a run, each in its own thread."""

from __future__ import annotations

import random
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.evidence.verdicts import FaultEvent
from lab.faults import fault, inject, targets
from lab.faults.freeze import renamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.chaos.schedule import Planned
    from lab.progress import Report

STOP_SECONDS = 0.2  # until a wish to end the run is noticed


class FaultRunner:
    """Injects and reverts all faults of a run at their times.

    Attributes:
        events: the executed faults, in order of injection.
        failed: errors of injecting and reverting.

    Args:
        stop: ends the run at its next wait: active faults are reverted, and no further one is injected.
    """

    def __init__(
        self,
        backend: Backend,
        planned: Sequence[Planned],
        seed: int,
        report: Report,
        stop: threading.Event | None = None,
    ) -> None:
        self.events: list[FaultEvent] = []
        self.failed: list[LabError] = []
        self._backend, self._planned, self._seed, self._report = backend, planned, seed, report
        self._ended, self._stop = threading.Event(), stop or threading.Event()
        self._begun = 0.0

    def run(self, begun: float) -> None:
        """Runs the schedule from `begun` (Unix seconds) to its end; an interrupt reverts all active faults."""
        self._begun = begun
        pool = ThreadPoolExecutor(max(1, len(self._planned)))
        try:
            pending = {pool.submit(self._one, index, planned) for index, planned in enumerate(self._planned)}
            while pending:
                if self._stop.is_set():
                    self._ended.set()
                done, pending = wait(pending, STOP_SECONDS, FIRST_COMPLETED)
                for future in done:
                    future.result()
        finally:
            self._ended.set()
            pool.shutdown(wait=True)
        self.events.sort(key=lambda event: event.begun)

    def _one(self, index: int, planned: Planned) -> None:
        self._wait_until(planned.at)
        if self._ended.is_set():
            return
        try:
            self._execute(planned, random.Random(self._seed * 1000 + index))  # noqa: S311
        except LabError as error:
            self.failed.append(error)
            self._ended.set()

    def _execute(self, planned: Planned, rng: random.Random) -> None:
        values = {**planned.settings, "kind": planned.kind, "nodes": targets(self._backend, planned.target, rng)}
        if planned.others:
            values["others"] = targets(self._backend, planned.others, rng)
        if notice := renamed(planned.settings.get("service", "")):
            self._report.warn(notice)
        chosen = fault(values)
        begun = self._backend.clock.now()
        with inject(self._backend, chosen) as injected:
            bitten = mending = self._backend.clock.now()
            self._report.say(f"{begun - self._begun:5.1f} s  {chosen}: {injected.proof}")
            if planned.end is not None:
                self._wait_until(planned.end)
                mending = self._backend.clock.now()
        mended = self._backend.clock.now() if planned.end is not None else bitten
        self._report.say(f"{mended - self._begun:5.1f} s  {chosen}: reverted")
        self.events.append(FaultEvent(chosen.kind, str(chosen), chosen.nodes, begun, bitten, mending, mended))

    def _wait_until(self, moment: float) -> None:
        """Waits until a time of the schedule, or until the run ends."""
        clock = self._backend.clock
        clock.wait(self._begun + moment - clock.now(), self._ended)
