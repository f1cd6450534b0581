"""The binary log goes on in new files amid commits: what was acknowledged is on all nodes, also if the primary dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.services.mysql import members
from tests.cluster.mysql_nodes import alike, sql, whole

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

WRITERS, ROWS = 4, 150
# Each row is larger than a file may be: every commit begins a new one, together with those of other writers.
WRITER = """
for number in $(seq {first} {last}); do
    echo "INSERT INTO turned.rows VALUES ($number, REPEAT('x', 5000)); SELECT $number;"
done | mariadb -N --unbuffered > /run/written.{writer} 2> /dev/null &
"""
FILE = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'binlog_snapshot_file'"
SMALLEST, USUAL = 4096, 100 << 20


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


@pytest.mark.nightly("half a minute: files of 100 MB are turned seldom, and small ones by the database's own code")
def test_a_log_that_goes_on_in_new_files_loses_nothing(cluster: LabCluster) -> None:
    primary, replicas = whole(cluster)
    nodes = [primary, *replicas]
    sql(cluster, primary, "CREATE OR REPLACE DATABASE turned; CREATE TABLE turned.rows (id INT PRIMARY KEY, t TEXT)")
    for node in nodes:
        assert sql(cluster, node, "SELECT @@max_binlog_size").strip() == str(USUAL)
        sql(cluster, node, f"SET GLOBAL max_binlog_size = {SMALLEST}")
    try:
        _lose_nothing(cluster, primary, nodes)
    finally:
        for node in nodes:
            sql(cluster, node, f"SET GLOBAL max_binlog_size = {USUAL}")
        sql(cluster, whole(cluster)[0], "DROP DATABASE turned")


def _lose_nothing(cluster: LabCluster, primary: str, nodes: list[str]) -> None:
    begun = _file(cluster, primary)
    for writer in range(WRITERS):
        first = writer * ROWS + 1
        cluster.run(primary, WRITER.format(first=first, last=first + ROWS - 1, writer=writer))
    written = "cat /run/written.*"
    many = lambda: cluster.run(primary, written).stdout.split()  # noqa: E731, PLW0108  asked until there are enough
    before = cluster.until("rows to be acknowledged", 60, many, lambda got: len(got) > WRITERS * ROWS // 2)
    assert _file(cluster, primary) - begun >= len(before) // WRITERS
    cluster.backend.kill(primary)
    serving = lambda: [one.name for one in members(cluster.backend) if one.serves]  # noqa: E731  as above
    (now,) = cluster.until("another primary", 60, serving)
    rows = set(sql(cluster, now, "SELECT id FROM turned.rows").split())
    assert set(before) <= rows, sorted(set(before) - rows)
    cluster.backend.start(primary)
    whole(cluster, 120)
    alike(cluster, "SELECT COUNT(*), SUM(id) FROM turned.rows", nodes)


def _file(cluster: LabCluster, node: str) -> int:
    """The number of the log file that a node writes."""
    return int(sql(cluster, node, FILE).strip().rpartition(".")[2])
