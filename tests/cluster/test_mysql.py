"""The MySQL cluster: nothing acknowledged is lost, one node at a time acknowledges, and nobody's help is wanted."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab import parallel
from lab.backends.base import State
from lab.backends.optional import logs
from lab.errors import SpecError
from lab.services.mysql import members, reclone, switchover
from lab.topology import Mysql
from tests.cluster import mysql_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster, Rounds

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

RATE = 20.0  # inserts a second, each by a new visitor


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.options(Mysql)
    cluster.require("mysql", 3)


@pytest.mark.read_only
def test_replicas_follow_and_refuse_writes(cluster: LabCluster) -> None:
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    assert mysql_group.written(cluster, primary).ok
    replicas = [member for member in mysql_group.whole(cluster) if member.name != primary]
    for node in [member.name for member in replicas]:
        cluster.until("the row on a replica", 5, partial(mysql_group.rows, cluster, node))
        refused = mysql_group.written(cluster, node)
        assert not refused.ok
        assert "read-only" in refused.last_line


@pytest.mark.read_only
def test_the_balancers_lead_to_the_primary_and_to_replicas(cluster: LabCluster) -> None:
    cluster.require("tcp-lb", 1)
    primary = mysql_group.primary(cluster)
    ask = (
        "mariadb --ssl-ca=/etc/lab/ca.crt --ssl-verify-server-cert --host={vip} --port={port} --user=evidence"
        ' --password="$(cat /etc/lab/passwords/evidence)" -N -e "SELECT @@hostname" || true'
    )

    def answers(port: int) -> set[str]:
        command = ask.format(vip=cluster.plan.vip, port=port)
        return {cluster.run("client", command).stdout.strip() for _ in range(6)}

    assert answers(3306) == {primary}
    replicas = {node.name for node in cluster.plan.role("mysql")} - {primary}
    for balancer in cluster.require("tcp-lb", 1):
        ask_pool = partial(cluster.pool, balancer, "mysql-replicas")
        cluster.until("both replicas in the pool", 20, ask_pool, lambda got: got == replicas)
    # The mail servers keep connections: who has fewer of them is asked first.
    assert answers(3307) <= replicas


@pytest.mark.parametrize(
    ("user", "password", "select", "said"),
    [
        ("evidence", "wrong", "SELECT 1", "Access denied"),
        ("evidence", "", "SELECT 1", "Access denied"),
        ("root", "", "SELECT 1", "Access denied"),
        ("nobody", "", "SELECT 1", "Access denied"),
        ("evidence", "$(cat /etc/lab/passwords/evidence)", "SELECT * FROM mysql.global_priv", "SELECT command denied"),
        ("evidence", "$(cat /etc/lab/passwords/evidence)", "CREATE TABLE guestbook.mine (id INT)", "denied"),
    ],
)
@pytest.mark.read_only
def test_nobody_gets_in_by_a_wrong_password_or_further_than_is_granted(
    cluster: LabCluster, user: str, password: str, select: str, said: str
) -> None:
    host = cluster.plan.vip or cluster.plan.node("mysql1").address
    login = f'--ssl-ca=/etc/lab/ca.crt --ssl-verify-server-cert --host={host} --user={user} --password="{password}"'
    refused = cluster.run("client", f"mariadb {login} -e '{select}'")
    assert not refused.ok
    assert said in refused.last_line


SILENT = pytest.mark.nightly(
    "a quarter of a minute: to clients and peers it is a 'pause', the longest of the three; primaries are killed in"
    " other tests"
)


@pytest.mark.galera("failover by quorum of the group, not by the keeper's election")
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("kill", marks=SILENT),
        "pause",
        pytest.param("cut", marks=SILENT),
        pytest.param("hang", marks=pytest.mark.nightly("half a minute; at every change a primary that is paused")),
    ],
)
def test_the_primary_dies_hangs_or_is_cut_off(
    cluster: LabCluster, faults: Faults, rounds: Rounds, ledger: Callable[..., Ledger], fault: str
) -> None:
    for round_ in rounds("mysql-fails-over"):
        mysql_group.whole(cluster)
        primary = mysql_group.primary(cluster)
        with round_, ledger("mysql", RATE) as book:
            mysql_group.more(book, cluster)
            process = mysql_group.mariadbd(cluster, primary) if fault == "hang" else ""
            with mysql_group.hung(cluster, round_, primary) if fault == "hang" else faults.do(fault, "primary"):
                mysql_group.takes_writes(cluster, than=primary, process=process)
                mysql_group.more(book, cluster)
            mysql_group.whole(cluster)
            mysql_group.more(book, cluster)
        mysql_group.holds(cluster, book)


def test_nobody_acknowledges_while_all_are_cut_from_each_other(
    cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    mysql_group.whole(cluster)
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        with faults.cut("mysql", "mysql"):
            cluster.until(
                "no node to serve",
                10,
                lambda: mysql_group.serving(members(cluster.backend)),
                lambda s: not s,
            )
            for node in cluster.plan.role("mysql"):
                assert not mysql_group.written(cluster, node.name).ok, f"{node.name} acknowledged a write alone"
        mysql_group.takes_writes(cluster)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)


def test_a_replica_dies_and_then_the_primary(
    cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    """What was acknowledged while the first was away is on the second replica alone."""
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    first = next(node.name for node in cluster.plan.role("mysql") if node.name != primary)
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        with faults.kill(first):
            mysql_group.more(book, cluster)
            with faults.kill(primary):
                pass
            mysql_group.takes_writes(cluster)
            mysql_group.more(book, cluster)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)


LAST = pytest.mark.galera("the group begins anew although the node that took the writes starts last")
AWAY = pytest.mark.galera("two nodes wait for the one that took the writes: it may have acknowledged alone")
EASIER = pytest.mark.nightly("a quarter of a minute: all three come back; at every change two do, without the primary")
ORDERS = [
    pytest.param([0, 1, 2], [], id="primary-first", marks=EASIER),
    pytest.param([1, 2, 0], [], id="primary-last", marks=[LAST, EASIER]),
    pytest.param([2, 1], [0], id="two-return,-the-primary-does-not", marks=AWAY),
    pytest.param([1, 0], [2], id="two-return,-the-primary-among-them", marks=EASIER),
]
"""Who starts first (0: the former primary), and who only when the others serve."""


@pytest.mark.parametrize(("first", "later"), ORDERS)
def test_all_lose_power_at_once(
    cluster: LabCluster, ledger: Callable[..., Ledger], first: list[int], later: list[int]
) -> None:
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    names = [primary, *(node.name for node in cluster.plan.role("mysql") if node.name != primary)]
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        parallel.for_each(names, cluster.backend.kill)
        for index in first:
            cluster.backend.start(names[index])
        if later == [0] and mysql_group.galera(cluster):
            mysql_group.waits_for(cluster, primary)
            cluster.backend.start(primary)
        cluster.until("a node that takes writes", 60, lambda: mysql_group.serving(members(cluster.backend)), bool)
        mysql_group.more(book, cluster)
        for index in later:
            if not (index == 0 and mysql_group.galera(cluster)):
                cluster.backend.start(names[index])
        mysql_group.whole(cluster)
    mysql_group.holds(cluster, book)


@pytest.mark.nightly(
    "a quarter of a minute: deaths in an election are played by the model (unit tests); at every change a replica dies"
    " and then the primary"
)
def test_a_node_dies_while_it_is_being_promoted(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    """With one replica dead nobody can take the new epoch: the next one waits in promotion, and is killed there."""
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    others = [node.name for node in cluster.plan.role("mysql") if node.name != primary]
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        cluster.backend.kill(primary)
        promoted = cluster.until(
            "a promotion",
            mysql_group.SERVING_SECONDS,
            lambda: [
                one.name
                for one in members(cluster.backend)
                if one.role in ("promoting", "primary") and one.name in others
            ],
            bool,
        )[0]
        cluster.backend.kill(promoted)
        cluster.backend.start(primary)
        if mysql_group.galera(cluster):
            mysql_group.waits_for(cluster, promoted)
        else:
            mysql_group.takes_writes(cluster, than=promoted)
            mysql_group.more(book, cluster)
        cluster.backend.start(promoted)
        mysql_group.whole(cluster)
    mysql_group.holds(cluster, book)


def test_a_planned_switchover_loses_nothing(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        chosen = switchover(cluster.backend, "")
        assert chosen != primary
        mysql_group.more(book, cluster)
        assert switchover(cluster.backend, primary) == primary
        with pytest.raises(SpecError, match="is already the primary"):
            switchover(cluster.backend, primary)
        with pytest.raises(SpecError, match="the source of copies"):
            reclone(cluster.backend, primary)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)
    failed = [one for one in book.operations["mysql"] if one.outcome != "acknowledged"]
    assert len(failed) < 2 * RATE * 3, f"{len(failed)} writes failed in two switchovers"


@pytest.mark.nightly("ten seconds: a planned change hands over in the same way at every change")
def test_a_stopped_primary_hands_over(cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]) -> None:
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        with faults.stop("primary"):
            mysql_group.takes_writes(cluster, than=primary)
            mysql_group.more(book, cluster)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)


@pytest.mark.nightly("a quarter of a minute; at every change a new disk, which is copied in the same way")
def test_a_node_whose_database_does_not_start_is_copied(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    found = mysql_group.whole(cluster)
    broken = next(member.name for member in found if member.role == "replica")
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        cluster.run(broken, "dd if=/dev/urandom of=/var/lib/mysql/data/ibdata1 bs=16k count=64 conv=notrunc 2>&1")
        cluster.backend.kill(broken)
        cluster.backend.start(broken)
        mysql_group.more(book, cluster)
        mysql_group.whole(cluster)
        mysql_group.more(book, cluster)
    assert "cloning" in "".join(logs(cluster.backend).logs(broken, tail=2000))
    mysql_group.holds(cluster, book)


@pytest.mark.nightly("a quarter of a minute: a broken node that is cloned goes the same way")
def test_a_node_that_is_well_is_made_anew_when_asked(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    found = mysql_group.whole(cluster)
    node = next(member.name for member in found if member.role == "replica")
    inode = "stat -c %i /var/lib/mysql/data"
    before = cluster.run(node, inode).stdout
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        reclone(cluster.backend, node)
        cluster.until(
            "another data directory",
            mysql_group.WHOLE_SECONDS,
            lambda: cluster.run(node, inode).stdout,
            lambda now: now != before,
        )
        mysql_group.whole(cluster)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)


@pytest.mark.nightly("most of a minute: two changes of the topology, and nothing that a fault could bring about")
def test_data_that_another_topology_made_is_left_alone(cluster: LabCluster) -> None:
    """Which copy is the newest only those know who made them."""
    mysql_group.whole(cluster)
    node = next(member.name for member in members(cluster.backend) if member.role == "replica")
    kept = "/var/lib/mysql/keeper.json"
    other = "replication" if mysql_group.galera(cluster) else "galera"
    swap = "supervisorctl -c /etc/lab/supervisord.conf stop mysql-keeper; sed -i 's/{}/{}/' {}; {}"
    again = "supervisorctl -c /etc/lab/supervisord.conf start mysql-keeper"
    mine = cluster.options(Mysql).topology
    cluster.run(node, swap.format(mine, other, kept, again), seconds=90)
    cluster.until(
        "the node to say whose data it has",
        mysql_group.WHOLE_SECONDS,
        lambda: {one.name: one.reason for one in members(cluster.backend)}[node],
        lambda reason: f"made with 'topology: {other}'" in reason,
    )
    cluster.run(node, swap.format(other, mine, kept, again), seconds=90)
    mysql_group.whole(cluster)


def test_a_new_disk_counts_only_when_it_has_everything(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    mysql_group.whole(cluster)
    primary = mysql_group.primary(cluster)
    replaced = next(node.name for node in cluster.plan.role("mysql") if node.name != primary)
    with ledger("mysql", RATE) as book:
        mysql_group.more(book, cluster)
        cluster.run(replaced, "supervisorctl -c /etc/lab/supervisord.conf stop mysql-keeper; rm -rf /var/lib/mysql/*")
        cluster.backend.kill(replaced)
        cluster.backend.start(replaced)
        mysql_group.whole(cluster)
        mysql_group.more(book, cluster)
    mysql_group.holds(cluster, book)


@pytest.mark.nightly("twenty faults in a row; each kind alone is in make test")
def test_twenty_rounds_at_random(cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]) -> None:
    """Kill, pause, cut, of any node, again and again, with one ledger over all."""
    seed = 20
    print(f"seed {seed}")
    chance = random.Random(seed)
    with ledger("mysql", RATE) as book:
        for number in range(20):
            kind, node = chance.choice(["kill", "pause", "cut"]), chance.choice(["primary", "random:mysql", "mysql2"])
            mysql_group.whole(cluster)
            with faults.do(kind, node) as fault:
                begun = cluster.clock.steady()
                new = mysql_group.takes_writes(cluster, than=fault.fault.nodes[0])
                passed = cluster.clock.steady() - begun
                mysql_group.more(book, cluster)
            print(f"round {number}: {kind} {fault.fault.nodes[0]}, {new} takes writes, seen after {passed:.1f} s")
    mysql_group.holds(cluster, book)
    assert all(node.state is State.RUNNING for node in cluster.backend.observe().nodes)
