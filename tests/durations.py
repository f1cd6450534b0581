"""How long something may take, less what this machine stood still meanwhile."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.evidence.stalls import Meter, stalled

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Holds that the block takes so many seconds at most, without the stalls of this machine."""
    with Meter() as meter:
        begun = time.time()
        yield
        ended = time.time()
    stood = stalled(meter.stalls, begun, ended)
    text = f"{ended - begun:.2f} s, of which the machine stood still for {stood:.2f} s"
    assert ended - begun - stood <= seconds, text
