"""The MySQL cluster's first epoch, after elections that came to nothing: with new disks only, nobody can be cloned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lab.services.mysql import members
from lab.topology import Mysql

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases are all it needs", topology="stage6")

PROMISED = json.dumps({"promised": 3, "member": False, "begun": [0, ""], "made_by": "replication"})
STOPPED = "supervisorctl -c /etc/lab/supervisord.conf stop mysql-keeper"
BEGUN_SECONDS = 45


def test_new_nodes_begin_though_their_first_elections_failed(cluster: LabCluster) -> None:
    """A busy machine: three new nodes have promised three epochs to each other, and none of them was begun."""
    nodes = cluster.require("mysql", 3)
    if cluster.options(Mysql).topology != "replication":
        pytest.skip("Galera begins by another rule")
    for node in nodes:
        told = f"find /var/lib/mysql -mindepth 1 -delete; echo '{PROMISED}' > /var/lib/mysql/keeper.json"
        assert cluster.run(node, f"{STOPPED}; {told}", seconds=60).ok
    for node in nodes:
        cluster.backend.kill(node)
    for node in nodes:
        cluster.backend.start(node)
    cluster.until(
        "a primary, and two members that follow it",
        BEGUN_SECONDS,
        lambda: members(cluster.backend),
        lambda found: sum(one.serves for one in found) == 1 and not any(one.reason for one in found),
    )
    cluster.heal()
