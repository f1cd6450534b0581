"""A full data disk of a mysql node, on a cluster of its own whose data disks have a size."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends import backend
from lab.faults import Fill, inject
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services.mysql import Member, members
from lab.testing import LabCluster
from lab.testing.plugin import place
from lab.topology import find, load
from tests.cluster.mysql_nodes import sql
from tests.cluster.sized import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend

TOPOLOGIES = Path(__file__).parent / "topologies"
NODES = ("mysql1", "mysql2", "mysql3")
DISK = "700M"  # the data of a new node with Galera takes 142 MiB
WRITES_SECONDS, MENDED_SECONDS = 10.0, 120.0
ROWS = "CREATE OR REPLACE DATABASE full; CREATE TABLE full.rows (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(2000))"
INSERT = "INSERT INTO full.rows (text) VALUES (REPEAT('x', 1900))"

pytestmark = pytest.mark.nightly("a minute each: clusters of their own; the units have every rule of it at each change")


@pytest.fixture(scope="module", params=["nemesis", "nemesis-galera"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    """Three nodes and a balancer, which are removed at the end."""
    spec = load(find(str(TOPOLOGIES / f"{request.param}.yaml")), name=f"labtest-{os.getpid()}-{request.param}")
    made = backend(place(request.config), spec.name)
    if made.capabilities().max_nodes is not None:
        pytest.skip(f"{made.name} may have no room beside the cluster of the other tests")
    with sized(made, NODES, tmp_path_factory.mktemp("disks"), DISK):
        try:
            yield LabCluster(spec, made)
        finally:
            if not request.config.getoption("--keep-cluster"):
                down(made, Silent(), volumes=True)


@contextlib.contextmanager
def _full(made: Backend, node: str) -> Iterator[None]:
    """The data disk of a node is full."""
    with inject(made, Fill((node,), "data")):
        yield


def _whole(cluster: LabCluster) -> tuple[str, list[str]]:
    """The primary, once it serves, and its replicas, once there is nothing to be said of any."""

    def good(three: list[Member]) -> bool:
        roles = sorted(one.role for one in three)
        serves = any(one.serves for one in three)
        return serves and roles == ["primary", "replica", "replica"] and not any(one.reason for one in three)

    three = cluster.until("the mysql nodes to be whole", MENDED_SECONDS, lambda: members(cluster.backend), good)
    return next(one.name for one in three if one.serves), [one.name for one in three if not one.serves]


def _have(cluster: LabCluster, rows: int) -> None:
    """All copies have that many rows, by and by."""
    counts = lambda: [sql(cluster, node, "SELECT COUNT(*) FROM full.rows").strip() for node in NODES]  # noqa: E731
    cluster.until("equal copies", WRITES_SECONDS, counts, lambda got: got == [str(rows)] * len(NODES))


def _accept(cluster: LabCluster, but: str) -> str:
    """The node that takes writes, another one than `but`, once it does."""

    def serving() -> str:
        return next((one.name for one in members(cluster.backend) if one.serves and one.name != but), "")

    return cluster.until("another node to take writes", WRITES_SECONDS, serving, bool)


def test_a_primary_whose_data_disk_is_full_is_replaced(small: LabCluster) -> None:
    """MariaDB would keep the commit, and try again each minute; with Galera the statement would fail."""
    primary, _ = _whole(small)
    sql(small, primary, ROWS)
    sql(small, primary, INSERT)
    with _full(small.backend, primary):
        other = _accept(small, primary)
        sql(small, other, INSERT, seconds=WRITES_SECONDS)
        reason = next(one.reason for one in members(small.backend) if one.name == primary)
        assert "its data disk is full" in reason
    _whole(small)
    _have(small, 2)


def test_a_replica_whose_data_disk_is_full_holds_nothing_up(small: LabCluster) -> None:
    primary, (replica, _) = _whole(small)
    sql(small, primary, ROWS)
    with _full(small.backend, replica):
        for _ in range(10):
            sql(small, primary, INSERT, seconds=WRITES_SECONDS)
        read = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9104/replica"
        small.until(
            "it not to be read from", WRITES_SECONDS, lambda: small.run(replica, read).stdout, lambda got: got == "503"
        )
    _whole(small)
    _have(small, 10)
