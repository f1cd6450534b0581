"""What a position says: that all up to there is seen by who reads at the node."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.nemesis.copies import APPLIED
from tests.cluster.mysql_nodes import sql, whole

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

WHOLE_SECONDS = 120.0
ROWS, READS = 2000, 6000


def test_a_replica_shows_all_rows_up_to_its_position(cluster: LabCluster) -> None:
    """The position of its log alone is ahead of its tables in one of some thirty reads."""
    cluster.require("mysql", 3)
    primary, replicas = whole(cluster, WHOLE_SECONDS)
    sql(cluster, primary, "CREATE OR REPLACE TABLE lab.test_position (n INT PRIMARY KEY)")
    inserts = f'for n in $(seq {ROWS}); do echo "INSERT INTO test_position VALUES ($n);"; done | mariadb lab'  # noqa: S608
    asked = f"SELECT {APPLIED}; SELECT COALESCE(MAX(n), 0) FROM test_position;"  # noqa: S608
    reads = f"for n in $(seq {READS}); do echo '{asked}'; done | mariadb --skip-column-names lab"
    try:
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(cluster.run, primary, inserts, seconds=120)
            read = cluster.run(replicas[0], reads, seconds=120).stdout.split()
            assert written.result().ok
    finally:
        sql(cluster, primary, "DROP TABLE IF EXISTS lab.test_position")
    pairs = [(int(at.rpartition("-")[2]), int(n)) for at, n in zip(read[::2], read[1::2], strict=True)]
    during = [at - n for at, n in pairs if 0 < n < ROWS]
    assert len(during) > READS // 100, "too few reads fell between the writes"
    assert max(during) == sorted(during)[len(during) // 2], "a row up to the position was not seen"
