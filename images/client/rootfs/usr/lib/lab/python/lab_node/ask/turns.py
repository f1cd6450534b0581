"""The schedule of requests: each stream at its own constant rate, independent of earlier results."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Turns:
    """The moments at which questions are due.

    Args:
        rates: questions a second, by stream.
        begun: the moment of each one's first question.
    """

    def __init__(self, rates: Sequence[float], begun: float) -> None:
        self._rates, self._begun = rates, begun
        self._next = [(begun, index) for index in range(len(rates))]
        self._count = [0] * len(rates)

    @property
    def next(self) -> float:
        """When the next question is due."""
        return self._next[0][0]

    def due(self, now: float) -> Iterator[tuple[int, float]]:
        """The questions that are due by now and were not asked yet: stream and moment, the oldest first."""
        while self._next[0][0] <= now:
            moment, index = self._next[0]
            self._count[index] += 1
            heapq.heapreplace(self._next, (self._begun + self._count[index] / self._rates[index], index))
            yield index, moment
