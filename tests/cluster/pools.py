"""What HAProxy is told by its own socket."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster

POOL_SECONDS = 20.0
SAY = """import socket, sys
admin = socket.socket(socket.AF_UNIX)
admin.connect("/run/haproxy/admin.sock")
admin.sendall(sys.argv[1].encode() + b"\\n")
print(admin.recv(1000).decode().strip())"""


def told(cluster: LabCluster, balancer: str, command: str) -> None:
    """Gives HAProxy a command that it answers with nothing."""
    done = cluster.backend.run(balancer, ["python3", "-c", SAY, command])
    assert (done.ok, done.stdout) == (True, "\n"), done


@contextlib.contextmanager
def alone(cluster: LabCluster, node: str) -> Iterator[None]:
    """One web node in every pool: nobody else can take what it can't."""
    balancers = cluster.require("http-lb", 1)
    webs = set(cluster.require("web", 1))
    try:
        for balancer in balancers:
            for other in webs - {node}:
                told(cluster, balancer, f"set server web/{other} state maint")
            cluster.until(f"{node} to be alone", POOL_SECONDS, partial(cluster.pool, balancer), {node}.__eq__)
        yield
    finally:
        for balancer in balancers:
            for other in webs - {node}:
                told(cluster, balancer, f"set server web/{other} state ready")
            cluster.until("all to be back", POOL_SECONDS, partial(cluster.pool, balancer), webs.__eq__)
