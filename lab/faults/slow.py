"""The fault `slow`: delay, loss or a rate limit by netem; by tbf where the kernel has only that and a rate suffices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.optional import network_tools
from lab.errors import BackendError, SpecError
from lab.faults import network
from lab.faults.fault import Fault, ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

HANDLE = "1ab:"  # identifies the lab's queueing discipline
PACKET = 1442  # bytes of a probe in the queue: 1400 and the headers of ICMP, IP and Ethernet
QUEUE_SECONDS = 0.2  # the probes of a rate limit queue for so long
LONGEST_QUEUE = 0.4  # seconds; packets that would queue longer are dropped
LOSS_PROBES = 200
ALL = 100.0
TIMES = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)/")
WHOLE = re.compile(r"time (\d+)ms")
LOST = re.compile(r"dropped (\d+)")


@dataclass(frozen=True)
class Slow(Fault):
    """Degrades outgoing packets. `delay`, `jitter`: seconds; `loss`: percent; `rate`: bit/s."""

    kind = "slow"
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: int = 0

    def __post_init__(self) -> None:
        if min(self.delay, self.jitter, self.loss, self.rate) < 0 or self.loss >= ALL:
            raise SpecError(
                "delay, jitter and rate must not be negative, and loss must be below 100",
                next_step="'cut' drops all packets",
            )
        if not (self.delay or self.loss or self.rate):
            raise SpecError("'slow' needs a delay, a loss or a rate", next_step="for example --delay 100ms")
        if self.jitter > self.delay:
            raise SpecError("the jitter is larger than the delay", next_step="use a jitter of at most the delay")

    def needs(self, can: Capabilities) -> str:
        if "sch_netem" in can.kernel:
            return ""
        if self.delay or self.loss:
            return "delay, jitter and loss need sch_netem, which the nodes' kernel lacks; a rate alone needs sch_tbf"
        return "" if "sch_tbf" in can.kernel else "the nodes' kernel has neither sch_netem nor sch_tbf"

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark  # the root qdisc is one, so a node has one fault of this kind
        netem = "sch_netem" in backend.capabilities().kernel
        parallel.for_each(
            self.nodes,
            lambda name: network.tool(backend, name, [*_root("add"), *self._queue(netem=netem)]),
        )
        return {}

    def _queue(self, *, netem: bool) -> list[str]:
        if not netem:
            burst = max(self.rate // 8 // 250, 2 * PACKET)  # a tick's worth, at least two packets
            return ["tbf", "rate", f"{self.rate}bit", "burst", f"{burst}b", "latency", f"{LONGEST_QUEUE * 1000:g}ms"]
        netem_options = ["netem", "delay", f"{self.delay * 1000:g}ms", f"{self.jitter * 1000:g}ms"]
        netem_options += ["loss", f"{self.loss:g}%"] if self.loss else []
        return netem_options + (["rate", f"{self.rate}bit"] if self.rate else [])

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del mark, facts
        results = [self._probe(backend, name) for name in self.nodes]
        return ProbeResult(
            all(result.active for result in results), "; ".join(result.observation for result in results)
        )

    def _probe(self, backend: Backend, node: str) -> ProbeResult:
        if HANDLE not in network.tool(backend, node, ["tc", "qdisc", "show", "dev", network.DEVICE]).stdout:
            return ProbeResult(active=False, observation=f"{node}: no queueing discipline of the lab")
        to = next((other.address for other in network.running(backend, self.nodes)), network.gateway(backend))
        if self.delay:
            fastest = _milliseconds(network.ping(backend, node, to, "-c", "3", "-i", "0.2", "-W", "5").stdout)[0]
            return ProbeResult(
                fastest >= 800 * (self.delay - self.jitter), f"{node}: fastest round trip {fastest:g} ms"
            )
        if self.loss:
            network.ping(backend, node, to, "-f", "-c", str(LOSS_PROBES), "-W", "1")
            lost = _lost(network.tool(backend, node, ["tc", "-s", "qdisc", "show", "dev", network.DEVICE]).stdout)
            return ProbeResult(lost > 0, f"{node}: {lost} packets lost")
        count = max(5, round(self.rate * QUEUE_SECONDS / 8 / PACKET))
        # Packets queue in the qdisc (see the slowest round trip) and in ping's full socket (see the total time).
        printed = network.ping(backend, node, to, "-c", str(count), "-l", str(count), "-s", "1400", "-w", "3").stdout
        took = max(_milliseconds(printed)[2], *(float(total) for total in WHOLE.findall(printed)), 0.0)
        expected = 1000 * min(count * PACKET * 8 / self.rate, LONGEST_QUEUE)
        return ProbeResult(
            took >= expected / 3, f"{node}: {count} packets at once took {took:.0f} of {expected:.0f} ms"
        )

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        alive = {node.name for node in network.running(backend)}
        parallel.for_each(sorted(alive & set(self.nodes)), lambda name: _delete(backend, name))

    def __str__(self) -> str:
        parts = {
            "delay": self.delay and f"{self.delay * 1000:g} ms",
            "jitter": self.jitter and f"{self.jitter * 1000:g} ms",
        }
        parts |= {"loss": self.loss and f"{self.loss:g} %", "rate": self.rate and f"{self.rate / 1000:g} kbit/s"}
        return f"slow {' '.join(self.nodes)}: " + ", ".join(f"{key} {value}" for key, value in parts.items() if value)


def _root(verb: str) -> list[str]:
    return ["tc", "qdisc", verb, "dev", network.DEVICE, "root", "handle", HANDLE]


def _milliseconds(printed: str) -> tuple[float, float, float]:
    """Fastest, mean and slowest round trip in ping's output; zeros without an answer."""
    times = TIMES.search(printed)
    return (float(times[1]), float(times[2]), float(times[3])) if times else (0.0, 0.0, 0.0)


def _lost(printed: str) -> int:
    return max((int(count) for count in LOST.findall(printed)), default=0)


def _delete(backend: Backend, node: str) -> None:
    if HANDLE not in network.tool(backend, node, ["tc", "qdisc", "show", "dev", network.DEVICE]).stdout:
        return
    done = network_tools(backend).run_in_network(node, _root("del"))
    if not done.ok:
        raise BackendError(f"cannot remove the queueing discipline of {node}: {done.stderr.strip()}", where=node)
