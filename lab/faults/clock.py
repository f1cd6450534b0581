"""The fault `clock`: a wrong clock, on nodes that have their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError, SpecError
from lab.faults import network
from lab.faults.fault import Fault, ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

LEAST_SECONDS = 10


@dataclass(frozen=True)
class SkewedClock(Fault):
    """Sets the clock ahead by `skew` seconds, or back when it is negative."""

    kind = "clock"
    skew: int = 60

    def __post_init__(self) -> None:
        if abs(self.skew) < LEAST_SECONDS:
            raise SpecError(f"a skew of {self.skew} s is too small to be verified", next_step="use 10 s or more")

    def needs(self, can: Capabilities) -> str:
        return "" if can.own_clocks else "all nodes share this machine's clock; Xen domains have their own"

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark
        for node in self.nodes:
            _shift(backend, node, self.skew)
        return {}

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark, facts
        off = {node: self._off(backend, node) for node in self.nodes}
        observation = ", ".join(f"{node} is {seconds:+.0f} s from the others" for node, seconds in off.items())
        return ProbeResult(all(abs(seconds - self.skew) < abs(self.skew) / 2 for seconds in off.values()), observation)

    def _off(self, backend: Backend, node: str) -> float:
        other = next((other.name for other in reversed(network.running(backend, self.nodes))), None)
        if other is None:
            raise BackendError("no other node is running to compare the clock with", where=node)
        return _now(backend, node) - _now(backend, other)

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        for node in self.nodes:
            if abs(self._off(backend, node) - self.skew) < abs(self.skew) / 2:
                _shift(backend, node, -self.skew)

    def __str__(self) -> str:
        return f"clock {' '.join(self.nodes)}: {self.skew:+d} s"


def _now(backend: Backend, node: str) -> float:
    return float(backend.run(node, ["date", "+%s.%N"]).stdout)


def _shift(backend: Backend, node: str, seconds: int) -> None:
    done = backend.run(node, ["date", "-s", f"{seconds} seconds"])
    if not done.ok:
        raise BackendError(f"cannot set the clock of {node}: {done.last_line}", where=node)
