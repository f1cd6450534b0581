"""A node that is copied holds up nobody: neither the commits of its donor, nor the donor's memory and disk."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.services.mysql import request_copy
from tests.cluster.mysql_nodes import alike, sql, whole

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

COPY_SECONDS = 60.0
WRITES_SECONDS = 10.0  # within which a connected majority takes writes (docs/promises.md)
WATCHED_SECONDS = 15.0
MENDED_SECONDS = 180.0
# mariadb-backup copies the statistics of columns while it locks commits, and these are larger than what sockets buffer.
ROWS = ", ".join(f"('copies', '{number}', 'id', REPEAT(MD5({number}), 312500))" for number in range(12))
STATISTICS = (
    "CREATE OR REPLACE DATABASE copies; CREATE TABLE copies.rows (id INT PRIMARY KEY); "  # noqa: S608
    "INSERT INTO mysql.column_stats (db_name, table_name, column_name, histogram) VALUES " + ROWS
)
FORGOTTEN = "DELETE FROM mysql.column_stats WHERE db_name = 'copies'; DROP DATABASE copies"
# In the node itself: the transfer of the file takes less time than a command from outside.
STOPS = """
file=/var/lib/mysql/data.clone/mysql/column_stats.MAD
until [ "$(stat -c %s $file 2> /dev/null || echo 0)" -gt 1000000 ]; do :; done
pkill -STOP -x mbstream && touch /tmp/stopped
"""


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


@pytest.mark.nightly("half a minute; at every change the rule is a unit test (test_mysql_donation.py)")
def test_a_replica_that_hangs_amid_its_copy_does_not_hold_up_commits(cluster: LabCluster) -> None:
    primary, (replica, _) = whole(cluster)
    sql(cluster, primary, STATISTICS)
    alike(cluster, "SELECT COUNT(*) FROM mysql.column_stats", [primary, replica])
    bounded = f"timeout {cluster.clock.option(COPY_SECONDS)} sh -c '{STOPS}'"
    cluster.run(replica, f"rm -f /tmp/stopped; {bounded} > /dev/null 2>&1 &")
    try:
        request_copy(cluster.backend, replica)
        stopped = partial(cluster.run, replica, "test -e /tmp/stopped")
        cluster.until("the copy to come to its last files", COPY_SECONDS, stopped, lambda got: got.ok)
        begun = last = cluster.clock.steady()
        longest, number = 0.0, 0
        while last < begun + cluster.clock.limit(WATCHED_SECONDS):
            sql(cluster, primary, f"REPLACE INTO copies.rows SET id = {number}", seconds=200)
            backups = cluster.run(primary, "pgrep -c mariadb-backup").stdout.strip()
            assert int(backups) <= 1, "one copy at a time is made of a node"
            longest, last, number = max(longest, cluster.clock.steady() - last), cluster.clock.steady(), number + 1
        assert longest < cluster.clock.limit(WRITES_SECONDS), f"a write waited for {longest:.1f} s"
    finally:
        cluster.run(replica, "pkill -CONT -x mbstream; rm -f /tmp/stopped")
        now, replicas = whole(cluster, MENDED_SECONDS)
        sql(cluster, now, FORGOTTEN)
        alike(cluster, "SELECT COUNT(*) FROM mysql.column_stats", [now, *replicas])
