"""What faults of the network share: who else is there, and a packet from one node to another."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.errors import BackendError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend, Observed, Result

DEVICE = "eth0"


def tool(backend: Backend, node: str, argv: Sequence[str]) -> Result:
    """Runs `nft` or `tc` in a node's network; what it refuses is an error.

    Raises:
        BackendError: with what the tool said.
    """
    done = backend.run(node, argv, network=True)
    if not done.ok:
        raise BackendError(f"{argv[0]} in the network of {node}: {done.stderr.strip() or done.said}", where=node)
    return done


def running(backend: Backend, without: Sequence[str] = ()) -> list[Observed]:
    """The nodes that run, some left out."""
    return [node for node in backend.observe().nodes if node.state is State.RUNNING and node.name not in without]


def gateway(backend: Backend) -> str:
    """The engine's own address in the cluster's network, which a node needs to be asked at all."""
    network = backend.observe().network
    if network is None:
        raise SpecError(f"there is no cluster '{backend.cluster}'", next_step="'lab up' makes one")
    return str(IPv4Network(network)[1])


def ping(backend: Backend, sender: str, address: str, *options: str) -> Result:
    """Packets from a node to an address; the result is not `ok` when none came back."""
    return backend.run(sender, ["ping", "-n", "-q", *options, address], seconds=10)
