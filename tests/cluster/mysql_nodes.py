"""What the tests of the MySQL cluster ask its nodes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.nemesis.copies import APPLIED
from lab.services.mysql import Member, members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster

WHOLE_SECONDS = 60.0


def whole(cluster: LabCluster, seconds: float = WHOLE_SECONDS) -> tuple[str, list[str]]:
    """The primary, once it serves, and its replicas, once there is nothing to be said of any."""

    def good(found: list[Member]) -> bool:
        roles = sorted(member.role for member in found)
        ready = all(m.semi_sync and not m.reason for m in found)
        return ready and roles == ["primary", "replica", "replica"] and any(m.serves for m in found)

    found = cluster.until("the mysql nodes to be whole", seconds, lambda: members(cluster.backend), good)
    return next(m.name for m in found if m.serves), [m.name for m in found if not m.serves]


def sql(cluster: LabCluster, node: str, statements: str, seconds: float = 120) -> str:
    """What root at a node gets of statements; they have to succeed."""
    done = cluster.backend.run(node, ["mariadb", "-N", "--raw", "--comments", "-e", statements], seconds=seconds)
    assert done.ok, done.last_line
    return done.stdout


def position(cluster: LabCluster, node: str) -> str:
    """Up to where a node has what was written, and shows it."""
    return sql(cluster, node, f"SELECT {APPLIED}").strip()


def alike(cluster: LabCluster, query: str, nodes: list[str]) -> str:
    """What a query gives, which has to be the same on all nodes once they have the same log."""
    cluster.until("one position", 60, lambda: {position(cluster, node) for node in nodes}, lambda got: len(got) == 1)
    found = {
        node: cluster.backend.run(node, ["sh", "-c", f'mariadb -N --raw -e "{query}" | md5sum']).stdout
        for node in nodes
    }
    assert len(set(found.values())) == 1, found
    return found[nodes[0]]


@contextlib.contextmanager
def blocked(cluster: LabCluster, node: str) -> Iterator[None]:
    """A replica that receives and applies nothing: somebody holds a lock there."""
    cluster.run(node, "mariadb -e 'FLUSH TABLES WITH READ LOCK; SELECT SLEEP(900)' > /dev/null 2>&1 &")
    held = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(900)%'"
    cluster.until("the lock", 20, lambda: sql(cluster, node, held).strip(), lambda got: got == "1")
    try:
        yield
    finally:
        if any(one.name == node and one.state is State.RUNNING for one in cluster.backend.observe().nodes):
            cluster.backend.run(node, ["pkill", "-f", "SELECT SLEEP.900"])
