"""The life of each fault of a run, in a thread of its own: it waits, is done and proven, lasts, and is reverted."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.evidence.verdicts import Happened
from lab.faults import fault, inject, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.chaos.schedule import Planned
    from lab.progress import Report


class Lives:
    """All faults of a run.

    Attributes:
        happened: what was done, in order of its beginning.
        failed: what could not be done or reverted.
    """

    def __init__(self, backend: Backend, planned: Sequence[Planned], seed: int, report: Report) -> None:
        self.happened: list[Happened] = []
        self.failed: list[LabError] = []
        self._backend, self._planned, self._seed, self._report = backend, planned, seed, report
        self._ended = threading.Event()
        self._begun = 0.0

    def live(self, begun: float) -> None:
        """Lives them all, counted from `begun` (Unix seconds); an interrupt reverts what is on."""
        self._begun = begun
        pool = ThreadPoolExecutor(max(1, len(self._planned)))
        try:
            futures = [pool.submit(self._one, index, planned) for index, planned in enumerate(self._planned)]
            for future in futures:
                future.result()
        finally:
            self._ended.set()
            pool.shutdown(wait=True)
        self.happened.sort(key=lambda happened: happened.begun)

    def _one(self, index: int, planned: Planned) -> None:
        self._until(planned.at)
        if self._ended.is_set():
            return
        try:
            self._done(planned, random.Random(self._seed * 1000 + index))  # noqa: S311
        except LabError as error:
            self.failed.append(error)
            self._ended.set()

    def _done(self, planned: Planned, chance: random.Random) -> None:
        told = {**planned.settings, "kind": planned.kind, "nodes": targets(self._backend, planned.target, chance)}
        if planned.others:
            told["others"] = targets(self._backend, planned.others, chance)
        wanted = fault(told)
        begun = time.time()
        with inject(self._backend, wanted) as injected:
            bitten = mending = time.time()
            self._report.say(f"{begun - self._begun:5.1f} s  {wanted}: {injected.proof}")
            if planned.end is not None:
                self._until(planned.end)
                mending = time.time()
        mended = time.time() if planned.end is not None else bitten
        self._report.say(f"{mended - self._begun:5.1f} s  {wanted}: reverted, and gone")
        self.happened.append(Happened(wanted.kind, str(wanted), wanted.nodes, begun, bitten, mending, mended))

    def _until(self, moment: float) -> None:
        """Until a moment of the schedule, or the end of everything."""
        self._ended.wait(max(0.0, self._begun + moment - time.time()))
