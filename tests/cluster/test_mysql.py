"""The MySQL cluster: nothing acknowledged is lost, one node at a time acknowledges, and nobody's help is wanted."""

from __future__ import annotations

import contextlib
import random
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab import parallel
from lab.backends.base import State
from lab.errors import SpecError
from lab.evidence.ledger import Verdict
from lab.services.mysql import Member, members, reclone, switchover
from lab.topology import Mysql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.backends.base import Result
    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster, Rounds
    from lab.testing.rounds import Round

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

RATE = 20.0  # inserts a second, each by a new visitor
SOME, FEW = 40, 8  # inserts before and after something happens
WHOLE_SECONDS = 60.0
SERVING_SECONDS = 30.0  # until a look shows it; how long nobody took writes is judged by the probes


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.options(Mysql)
    cluster.require("mysql", 3)


def _primary(cluster: LabCluster) -> str:
    return _serving(members(cluster.backend))[0]


def _serving(found: list[Member]) -> list[str]:
    return [member.name for member in found if member.serves]


def _whole(cluster: LabCluster) -> list[Member]:
    """One node that takes writes, two that follow it, semi-sync on where it is used, nothing to be said."""
    semi_sync = not _galera(cluster)

    def good(found: list[Member]) -> bool:
        fine = all(member.semi_sync is semi_sync and not member.reason for member in found)
        fine = fine and len(_serving(found)) == 1
        return fine and sorted(member.role for member in found) == ["primary", "replica", "replica"]

    return cluster.until("the mysql nodes to be whole", WHOLE_SECONDS, lambda: members(cluster.backend), good)


def _takes_writes(cluster: LabCluster, *, than: str = "", process: str = "") -> str:
    """The node that takes writes, other than one; or that one with another process."""

    def serving() -> list[str]:
        found = _serving(members(cluster.backend))
        anew = bool(process) and _process(cluster, than) not in ("", process)
        return [name for name in found if name != than or anew]

    return cluster.until("a node that takes writes", SERVING_SECONDS, serving, lambda found: len(found) == 1)[0]


def _process(cluster: LabCluster, node: str) -> str:
    """The number of a node's mariadbd; "" while there is none."""
    return cluster.run(node, "pgrep -ox mariadbd").stdout.strip()


def _more(book: Ledger, cluster: LabCluster) -> None:
    """As many writes as have ended, and some; fewer where an emulated processor needs seconds for one."""
    book.more(FEW if cluster.clock.emulated else SOME)


@contextlib.contextmanager
def _hung(cluster: LabCluster, round_: Round, node: str) -> Iterator[None]:
    """Only the database hangs; its keeper ends it. Back at once, it may be the one that is elected."""
    with round_.broken("freeze", node):
        cluster.run(node, "pkill -STOP -x mariadbd")
        yield


def _written(cluster: LabCluster, node: str) -> Result:
    """An insert straight into a node, as a user who may write, on that node itself."""
    password = cluster.run("client", "cat /etc/lab/passwords/evidence").stdout.strip()
    login = f"--host=127.0.0.1 --ssl-ca=/run/lab/ca.crt --user=evidence --password={password}"
    insert = "INSERT INTO evidence.ledger (run, id) VALUES ('straight', 'one')"
    return cluster.run(node, f'timeout 5 mariadb {login} -e "{insert}"')


def _rows(cluster: LabCluster, node: str) -> int:
    """How many rows of `_written` a node has."""
    select = "mariadb -N -e \"SELECT COUNT(*) FROM evidence.ledger WHERE run = 'straight'\""
    return int(cluster.run(node, select).stdout)


def _galera(cluster: LabCluster) -> bool:
    return cluster.options(Mysql).topology == "galera"


def _waits_for(cluster: LabCluster, writer: str) -> None:
    """With Galera a commit may be durable on the node that took it alone: without that one nobody begins."""
    cluster.until(
        f"the others to wait for {writer}",
        WHOLE_SECONDS,
        lambda: [member.reason for member in members(cluster.backend)],
        lambda said: f"{writer}, which took the writes, is not there" in said,
    )
    assert _serving(members(cluster.backend)) == []


def _holds(cluster: LabCluster, book: Ledger) -> None:
    """Every acknowledged insert is on every node, once, and the nodes are identical."""
    found = _whole(cluster)
    cluster.until(
        "the replicas to have all",
        20,
        lambda: members(cluster.backend),
        lambda f: len({m.position for m in f}) == 1,
    )
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement
    sums = {member.name: cluster.run(member.name, CHECKSUM).stdout for member in found}
    assert len(set(sums.values())) == 1, sums


CHECKSUM = "mariadb -N -e 'CHECKSUM TABLE evidence.ledger, evidence.probes, lab.epochs'"


@pytest.mark.read_only
def test_replicas_follow_and_refuse_writes(cluster: LabCluster) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    assert _written(cluster, primary).ok
    replicas = [member for member in _whole(cluster) if member.name != primary]
    for node in [member.name for member in replicas]:
        cluster.until("the row on a replica", 5, partial(_rows, cluster, node))
        refused = _written(cluster, node)
        assert not refused.ok
        assert "read-only" in refused.last_line


