"""The fault `cut`: a network partition by packet filters inside the nodes, so that addresses and names stay.

The receiver drops packets by the sender's Ethernet address: the VIP belongs to no node, so traffic to it is cut
between exactly the named nodes. Without `others` the node itself filters, and accepts the engine's own address, by
which the lab reverts the fault.

A cut in both directions drops ARP, too, as a cut cable does: a former holder of the VIP would claim it again every few
seconds. A cut in one direction leaves ARP, without which the other direction would end with the neighbour's cache.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lab import parallel
from lab.backends.optional import network_tools
from lab.errors import BackendError, SpecError
from lab.faults import network
from lab.faults.fault import Fault, ProbeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Capabilities, Result
    from lab.faults.fault import Facts

PROBES = 3  # at most so many pairs of nodes are probed
FAMILIES = ("inet", "arp")
COUNTED = re.compile(r"counter packets (\d+)")


class Drop(NamedTuple):
    """A rule that drops packets.

    Attributes:
        family: of the table: `inet` or `arp`.
        way: `in` or `out`, as the node sees the packet.
        match: an expression of nft.
    """

    family: str
    way: str
    match: str


@dataclass(frozen=True)
class Cut(Fault):
    """Isolates nodes.

    Attributes:
        others: the nodes to isolate them from; empty: all. The same nodes: each other.
        way: `in` drops packets to `nodes`, `out` drops packets from them, `both` drops both.
    """

    kind = "cut"
    others: tuple[str, ...] = ()
    way: Literal["in", "out", "both"] = "both"

    def __post_init__(self) -> None:
        if self.way not in ("in", "out", "both"):
            raise SpecError(f"'{self.way}' is not a direction of a cut", next_step="use in, out or both")

    def needs(self, can: Capabilities) -> str:
        return "" if "nf_tables" in can.kernel else "the nodes' kernel has no nf_tables"

    def edges(self) -> list[tuple[str, str]]:
        """Sender and receiver of each dropped flow, for a cut from named nodes."""
        pairs = [(node, other) for node in self.nodes for other in self.others if node != other]
        ways = {"in": [(b, a) for a, b in pairs], "out": pairs, "both": pairs + [(b, a) for a, b in pairs]}
        return sorted(set(ways[self.way]))

    def apply(self, backend: Backend, mark: str) -> Facts:
        rules = self._rules(backend)
        parallel.for_each(list(rules), lambda name: network.tool(backend, name, ["nft", _table(mark, rules[name])]))
        return {}

    def _rules(self, backend: Backend) -> dict[str, list[Drop]]:
        """Filter rules by node."""
        if not self.others:
            return dict.fromkeys(self.nodes, self._isolating(network.gateway(backend)))
        senders: dict[str, list[str]] = {}
        for sender, receiver in self.edges():
            senders.setdefault(receiver, []).append(sender)
        ethernet = {name: _ethernet(backend, name) for name in sorted({s for names in senders.values() for s in names})}
        families = FAMILIES if self.way == "both" else FAMILIES[:1]
        return {
            to: [Drop(family, "in", f"ether saddr {ethernet[name]}") for name in names for family in families]
            for to, names in senders.items()
        }

    def _isolating(self, through: str) -> list[Drop]:
        """What a node drops that is cut off from all but one address."""
        drops = [
            Drop("inet", "in", f'iifname != "lo" ip saddr != {through}'),
            Drop("inet", "out", f'oifname != "lo" ip daddr != {through}'),
        ]
        if self.way != "both":
            return [drop for drop in drops if drop.way == self.way]
        return [
            *drops,
            Drop("arp", "in", f"arp saddr ip != {through}"),
            Drop("arp", "out", f"arp daddr ip != {through}"),
        ]

    def probe(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> ProbeResult:
        del facts
        observations = []
        for sender, receiver, filtering in self._probed(backend):
            address = {node.name: node.address for node in backend.observe().nodes}[receiver]
            answered = network.ping(backend, sender, address, "-c", "1", "-W", "1").ok
            dropped = _dropped(backend, filtering, mark)
            if answered or not dropped:
                return ProbeResult(active=False, observation=f"a packet from {sender} reached {receiver}")
            observations.append(f"{sender} to {receiver}: {dropped} packets dropped in {filtering}")
        return ProbeResult(bool(observations), "; ".join(observations) or "no other node is running to send a packet")

    def _probed(self, backend: Backend) -> list[tuple[str, str, str]]:
        """Some isolated pairs to probe: sender, receiver, and the node that filters."""
        alive = {node.name for node in network.running(backend)}
        if self.others:
            return [(a, b, b) for a, b in self.edges() if {a, b} <= alive][:PROBES]
        others = [node.name for node in network.running(backend, self.nodes)][:1]
        inward = [(other, node, node) for node in self.nodes for other in others if node in alive]
        outward = [(node, other, node) for node in self.nodes for other in others if node in alive]
        return {"in": inward, "out": outward, "both": inward + outward}[self.way][:PROBES]

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        del facts
        alive = {node.name for node in network.running(backend)}
        filtering = self.nodes if not self.others else {receiver for _, receiver in self.edges()}
        parallel.for_each(sorted(alive & set(filtering)), lambda name: _delete(backend, name, mark))

    def __str__(self) -> str:
        others = " ".join(self.others) or "all"
        return f"cut {' '.join(self.nodes)} from {others} ({self.way})"


def _table(mark: str, drops: list[Drop]) -> str:
    """Input of nft: tables of the lab's own, one a family, created in one transaction."""
    hooks = {"in": "input", "out": "output"}
    lines = [f"add table {family} lab_{mark}" for family in sorted({drop.family for drop in drops})]
    for family, way in sorted({(drop.family, drop.way) for drop in drops}):
        lines.append(f"add chain {family} lab_{mark} {way} {{ type filter hook {hooks[way]} priority -300 ; }}")
    lines += [f"add rule {drop.family} lab_{mark} {drop.way} {drop.match} counter drop" for drop in drops]
    return "\n".join(lines)


def _ethernet(backend: Backend, node: str) -> str:
    done = backend.run(node, ["cat", f"/sys/class/net/{network.DEVICE}/address"])
    if not done.ok:
        raise BackendError(f"cannot read the Ethernet address of {node}: {done.last_line}", where=node)
    return done.stdout.strip()


def _dropped(backend: Backend, node: str, mark: str) -> int:
    """Packets dropped so far by the fault's filter in a node."""
    listed = [_nft(backend, node, "list", family, mark) for family in FAMILIES]
    return sum(int(count) for done in listed if done.ok for count in COUNTED.findall(done.stdout))


def _delete(backend: Backend, node: str, mark: str) -> None:
    for family in FAMILIES:
        done = _nft(backend, node, "delete", family, mark)
        if not done.ok and "No such file" not in done.stderr:
            raise BackendError(f"cannot remove the packet filter in {node}: {done.stderr.strip()}", where=node)


def _nft(backend: Backend, node: str, verb: str, family: str, mark: str) -> Result:
    return network_tools(backend).run_in_network(node, ["nft", verb, "table", family, f"lab_{mark}"])
