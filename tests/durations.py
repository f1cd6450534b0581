"""How long something may take on this machine, which may be stalled meanwhile."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lab.clock import REAL
from lab.evidence.delays import Delays
from lab.evidence.stalls import Meter
from lab.testing.parity import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The block takes so many seconds at most. Where only a stall made it longer, the test is skipped as unknown."""
    with Meter() as meter:
        begun = time.time()
        yield
        took = time.time() - begun
    if took > seconds:
        text = f"{took:.2f} s, {seconds:g} s is allowed"
        if excuse := Delays(meter.stalls, REAL).hiding(begun, took, seconds):
            pytest.skip(f"{UNKNOWN}{text}; {excuse}")
        pytest.fail(text)