@pytest.mark.read_only
def test_the_balancers_lead_to_the_primary_and_to_replicas(cluster: LabCluster) -> None:
    cluster.require("tcp-lb", 1)
    primary = _primary(cluster)
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


@pytest.mark.galera("failover by quorum of the group, not by the keeper's election")
@pytest.mark.parametrize(
    "fault",
    [
        "kill",
        "pause",
        pytest.param("cut", marks=pytest.mark.nightly("half a minute: to clients and peers it is a 'pause'")),
        "hang",
    ],
)
def test_the_primary_dies_hangs_or_is_cut_off(
    cluster: LabCluster, faults: Faults, rounds: Rounds, ledger: Callable[..., Ledger], fault: str
) -> None:
    for round_ in rounds("mysql-fails-over"):
        _whole(cluster)
        primary = _primary(cluster)
        with round_, ledger("mysql", RATE) as book:
            _more(book, cluster)
            process = _process(cluster, primary) if fault == "hang" else ""
            with _hung(cluster, round_, primary) if fault == "hang" else faults.do(fault, "primary"):
                _takes_writes(cluster, than=primary, process=process)
                _more(book, cluster)
            _whole(cluster)
            _more(book, cluster)
        _holds(cluster, book)


def test_nobody_acknowledges_while_all_are_cut_from_each_other(
    cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    _whole(cluster)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        with faults.cut("mysql", "mysql"):
            cluster.until(
                "no node to serve",
                10,
                lambda: _serving(members(cluster.backend)),
                lambda s: not s,
            )
            for node in cluster.plan.role("mysql"):
                assert not _written(cluster, node.name).ok, f"{node.name} acknowledged a write alone"
        _takes_writes(cluster)
        _more(book, cluster)
    _holds(cluster, book)


def test_a_replica_dies_and_then_the_primary(
    cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    """What was acknowledged while the first was away is on the second replica alone."""
    _whole(cluster)
    primary = _primary(cluster)
    first = next(node.name for node in cluster.plan.role("mysql") if node.name != primary)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        with faults.kill(first):
            _more(book, cluster)
            with faults.kill(primary):
                pass
            _takes_writes(cluster)
            _more(book, cluster)
        _more(book, cluster)
    _holds(cluster, book)


LAST = pytest.mark.galera("the group begins anew although the node that took the writes starts last")
AWAY = pytest.mark.galera("two nodes wait for the one that took the writes: it may have acknowledged alone")
EASIER = pytest.mark.nightly("a quarter of a minute: the former primary is there at once, the other orders are harder")
ORDERS = [
    pytest.param([0, 1, 2], [], id="primary-first", marks=EASIER),
    pytest.param([1, 2, 0], [], id="primary-last", marks=LAST),
    pytest.param([2, 1], [0], id="two-return,-the-primary-does-not", marks=AWAY),
    pytest.param([1, 0], [2], id="two-return,-the-primary-among-them", marks=EASIER),
]
"""Who starts first (0: the former primary), and who only when the others serve."""


@pytest.mark.parametrize(("first", "later"), ORDERS)
def test_all_lose_power_at_once(
    cluster: LabCluster, ledger: Callable[..., Ledger], first: list[int], later: list[int]
) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    names = [primary, *(node.name for node in cluster.plan.role("mysql") if node.name != primary)]
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        parallel.for_each(names, cluster.backend.kill)
        for index in first:
            cluster.backend.start(names[index])
        if later == [0] and _galera(cluster):
            _waits_for(cluster, primary)
            cluster.backend.start(primary)
        cluster.until("a node that takes writes", 60, lambda: _serving(members(cluster.backend)), bool)
        _more(book, cluster)
        for index in later:
            if not (index == 0 and _galera(cluster)):
                cluster.backend.start(names[index])
        _whole(cluster)
    _holds(cluster, book)


def test_a_node_dies_while_it_is_being_promoted(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    """With one replica dead nobody can take the new epoch: the next one waits in promotion, and is killed there."""
    _whole(cluster)
    primary = _primary(cluster)
    others = [node.name for node in cluster.plan.role("mysql") if node.name != primary]
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        cluster.backend.kill(primary)
        promoted = cluster.until(
            "a promotion",
            SERVING_SECONDS,
            lambda: [
                one.name
                for one in members(cluster.backend)
                if one.role in ("promoting", "primary") and one.name in others
            ],
            bool,
        )[0]
        cluster.backend.kill(promoted)
        cluster.backend.start(primary)
        if _galera(cluster):
            _waits_for(cluster, promoted)
        else:
            _takes_writes(cluster, than=promoted)
            _more(book, cluster)
        cluster.backend.start(promoted)
        _whole(cluster)
    _holds(cluster, book)


def test_a_planned_switchover_loses_nothing(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        chosen = switchover(cluster.backend, "")
        assert chosen != primary
        _more(book, cluster)
        assert switchover(cluster.backend, primary) == primary
        with pytest.raises(SpecError, match="is already the primary"):
            switchover(cluster.backend, primary)
        with pytest.raises(SpecError, match="the source of copies"):
            reclone(cluster.backend, primary)
        _more(book, cluster)
    _holds(cluster, book)
    failed = [one for one in book.operations["mysql"] if one.outcome != "acknowledged"]
    assert len(failed) < 2 * RATE * 3, f"{len(failed)} writes failed in two switchovers"


def test_a_stopped_primary_hands_over(cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        with faults.stop("primary"):
            _takes_writes(cluster, than=primary)
            _more(book, cluster)
        _more(book, cluster)
    _holds(cluster, book)


def test_a_node_with_a_broken_directory_stays_out_until_it_is_cloned(
    cluster: LabCluster, ledger: Callable[..., Ledger]
) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    broken = next(node.name for node in cluster.plan.role("mysql") if node.name != primary)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        cluster.run(broken, "dd if=/dev/urandom of=/var/lib/mysql/data/ibdata1 bs=16k count=64 conv=notrunc 2>&1")
        cluster.backend.kill(broken)
        cluster.backend.start(broken)
        cluster.until(
            "the node to say that it can't start",
            60,
            lambda: {one.name: one.reason for one in members(cluster.backend)}[broken],
            lambda reason: "reclone" in reason,
        )
        _more(book, cluster)
        reclone(cluster.backend, broken)
        _whole(cluster)
        _more(book, cluster)
    _holds(cluster, book)


@pytest.mark.nightly("a quarter of a minute: a broken node that is cloned goes the same way")
def test_a_node_that_is_well_is_made_anew_when_asked(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    found = _whole(cluster)
    node = next(member.name for member in found if member.role == "replica")
    inode = "stat -c %i /var/lib/mysql/data"
    before = cluster.run(node, inode).stdout
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        reclone(cluster.backend, node)
        cluster.until(
            "another data directory", WHOLE_SECONDS, lambda: cluster.run(node, inode).stdout, lambda now: now != before
        )
        _whole(cluster)
        _more(book, cluster)
    _holds(cluster, book)


@pytest.mark.nightly("most of a minute: two changes of the topology, and nothing that a fault could bring about")
def test_data_that_another_topology_made_is_left_alone(cluster: LabCluster) -> None:
    """Which copy is the newest only those know who made them."""
    _whole(cluster)
    node = next(member.name for member in members(cluster.backend) if member.role == "replica")
    kept = "/var/lib/mysql/keeper.json"
    other = "replication" if _galera(cluster) else "galera"
    swap = "supervisorctl -c /etc/lab/supervisord.conf stop mysql-keeper; sed -i 's/{}/{}/' {}; {}"
    again = "supervisorctl -c /etc/lab/supervisord.conf start mysql-keeper"
    mine = cluster.options(Mysql).topology
    cluster.run(node, swap.format(mine, other, kept, again), seconds=90)
    cluster.until(
        "the node to say whose data it has",
        WHOLE_SECONDS,
        lambda: {one.name: one.reason for one in members(cluster.backend)}[node],
        lambda reason: f"made with 'topology: {other}'" in reason,
    )
    cluster.run(node, swap.format(other, mine, kept, again), seconds=90)
    _whole(cluster)


def test_a_new_disk_counts_only_when_it_has_everything(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    _whole(cluster)
    primary = _primary(cluster)
    replaced = next(node.name for node in cluster.plan.role("mysql") if node.name != primary)
    with ledger("mysql", RATE) as book:
        _more(book, cluster)
        cluster.run(replaced, "supervisorctl -c /etc/lab/supervisord.conf stop mysql-keeper; rm -rf /var/lib/mysql/*")
        cluster.backend.kill(replaced)
        cluster.backend.start(replaced)
        _whole(cluster)
        _more(book, cluster)
    _holds(cluster, book)


@pytest.mark.nightly("twenty faults in a row; each kind alone is in make test")
def test_twenty_rounds_at_random(cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]) -> None:
    """Kill, pause, cut, of any node, again and again, with one ledger over all."""
    seed = 20
    print(f"seed {seed}")
    chance = random.Random(seed)
    with ledger("mysql", RATE) as book:
        for number in range(20):
            kind, node = chance.choice(["kill", "pause", "cut"]), chance.choice(["primary", "random:mysql", "mysql2"])
            _whole(cluster)
            with faults.do(kind, node) as fault:
                begun = time.monotonic()
                new = _takes_writes(cluster, than=fault.fault.nodes[0])
                passed = time.monotonic() - begun
                _more(book, cluster)
            print(f"round {number}: {kind} {fault.fault.nodes[0]}, {new} takes writes, seen after {passed:.1f} s")
    _holds(cluster, book)
    assert all(node.state is State.RUNNING for node in cluster.backend.observe().nodes)
