"""What a primary has done and not written into its log when it is ended makes no copy differ for good.

MariaDB truncates a table, and changes one without transactions, before it writes so. The moment between is too short to
be met by a test: here root does the first half alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.services.mysql import members, switchover
from tests.cluster.mysql_nodes import alike, sql, whole

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

ELECTED_SECONDS, MENDED_SECONDS = 30.0, 120.0
ROWS = "SELECT COUNT(*) FROM half.rows; SELECT COUNT(*) FROM half.plain"


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


def _half_done(cluster: LabCluster) -> str:
    """Both kinds, on the primary alone; its name."""
    primary, replicas = whole(cluster)
    sql(cluster, primary, "CREATE OR REPLACE DATABASE half; CREATE TABLE half.rows (id INT PRIMARY KEY)")
    sql(
        cluster, primary, "INSERT INTO half.rows VALUES (1); CREATE TABLE half.plain (id INT PRIMARY KEY) ENGINE = Aria"
    )
    assert alike(cluster, ROWS, [primary, *replicas])
    sql(cluster, primary, "SET sql_log_bin = 0; TRUNCATE half.rows; INSERT INTO half.plain VALUES (1)")
    return primary


def _equal(cluster: LabCluster) -> None:
    primary, replicas = whole(cluster, MENDED_SECONDS)
    alike(cluster, ROWS, [primary, *replicas])
    sql(cluster, primary, "INSERT INTO half.rows VALUES (2)")
    alike(cluster, ROWS, [primary, *replicas])


_CRASHED = pytest.param("crashed", marks=pytest.mark.nightly("the same end of mariadbd as when its node is killed"))


@pytest.mark.nightly("twenty seconds; at every change all lose power, and a primary returns")
@pytest.mark.parametrize("how", ["killed", _CRASHED])
def test_a_primary_that_was_ended_is_as_the_others_when_it_is_back(
    cluster: LabCluster, faults: Faults, how: str
) -> None:
    old = _half_done(cluster)
    with faults.kill(old) if how == "killed" else faults.crash(old, "mariadbd"):
        cluster.until("another primary", ELECTED_SECONDS, lambda: [m for m in members(cluster.backend) if m.serves])
    _equal(cluster)


@pytest.mark.nightly("a quarter of a minute; at every change all lose power (test_mysql.py)")
def test_after_a_power_loss_all_are_as_whoever_is_elected(cluster: LabCluster) -> None:
    old = _half_done(cluster)
    names = [old, *(node.name for node in cluster.plan.role("mysql") if node.name != old)]
    for name in names:
        cluster.backend.kill(name)
    for name in names:
        cluster.backend.start(name)
    _equal(cluster)


def test_a_primary_that_hands_over_is_not_copied(cluster: LabCluster) -> None:
    """Nobody wrote when it was closed, so that its log tells of all that it has."""
    whole(cluster)
    before = {one.name: one.copies for one in members(cluster.backend)}
    switchover(cluster.backend, "")
    whole(cluster)
    assert {one.name: one.copies for one in members(cluster.backend)} == before
