"""The threads of a keeper act at the same moments, and never later than an interval after the last time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_node.keeper import beat


@given(now=st.floats(0, 1e7), interval=st.floats(0.1, 60), after=st.sampled_from([0.0, beat.AFTER_SECONDS]))
def test_a_wait_ends_at_a_multiple_of_the_interval_and_is_no_longer_than_it(
    now: float, interval: float, after: float
) -> None:
    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(beat, "time", SimpleNamespace(monotonic=lambda: now, sleep=waits.append))
        beat.wait(interval, after)
    assert 0 <= waits[0] <= interval
    times = (now + waits[0] - after) / interval
    assert abs(times - round(times)) < 1e-6
