"""Faults in a test's hands: by the same words as on the command line, and all reverted at the test's end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import Unable
from lab.faults import fault, heal, inject, targets

if TYPE_CHECKING:
    from lab.faults import Injected
    from lab.testing.cluster import LabCluster


class Faults:
    """Breaks the cluster; every method returns a context manager that mends it again.

    A target is what `lab fault` takes: nodes, roles, or a meaning such as `vip-holder` or `random:web`.

    Attributes:
        done: all faults of the test.
        seed: what chance decides by.
    """

    def __init__(self, cluster: LabCluster, seed: int = 0) -> None:
        self.done: list[Injected] = []
        self.seed = seed
        self._cluster = cluster
        self._chance = random.Random(seed)  # noqa: S311  a seed makes a choice that can be repeated

    def kill(self, target: str) -> Injected:
        """The power is cut."""
        return self.do("kill", target)

    def stop(self, target: str) -> Injected:
        """A clean stop."""
        return self.do("stop", target)

    def pause(self, target: str) -> Injected:
        """The node hangs."""
        return self.do("pause", target)

    def restart(self, target: str) -> Injected:
        """Killed and started again at once."""
        return self.do("restart", target)

    def cut(self, target: str, others: str = "", way: str = "both") -> Injected:
        """Cut off from others, or from everybody."""
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
        return self.do("freeze", target, service=service)

    def hang(self, target: str, process: str) -> Injected:
        """One process that stands still."""
        return self.do("hang", target, process=process)

    def crash(self, target: str, process: str) -> Injected:
        """One process that is ended."""
        return self.do("crash", target, process=process)

    def do(self, kind: str, target: str, **settings: Any) -> Injected:
        """Any kind of fault; what the backend can't do skips the test, with the reason."""
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
        """Reverts what is still on."""
        heal(self._cluster.backend)
