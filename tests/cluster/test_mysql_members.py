"""Who the members of the MySQL cluster are is agreed on by those that were, not read from a file alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.errors import NotReady
from lab.evidence.ledger import Verdict
from lab.services.mysql import members, switchover
from lab.topology import Mysql
from tests.cluster.mysql_nodes import alike, sql, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

RATE, SOME = 20.0, 40  # inserts a second, and how many before, meanwhile and after
FILE = "/etc/lab/mysql.json"
ALONE = f"""
import json
said = json.load(open("{FILE}"))
said["nodes"] = {{said["node"]: said["nodes"][said["node"]]}}
json.dump(said, open("{FILE}", "w"))
"""
TABLE = "CREATE OR REPLACE TABLE evidence.agreed (id INT PRIMARY KEY); INSERT INTO evidence.agreed VALUES (1)"
SEEN_SECONDS = 8.0
VOTE = f"""
import json, subprocess, sys
kept, told = json.load(open("/var/lib/mysql/keeper.json")), json.load(open("{FILE}"))
since, names = kept["agreed"]
asked = {{"epoch": 1000, "position": 10**18, "candidate": told["node"], "nodes": told["nodes"]}}
asked |= {{"agreed": since, "names": list(names), "proposed": []}}
tls = ["--cacert", "/run/lab/ca.crt", "--cert", "/run/lab/mysql.pem"]
subprocess.run(["curl", "-sS", *tls, "-d", json.dumps(asked), f"https://{{told['nodes'][sys.argv[1]]}}:9105/vote"])
"""
RESTART = "supervisorctl -c /etc/lab/supervisord.conf restart mysql-keeper"


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


def _reason(cluster: LabCluster, node: str) -> str:
    return {one.name: one.reason for one in members(cluster.backend)}[node]


def _serving(cluster: LabCluster) -> list[str]:
    return [one.name for one in members(cluster.backend) if one.serves]


def _voted(cluster: LabCluster, candidate: str, voter: str) -> str:
    """What a voter answers to a candidate for all three, which is not heard of any more."""
    done = cluster.backend.run(candidate, ["python3", "-c", VOTE, voter])
    return done.stdout + done.stderr


def test_a_node_that_is_told_it_is_alone_does_not_elect_itself(cluster: LabCluster, faults: Faults) -> None:
    """As a change of the topology left it that was cut short: its file names it alone, and nobody has agreed."""
    primary, (told, other) = whole(cluster)
    before = cluster.run(told, f"cp -p {FILE} {FILE}.before")
    assert before.ok
    with faults.cut(told, f"{primary},{other}"):
        assert cluster.backend.run(told, ["python3", "-c", ALONE]).ok
        cluster.run(told, RESTART, seconds=90)
        cluster.until("it to say so", 60, lambda: _reason(cluster, told), lambda said: "have not agreed" in said)
        assert _serving(cluster) == [primary]
        sql(cluster, primary, TABLE)
        assert told not in _serving(cluster)
        assert "have not agreed" in _reason(cluster, told)
    cluster.run(told, f"mv {FILE}.before {FILE}")
    cluster.run(told, RESTART, seconds=90)
    now, replicas = whole(cluster, 120)
    alike(cluster, "SELECT * FROM evidence.agreed", [now, *replicas])


@pytest.mark.nightly("half a minute; at every change such a node does not elect itself")
def test_a_node_that_is_told_it_is_alone_leads_once_the_others_have_agreed(cluster: LabCluster) -> None:
    """And the others serve no more, though they are two of the three that were; then they are members again.

    Not even after one of them has voted for a change that was not agreed on: it would be elected by the other.
    """
    primary, (told, other) = whole(cluster)
    sql(cluster, primary, TABLE)
    assert cluster.run(told, f"cp -p {FILE} {FILE}.before").ok
    assert cluster.backend.run(told, ["python3", "-c", ALONE]).ok
    cluster.run(told, RESTART, seconds=90)
    cluster.until("it to lead alone", 60, lambda: _serving(cluster), lambda found: found == [told])
    sql(cluster, told, "INSERT INTO evidence.agreed VALUES (2)")
    cluster.backend.kill(told)
    for node in (primary, other):
        cluster.until("it to say so", 60, partial(_reason, cluster, node), lambda said: "have not agreed" in said)
    assert _serving(cluster) == []
    cluster.until("a vote", 60, partial(_voted, cluster, primary, other), lambda said: '"granted": true' in said)
    with pytest.raises(NotReady):
        cluster.until("one of two to serve", SEEN_SECONDS, partial(_serving, cluster), bool)
    cluster.backend.start(told)
    cluster.until("it to lead alone", 60, lambda: _serving(cluster), lambda found: found == [told])
    cluster.run(told, f"mv {FILE}.before {FILE}")
    cluster.run(told, RESTART, seconds=90)
    now, replicas = whole(cluster, 120)
    assert alike(cluster, "SELECT COUNT(*) FROM evidence.agreed", [now, *replicas])
    assert sql(cluster, now, "SELECT COUNT(*) FROM evidence.agreed").strip() == "2"


@pytest.mark.nightly(
    "twenty seconds: planned changes of the primary are tried at every change, a change of the members is a unit test"
)
def test_one_node_stays_of_three_and_three_come_back(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    """As `lab up --scale mysql=1` and back: the one that stays takes over first, by the word of those that go."""
    whole(cluster)
    switchover(cluster.backend, "mysql3")
    one = cluster.spec.model_copy(update={"mysql": cluster.options(Mysql).model_copy(update={"count": 1})})
    with ledger("mysql", RATE) as book:
        book.more(SOME)
        with cluster.changed(one):
            assert [member.name for member in members(cluster.backend)] == ["mysql1"]
            assert _serving(cluster) == ["mysql1"]
            book.more(SOME)
        whole(cluster)
        book.more(SOME)
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement
