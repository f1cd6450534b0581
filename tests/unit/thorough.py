"""How much a model is tried: in full at night, with `HYPOTHESIS_PROFILE=nightly`; a part of it in `make check`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "check")
PART = {"nightly": 1, "check": 5}
"""By the profile: the part of a count that is tried, as a divisor."""

# How long an example takes, and how long its making, is the machine's business.
settings.register_profile("nightly", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", settings.get_profile("nightly"), max_examples=40)


def part(count: int) -> int:
    """How many of so many interleavings or examples this run tries."""
    return count // PART[PROFILE]
