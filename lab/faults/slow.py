"""A slow or lossy way out of a node: netem where the kernel has it, tbf for a rate alone where it has only that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.errors import BackendError, SpecError
from lab.faults import wire
from lab.faults.fault import Fault, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities
    from lab.faults.fault import Facts

HANDLE = "1ab:"  # the lab's own mark among queueing disciplines
PACKET = 1442  # bytes of a probe as the queue counts it: 1400 and the headers of ICMP, IP and Ethernet
QUEUE_SECONDS = 0.2  # how long the probes of a rate queue, if it is the rate
LONGEST_QUEUE = 0.4  # seconds; what would wait longer is dropped
LOSS_PROBES = 200
ALL = 100.0
TIMES = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)/")
WHOLE = re.compile(r"time (\d+)ms")
LOST = re.compile(r"dropped (\d+)")


@dataclass(frozen=True)
class Slow(Fault):
    """What a node sends is late, lost or throttled. `delay`, `jitter`: seconds; `loss`: percent; `rate`: bit/s."""

    kind = "slow"
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: int = 0

    def __post_init__(self) -> None:
        if min(self.delay, self.jitter, self.loss, self.rate) < 0 or self.loss >= ALL:
            raise SpecError("delay, jitter and rate are not negative, and loss is below 100", next_step="or use 'cut'")
        if not (self.delay or self.loss or self.rate):
            raise SpecError("'slow' needs a delay, a loss or a rate", next_step="for example --delay 100ms")
        if self.jitter > self.delay:
            raise SpecError("the jitter is larger than the delay", next_step="packets can't come before they are sent")

    def needs(self, can: Capabilities) -> str:
        if "sch_netem" in can.kernel:
            return ""
        if self.delay or self.loss:
            return "delay, jitter and loss need sch_netem, which the nodes' kernel has not; a rate alone needs less"
        return "" if "sch_tbf" in can.kernel else "the nodes' kernel has neither sch_netem nor sch_tbf"

    def apply(self, backend: Backend, mark: str) -> Facts:
        del mark  # there is one root of the queue, so one fault of this kind a node
        netem = "sch_netem" in backend.capabilities().kernel
        parallel.for_each(self.nodes, lambda name: wire.tool(backend, name, [*_root("add"), *self._queue(netem=netem)]))
        return {}

    def _queue(self, *, netem: bool) -> list[str]:
        if not netem:
            burst = max(self.rate // 8 // 250, 2 * PACKET)  # a tick's worth, at least two packets
            return ["tbf", "rate", f"{self.rate}bit", "burst", f"{burst}b", "latency", f"{LONGEST_QUEUE * 1000:g}ms"]
        made = ["netem", "delay", f"{self.delay * 1000:g}ms", f"{self.jitter * 1000:g}ms"]
        made += ["loss", f"{self.loss:g}%"] if self.loss else []
        return made + (["rate", f"{self.rate}bit"] if self.rate else [])

    def look(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> Look:
        del mark, facts
        looks = [self._look(backend, name) for name in self.nodes]
        return Look(all(look.bites for look in looks), "; ".join(look.seen for look in looks))

    def _look(self, backend: Backend, node: str) -> Look:
        if HANDLE not in wire.tool(backend, node, ["tc", "qdisc", "show", "dev", wire.DEVICE]).stdout:
            return Look(bites=False, seen=f"{node}: no queue of the lab's")
        to = next((other.address for other in wire.running(backend, self.nodes)), wire.gateway(backend))
        if self.delay:
            fastest = _milliseconds(wire.ping(backend, node, to, "-c", "3", "-i", "0.2", "-W", "5").stdout)[0]
            return Look(fastest >= 800 * (self.delay - self.jitter), f"{node}: an answer takes {fastest:g} ms at least")
        if self.loss:
            wire.ping(backend, node, to, "-f", "-c", str(LOSS_PROBES), "-W", "1")
            lost = _lost(wire.tool(backend, node, ["tc", "-s", "qdisc", "show", "dev", wire.DEVICE]).stdout)
            return Look(lost > 0, f"{node}: {lost} packets lost")
        count = max(5, round(self.rate * QUEUE_SECONDS / 8 / PACKET))
        # They queue in the line, and behind a full socket in ping: one is seen by the slowest, the other by the whole.
        printed = wire.ping(backend, node, to, "-c", str(count), "-l", str(count), "-s", "1400", "-w", "3").stdout
        took = max(_milliseconds(printed)[2], *(float(found) for found in WHOLE.findall(printed)), 0.0)
        expected = 1000 * min(count * PACKET * 8 / self.rate, LONGEST_QUEUE)
        return Look(took >= expected / 3, f"{node}: {count} packets at once take {took:.0f} of {expected:.0f} ms")

    def undo(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del mark, facts
        alive = {node.name for node in wire.running(backend)}
        parallel.for_each(sorted(alive & set(self.nodes)), lambda name: _delete(backend, name))

    def __str__(self) -> str:
        parts = {
            "delay": self.delay and f"{self.delay * 1000:g} ms",
            "jitter": self.jitter and f"{self.jitter * 1000:g} ms",
        }
        parts |= {"loss": self.loss and f"{self.loss:g} %", "rate": self.rate and f"{self.rate / 1000:g} kbit/s"}
        return f"slow {' '.join(self.nodes)}: " + ", ".join(f"{key} {value}" for key, value in parts.items() if value)


def _root(verb: str) -> list[str]:
    return ["tc", "qdisc", verb, "dev", wire.DEVICE, "root", "handle", HANDLE]


def _milliseconds(printed: str) -> tuple[float, float, float]:
    """The fastest, mean and slowest answer that ping saw; zeros when there was none."""
    found = TIMES.search(printed)
    return (float(found[1]), float(found[2]), float(found[3])) if found else (0.0, 0.0, 0.0)


def _lost(printed: str) -> int:
    return max((int(count) for count in LOST.findall(printed)), default=0)


def _delete(backend: Backend, node: str) -> None:
    if HANDLE not in wire.tool(backend, node, ["tc", "qdisc", "show", "dev", wire.DEVICE]).stdout:
        return
    done = backend.run(node, _root("del"), network=True)
    if not done.ok:
        raise BackendError(f"the queue of {node} can't be removed: {done.stderr.strip()}", where=node)
