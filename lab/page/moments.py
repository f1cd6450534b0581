"""The nodes' time as the page uses it: it goes on while their host does not answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.clock import Clock


class Moments:
    """Called, it returns Unix seconds of the nodes; counted by this machine while their host does not tell them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last, self._read = time.time(), time.monotonic()

    def __call__(self) -> float:
        try:
            now = self._clock.now()
        except LabError:
            return self._last + time.monotonic() - self._read
        self._last, self._read = now, time.monotonic()
        return now
