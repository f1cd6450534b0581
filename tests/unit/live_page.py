"""An engine of plain values for the tests of the live page, and a wait on a condition."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError
from lab.lifecycle.up import up
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Existing, Result
    from lab.topology import Cluster

SECONDS = 8.0
CAN = Capabilities("memory", frozenset({"nf_tables", "sch_netem", "sch_tbf"}), sized_volumes=True)


def until(what: str, good: Callable[[], Any], seconds: float = SECONDS) -> Any:  # noqa: ANN401  of the question
    """Waits until a question has a true answer, and returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = good()
        if answer:
            return answer
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}")


class Engine(MemoryBackend):
    """A memory backend that may be lost, and on which a killed node answers no probe."""

    lost = ""

    def observe(self) -> Existing:
        if self.lost:
            raise BackendError(self.lost)
        return super().observe()

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if self.observe().node(node) is None:
            raise BackendError(f"there is no {node}", where=node)
        return super().run(node, argv, seconds=seconds)


def running(cluster: Cluster) -> Engine:
    """A cluster that is up."""
    engine = Engine("golden", CAN)
    up(cluster, engine, Silent())
    engine.answers["ping"] = (1, "")  # a killed node answers no packet
    engine.answers["date"] = (0, "not a number")  # no load generator here
    return engine
