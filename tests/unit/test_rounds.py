"""Rounds of tests: what a test breaks by itself is recorded as a fault that ends when its mending begins."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from lab.backends.memory import MemoryBackend
from lab.plan import plan
from lab.testing.evidence import Evidence
from lab.testing.rounds import Round
from lab.topology import parse


def test_a_fault_is_mended_and_its_end_counts_from_the_beginning_of_that() -> None:
    """A node may be back before the command that begins it returns; also where the test fails meanwhile."""
    made = plan(parse("name: golden\nnetwork: 10.90.0.0/24\nweb: {count: 1}\n"), "debian")
    cluster: Any = SimpleNamespace(backend=MemoryBackend("golden"), plan=made, host=None)
    evidence, moments = Evidence(cluster), list[float]()
    with (
        pytest.raises(RuntimeError),
        Round(cluster, evidence).broken("freeze", "web1", lambda: moments.append(time.time())),
    ):
        raise RuntimeError
    (event,), (moment,) = evidence.happened, moments
    assert event.begun <= event.mending <= moment <= event.mended
    assert (event.kind, event.nodes) == ("freeze", ("web1",))
