"""Stalls of a machine: a thread sleeps for a short interval in a loop, and records by how much it overslept.

The method is that of jHiccup (Gil Tene): a delay of a thread that only sleeps is a delay of every measurement.
One meter runs on this machine and one in the client node, beside each load, probe and ledger.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab.clock import REAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.clock import Clock

INTERVAL = 0.01  # seconds that a meter sleeps
SHORTEST = 0.01  # seconds overslept that count as a stall; shorter delays are ordinary scheduling
HERE = "this machine"


@dataclass(frozen=True, slots=True)
class Stall:
    """A span in which a meter should have run and did not; Unix seconds of the nodes."""

    where: str
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.begun


class Meter:
    """A context manager that records this machine's stalls; `stalls` may be read at any time.

    Args:
        clock: of the nodes that are measured; a stall of this machine takes no time of nodes that have their own.
        interval: seconds that it sleeps.
    """

    def __init__(self, clock: Clock = REAL, interval: float = INTERVAL) -> None:
        self._needed, self._interval = not clock.own, interval
        self.stalls: list[Stall] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="stall meter", daemon=True)

    def __enter__(self) -> Self:
        if self._needed:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._needed:
            self._thread.join()

    def _measure(self) -> None:
        while not self._ended.is_set():
            due = time.monotonic() + self._interval
            self._ended.wait(self._interval)
            over = time.monotonic() - due
            if over >= SHORTEST:
                now = time.time()
                self.stalls.append(Stall(HERE, now - over, now))


def stalled(stalls: Iterable[Stall], begun: float, ended: float) -> float:
    """Seconds of a span in which at least one machine was stalled; overlapping stalls count once."""
    total, reached = 0.0, begun
    for stall in sorted(stalls, key=lambda stall: stall.begun):
        first, last = max(stall.begun, reached), min(stall.ended, ended)
        if last > first:
            total += last - first
            reached = last
    return total


def window(stalls: Iterable[Stall], begun: float, seconds: float) -> float:
    """The longest span from `begun` (Unix seconds) with at most so many seconds in which no machine was stalled.

    It includes stalls that begin within it, to their end.
    """
    left, reached, total = seconds, begun, 0.0
    for stall in sorted(stalls, key=lambda stall: stall.begun):
        if stall.begun - reached > left:
            break
        if stall.ended > reached:
            first = max(stall.begun, reached)
            left -= first - reached
            total += stall.ended - first
            reached = stall.ended
    return seconds + total


def longest(stalls: Sequence[Stall]) -> float:
    """Seconds of the longest stall; 0 for none."""
    return max((stall.seconds for stall in stalls), default=0.0)
