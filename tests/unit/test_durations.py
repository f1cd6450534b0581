"""What takes longer than allowed fails, or is unknown where only a stall made it longer."""

from __future__ import annotations

import time
from typing import Self

import pytest

from lab.evidence.stalls import HERE, Stall
from tests.durations import at_most

LONG, ALLOWED = 0.06, 0.03


class Stalled:
    """A meter that has seen a stall of so many seconds, from its beginning on."""

    seconds = 0.0

    def __enter__(self) -> Self:
        now = time.time()
        self.stalls = [Stall(HERE, now, now + self.seconds)]
        return self

    def __exit__(self, *_: object) -> None:
        """It has seen it."""


@pytest.fixture(autouse=True)
def meter(monkeypatch: pytest.MonkeyPatch) -> type[Stalled]:
    """The meter of this test."""

    class Own(Stalled):
        pass

    monkeypatch.setattr("tests.durations.Meter", Own)
    return Own


def _late() -> None:
    with at_most(ALLOWED):
        time.sleep(LONG)


def test_what_is_late_without_a_stall_or_by_more_fails(meter: type[Stalled]) -> None:
    for seconds in (0.0, (LONG - ALLOWED) / 2):
        meter.seconds = seconds
        with pytest.raises(pytest.fail.Exception, match=r"0\.03 s is allowed"):
            _late()


def test_what_is_late_only_by_a_stall_is_unknown(meter: type[Stalled]) -> None:
    meter.seconds = LONG * 10
    with pytest.raises(pytest.skip.Exception, match=r"^unknown: .*0\.03 s is allowed; the machine was stalled for"):
        _late()


def test_what_is_in_time_passes_also_with_a_stall(meter: type[Stalled]) -> None:
    meter.seconds = 1.0
    with at_most(LONG * 100):
        pass


def test_an_error_of_the_block_is_its_own(meter: type[Stalled]) -> None:
    meter.seconds = 1.0
    with pytest.raises(ZeroDivisionError), at_most(0.0):
        raise ZeroDivisionError
