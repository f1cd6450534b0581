"""Shared by network faults: running nodes, and packets between nodes."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.backends.optional import network_tools
from lab.errors import BackendError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend, Observed, Result

DEVICE = "eth0"


def tool(backend: Backend, node: str, argv: Sequence[str]) -> Result:
    """Runs `nft` or `tc` in a node's network namespace.

    Raises:
        BackendError: the tool failed; carries its message.
    """
    done = network_tools(backend).run_in_network(node, argv)
    if not done.ok:
        raise BackendError(f"{argv[0]} in the network of {node}: {done.stderr.strip() or done.last_line}", where=node)
    return done


def running(backend: Backend, without: Sequence[str] = ()) -> list[Observed]:
    """The running nodes, except those of `without`."""
    return [node for node in backend.observe().nodes if node.state is State.RUNNING and node.name not in without]


def gateway(backend: Backend) -> str:
    """The engine's own address in the cluster's network; the lab reaches nodes through it."""
    network = backend.observe().network
    if network is None:
        raise SpecError(f"there is no cluster '{backend.cluster}'", next_step="'lab up' creates it")
    return str(IPv4Network(network)[1])


def ping(backend: Backend, sender: str, address: str, *options: str) -> Result:
    """Pings an address from a node; the result is not `ok` without an answer."""
    argv, node = ["ping", "-n", "-q", *options, address], backend.observe().node(sender)
    if node and node.fixed.sealed:  # an application's image may have no ping, or another one
        return network_tools(backend).run_in_network(sender, argv, seconds=10)
    return backend.run(sender, argv, seconds=10)
