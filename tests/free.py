"""Places that nobody has, for tests that must name one: chosen by chance, so that two suites at once differ."""

from __future__ import annotations

import random
import socket
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.backends.base import Backend

POOL = [IPv4Network(f"10.{second}.{third}.0/24") for second in range(100, 124) for third in range(256)]


def networks(backend: Backend, count: int = 1) -> list[IPv4Network]:
    """Subnets that no network of the engine and no route of this machine has; none that `lab up` takes by itself."""
    taken = [IPv4Network(subnet) for subnet in backend.capabilities().subnets]
    found = [network for network in POOL if not any(network.overlaps(other) for other in taken)]
    return random.SystemRandom().sample(found, count)


def port() -> int:
    """A port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
