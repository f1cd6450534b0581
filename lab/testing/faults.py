"""Faults for tests, named as on the command line; all are reverted at the end of the test."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import Unable
from lab.faults import fault, heal, inject, targets
from lab.faults.freeze import renamed

if TYPE_CHECKING:
    from lab.faults import Injected
    from lab.testing.cluster import LabCluster


class Faults:
    """Injects faults; every method returns a context manager that reverts the fault.

    A target is what `lab fault` takes: nodes, roles, or a meaning such as `vip-holder` or `random:web`.

    Attributes:
        done: all faults of the test.
        seed: of random choices.
    """

    def __init__(self, cluster: LabCluster, seed: int = 0) -> None:
        self.done: list[Injected] = []
        self.seed = seed
        self._cluster = cluster
        self._chance = random.Random(seed)  # noqa: S311  a seed makes a choice that can be repeated

    def kill(self, target: str) -> Injected:
        """Power failure."""
        return self.do("kill", target)

    def stop(self, target: str) -> Injected:
        """Clean shutdown."""
        return self.do("stop", target)

    def pause(self, target: str) -> Injected:
        """The node hangs."""
        return self.do("pause", target)

    def restart(self, target: str) -> Injected:
        """Killed and started again at once."""
        return self.do("restart", target)

    def cut(self, target: str, others: str = "", way: str = "both") -> Injected:
        """Isolated from others, or from all."""
        return self.do("cut", target, others=others, way=way)

    def slow(self, target: str, **settings: float) -> Injected:
        """`delay`, `jitter`: seconds; `loss`: percent; `rate`: bit/s."""
        return self.do("slow", target, **settings)

    def fill(self, target: str, where: str = "/tmp") -> Injected:  # noqa: S108  in the node
        """A full volume."""
        return self.do("fill", target, where=where)

    def clock(self, target: str, skew: int) -> Injected:
        """A clock that is `skew` seconds ahead."""
        return self.do("clock", target, skew=skew)

    def freeze(self, target: str, service: str) -> Injected:
        """A service that hangs."""
        if notice := renamed(service):
            warnings.warn(notice, DeprecationWarning, stacklevel=2)
        return self.do("freeze", target, service=service)

    def hang(self, target: str, process: str) -> Injected:
        """One process is stopped by SIGSTOP."""
        return self.do("hang", target, process=process)

    def crash(self, target: str, process: str) -> Injected:
        """One process is killed."""
        return self.do("crash", target, process=process)

    def do(self, kind: str, target: str, **settings: Any) -> Injected:
        """Any kind of fault; skips the test, with the reason, if the backend does not support it."""
        backend = self._cluster.backend
        if settings.get("others"):
            settings["others"] = targets(backend, settings["others"], self._chance)
        elif "others" in settings:
            del settings["others"]
        nodes = targets(backend, target, self._chance)
        try:
            injected = inject(backend, fault({"kind": kind, "nodes": nodes, **settings}))
        except Unable as error:
            pytest.skip(error.what)
        self.done.append(injected)
        return injected

    def heal(self) -> None:
        """Reverts all active faults."""
        heal(self._cluster.backend)
