"""Every wait of the MySQL cluster has an end, and what stands still is mended by the nodes themselves."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.errors import LabError
from lab.services.mysql import members, reclone, request_copy, switchover
from tests.cluster.mysql_nodes import alike, blocked, sql, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lab.testing import Faults, LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

ELECTED_SECONDS = 20.0  # a machine under load; how long an outage may be is judged by the promise's own test
MENDED_SECONDS = 120.0
WRITES_SECONDS = 10.0  # within which a connected majority takes writes (docs/promises.md)
READS = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(300)%'"


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


@pytest.fixture(autouse=True)
def _rows(cluster: LabCluster, _three: None) -> None:
    """A table that is empty, on all three."""
    primary, replicas = whole(cluster)
    sql(cluster, primary, "CREATE OR REPLACE DATABASE waits; CREATE TABLE waits.rows (id INT PRIMARY KEY, t LONGTEXT)")
    alike(cluster, "SELECT 1", [primary, *replicas])


def _copies(cluster: LabCluster, node: str) -> int:
    return {one.name: one.copies for one in members(cluster.backend)}[node]


def _mended(cluster: LabCluster, node: str, before: int) -> None:
    """A node is made anew by itself, and all are whole."""
    cluster.until("a copy", MENDED_SECONDS, lambda: _copies(cluster, node), lambda got: got > before)
    primary, replicas = whole(cluster, MENDED_SECONDS)
    alike(cluster, "SELECT COUNT(*) FROM waits.rows", [primary, *replicas])


def test_a_commit_whose_acknowledgement_was_lost_ends_in_seconds(cluster: LabCluster) -> None:
    """Both replicas receive it, and say nothing: as after a connection that broke in between."""
    primary, replicas = whole(cluster)
    for node in replicas:
        sql(cluster, node, "STOP SLAVE IO_THREAD; SET GLOBAL rpl_semi_sync_slave_enabled = OFF; START SLAVE IO_THREAD")
    begun = cluster.clock.steady()
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'acknowledged')", seconds=30)
    assert cluster.clock.steady() - begun < cluster.clock.limit(8)
    whole(cluster)  # and they acknowledge again by themselves


# What a crash between two writes leaves in the log: the first event of a group, and perhaps a part of the second.
CRASH = r"""
import pathlib, struct, subprocess, sys, zlib
GTID, HEAD = 162, 19
subprocess.run(["pkill", "-STOP", "-f", "[l]ab_node.keeper"], check=True)
try:
    subprocess.run(["pkill", "-KILL", "-x", "mariadbd"], check=True)
    data = pathlib.Path("/var/lib/mysql/data")
    path = data / (data / "binlog.index").read_text().split()[-1]
    log, place, groups = path.read_bytes(), 4, []
    while place < len(log):
        kind, length = log[place + 4], int.from_bytes(log[place + 9 : place + 13], "little")
        groups += [(place, length)] * (kind == GTID)
        place += length
    begin, length = groups[-1]
    number = struct.pack("<Q", int.from_bytes(log[begin + HEAD : begin + HEAD + 8], "little") + 1)
    gtid = log[begin : begin + HEAD] + number + log[begin + HEAD + 8 : begin + length - 4]
    with path.open("ab") as file:
        gtid += struct.pack("<I", zlib.crc32(gtid))
        text = bytes(8) + b"\5" + bytes(4) + b"waits\0CREATE TABLE waits.half (id INT)"
        query = gtid[:4] + b"\2" + gtid[5:9] + struct.pack("<IIH", HEAD + len(text) + 4, 0, 0) + text
        query += struct.pack("<I", zlib.crc32(query))
        then = {"half an event": log[begin + length :][:30], "a whole one": b"", "zeros": bytes(50)}
        file.write(gtid + (then | {"a statement": query})[sys.argv[1]])
finally:
    subprocess.run(["pkill", "-CONT", "-f", "[l]ab_node.keeper"], check=True)
"""


_OTHER_END = pytest.mark.nightly("a quarter of a minute each: at every change half an event, which no replica can read")


@pytest.mark.parametrize(
    "then",
    [
        "half an event",
        pytest.param("a whole one", marks=_OTHER_END),
        pytest.param("zeros", marks=_OTHER_END),
        pytest.param("a statement", marks=_OTHER_END),
    ],
)
def test_a_crash_amid_a_write_leaves_no_half_event_in_the_log(cluster: LabCluster, then: str) -> None:
    """Its node has more than the others, and is elected; no replica could read its log beyond half an event."""
    primary, replicas = whole(cluster)
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'acknowledged')")
    for node in replicas:  # they elect nobody before the crashed node is back
        cluster.run(node, "pkill -STOP -f '[l]ab_node.keeper'; mariadb -e 'STOP SLAVE IO_THREAD'")
    try:
        _begun(cluster, primary, "INSERT INTO waits.rows VALUES (2, 0)")
        done = cluster.backend.run(primary, ["python3", "-c", CRASH, then], seconds=30)
        assert done.ok, done.stderr
        started = "mariadb -e 'SELECT 1'"
        cluster.until("the database to run again", 20, partial(cluster.run, primary, started), lambda got: got.ok)
    finally:
        for node in replicas:
            cluster.run(node, "pkill -CONT -f '[l]ab_node.keeper'")
    cluster.until("a node to take writes", ELECTED_SECONDS, partial(_writes, cluster))
    read = "cd /var/lib/mysql/data && mariadb-binlog $(cat binlog.index) > /dev/null"
    assert not cluster.run(primary, read).stderr, "an event is not whole"
    whole(cluster, MENDED_SECONDS)
    alike(cluster, "SELECT * FROM waits.rows", [primary, *replicas])


def _begun(cluster: LabCluster, node: str, statement: str) -> None:
    """A statement without quotes that waits for an acknowledgement."""
    cluster.run(node, f"timeout {cluster.clock.option(60)} mariadb -e '{statement}' > /dev/null 2>&1 &")
    waits = f"SELECT COUNT(*) FROM information_schema.processlist WHERE info = '{statement}'"  # noqa: S608
    cluster.until(f"{statement} to wait", 5, partial(sql, cluster, node, waits), lambda got: got.strip() == "1")


def test_who_reads_on_a_replica_does_not_hold_up_an_election(cluster: LabCluster) -> None:
    primary, replicas = whole(cluster)
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'read for long')")
    alike(cluster, "SELECT COUNT(*) FROM waits.rows", [primary, *replicas])
    for node in replicas:
        cluster.run(node, "mariadb -e 'SELECT SLEEP(300), id FROM waits.rows' > /dev/null 2>&1 &")
        cluster.until("the read", 20, partial(sql, cluster, node, READS), lambda got: got.strip() == "1")
    sql(cluster, primary, "TRUNCATE waits.rows")
    cluster.backend.kill(primary)
    cluster.until("a node to take writes", WRITES_SECONDS, partial(_writes, cluster))
    cluster.backend.start(primary)
    whole(cluster, MENDED_SECONDS)


@contextlib.contextmanager
def _hung(cluster: LabCluster, node: str) -> Iterator[None]:
    """A node whose database is stopped by SIGSTOP."""
    cluster.run(node, "pkill -STOP -x mariadbd")
    yield


_LONGER = pytest.mark.nightly("half a minute: it waits for the end of the database; at every change a lock")


@pytest.mark.parametrize(
    "held", [pytest.param(blocked, id="a lock"), pytest.param(_hung, id="a database that hangs", marks=_LONGER)]
)
def test_what_is_held_up_on_a_replica_does_not_hold_up_its_stop(
    cluster: LabCluster, held: Callable[[LabCluster, str], AbstractContextManager[None]]
) -> None:
    primary, (replica, _) = whole(cluster)
    with held(cluster, replica):
        sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'not applied there')")
        begun = cluster.clock.steady()
        cluster.backend.stop(replica)
        assert cluster.clock.steady() - begun < cluster.clock.limit(40)
    cluster.backend.start(replica)
    whole(cluster, MENDED_SECONDS)


def test_a_lock_on_the_primary_does_not_hold_up_a_planned_change(cluster: LabCluster) -> None:
    """Who holds it is ended when the node has to follow another one, with which it votes meanwhile."""
    primary, (successor, _) = whole(cluster)
    with blocked(cluster, primary):
        begun = cluster.clock.steady()
        assert switchover(cluster.backend, successor) == successor
        assert cluster.clock.steady() - begun < cluster.clock.limit(WRITES_SECONDS)
        assert _writes(cluster)
        whole(cluster)


@pytest.mark.nightly("a quarter of a minute; at every change who reads on a replica")
def test_a_lock_on_each_replica_does_not_hold_up_an_election(cluster: LabCluster) -> None:
    """The one that is elected writes its epoch, and the other one where it goes on, into a table."""
    primary, replicas = whole(cluster)
    with blocked(cluster, replicas[0]), blocked(cluster, replicas[1]):
        cluster.backend.kill(primary)
        cluster.until("a node to take writes", ELECTED_SECONDS, partial(_writes, cluster))
    cluster.backend.start(primary)
    whole(cluster, MENDED_SECONDS)


@pytest.mark.nightly("a quarter of a minute; at every change a copy that is asked for of a broken node")
def test_a_copy_is_asked_for_without_a_primary_and_made_once_there_is_one(cluster: LabCluster) -> None:
    primary, (replica, other) = whole(cluster)
    before = _copies(cluster, replica)
    for node in (primary, other):
        cluster.backend.kill(node)
    cluster.until("no primary", ELECTED_SECONDS, partial(_serving, cluster), lambda got: not got)
    request_copy(cluster.backend, replica)
    for node in (primary, other):
        cluster.backend.start(node)
    now, _ = cluster.until("all to be whole", MENDED_SECONDS, partial(whole, cluster, MENDED_SECONDS))
    if now != replica:  # a primary is not copied
        _mended(cluster, replica, before)


CLOSED = "add table inet closed\nadd chain inet closed in {{ type filter hook input priority -200 ; }}\nadd rule {}"
UNREACHED_SECONDS = 30.0  # two elections, and three times the patience between them


@pytest.mark.nightly("twenty seconds; at every change the rule is a unit test (test_mysql_rules.py)")
def test_a_node_whose_database_no_replica_reaches_gives_up_its_promotion(cluster: LabCluster) -> None:
    """Its keeper is heard, so it is elected and followed; then the other node, whose database is reached, is."""
    primary, replicas = whole(cluster)
    elected, other = sorted(replicas)  # of equal logs
    rule = f"inet closed in ip saddr {cluster.plan.node(other).address} tcp dport 3306 drop"
    assert cluster.run_in_network(elected, ["nft", CLOSED.format(rule)]).ok
    try:
        cluster.backend.kill(primary)
        cluster.until("a node to take writes", UNREACHED_SECONDS, partial(_writes, cluster))
        assert _serving(cluster) == [other]
        assert any("do not reach this node's database" in line for line in cluster.logs(elected))
    finally:
        cluster.run_in_network(elected, ["nft", "delete", "table", "inet", "closed"])
    cluster.backend.start(primary)
    whole(cluster, MENDED_SECONDS)
    alike(cluster, "SELECT * FROM waits.rows", [primary, *replicas])


def test_a_replica_with_a_write_of_its_own_is_made_anew(cluster: LabCluster) -> None:
    primary, (replica, _) = whole(cluster)
    before = _copies(cluster, replica)
    sql(cluster, replica, "INSERT INTO waits.rows VALUES (5, 'of root')")
    _mended(cluster, replica, before)
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (5, 'of the primary')")


def test_a_table_in_memory_is_no_end_of_replication(cluster: LabCluster) -> None:
    """After a restart the server writes a TRUNCATE of its own."""
    primary, (replica, _) = whole(cluster)
    sql(
        cluster,
        primary,
        "CREATE TABLE waits.fleeting (id INT) ENGINE = MEMORY",
    )
    alike(cluster, "SELECT COUNT(*) FROM waits.fleeting", whole(cluster)[1])
    cluster.backend.kill(replica)
    cluster.backend.start(replica)
    whole(cluster)
    before = _copies(cluster, replica)
    sql(cluster, replica, "SELECT COUNT(*) FROM waits.fleeting")
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'goes on')")
    _mended(cluster, replica, before)


@pytest.mark.nightly("a quarter of a minute of tries: a replica with a write of its own is made anew at every change")
def test_replication_that_an_error_stopped_is_tried_again_then_the_node_is_made_anew(
    cluster: LabCluster,
) -> None:
    primary, (replica, _) = whole(cluster)
    before = _copies(cluster, replica)
    sql(cluster, replica, "SET sql_log_bin = 0; DROP TABLE waits.rows")
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'has no table there')")
    _mended(cluster, replica, before)


def test_reclone_works_while_replication_stands_still_and_ends_when_it_follows(cluster: LabCluster) -> None:
    primary, (replica, _) = whole(cluster)
    sql(cluster, replica, "SET sql_log_bin = 0; DROP TABLE waits.rows")
    sql(cluster, primary, "INSERT INTO waits.rows VALUES (1, 'has no table there')")
    reclone(cluster.backend, replica)
    assert {one.name: one for one in members(cluster.backend)}[replica].follows
    primary, replicas = whole(cluster)
    alike(cluster, "SELECT COUNT(*) FROM waits.rows", [primary, *replicas])


def test_a_copy_that_a_person_wants_and_cannot_be_made_keeps_the_node_from_nothing(cluster: LabCluster) -> None:
    """With one more node dead, only that node can acknowledge what is written."""
    primary, (replica, other) = whole(cluster)
    before, path = _copies(cluster, replica), "/usr/bin/mariadb-backup"
    for node in (primary, replica, other):
        cluster.run(node, f"mv {path} {path}.away")
    request_copy(cluster.backend, replica)
    cluster.backend.kill(primary)
    try:
        (leads,) = cluster.until(
            "another primary", ELECTED_SECONDS, lambda: [m.name for m in members(cluster.backend) if m.serves], bool
        )
        sql(cluster, leads, "INSERT INTO waits.rows VALUES (1, 'acknowledged by the other one')", seconds=30)
    finally:
        cluster.backend.start(primary)
        for node in (primary, replica, other):
            cluster.run(node, f"mv {path}.away {path}")
    if leads == other:
        _mended(cluster, replica, before)


@pytest.mark.read_only
def test_temporary_files_are_on_the_volume_of_the_data(cluster: LabCluster) -> None:
    node = whole(cluster)[0]
    device = "stat -c %d /var/lib/mysql/data {}"
    seen = cluster.run(node, device.format(sql(cluster, node, "SELECT @@tmpdir").strip())).stdout.split()
    assert len(set(seen)) == 1, seen


@pytest.mark.nightly("a minute or two: at every change the folder is compared, and a long ALTER needs a large table")
def test_a_table_that_is_larger_than_the_memory_disks_is_altered(cluster: LabCluster) -> None:
    """An index of it is sorted in files as large; a tmpfs of 256 MiB, as /tmp is, had no room for them."""
    primary, replicas = whole(cluster)
    rows = "SELECT seq, REPEAT(MD5(seq), 96) FROM waits.seq_1_to_100000"  # 300 MB
    sql(cluster, primary, f"INSERT INTO waits.rows {rows}", seconds=300)
    alter = "ALTER TABLE waits.rows ADD COLUMN more INT DEFAULT 5, ADD INDEX by_text (t(700)), ALGORITHM=COPY"
    sql(cluster, primary, alter, seconds=300)
    alike(cluster, "SELECT COUNT(*), SUM(more) FROM waits.rows", [primary, *replicas])


@pytest.mark.nightly("half a minute; at every change a replica with a write of its own is made anew")
@pytest.mark.parametrize("third", ["stays", "is lost"])
def test_a_former_primary_whose_log_ends_in_ddl_that_nobody_has_comes_back(
    cluster: LabCluster, faults: Faults, third: str
) -> None:
    """Such an end can't be dropped: mariadbd refuses to start. It starts with it then, and is cloned.

    Where it is the only replica, the commits that wait for it keep the copy back, until their primary steps down.
    """
    primary, replicas = whole(cluster)
    with faults.cut(primary, ",".join(replicas)):
        # First what could be dropped, and behind it what can't be: both wait for an acknowledgement.
        for statement in ("INSERT INTO waits.rows VALUES (77, 0)", "CREATE TABLE waits.nobodys (id INT)"):
            _begun(cluster, primary, statement)
        cluster.backend.kill(primary)
    cluster.until("another primary", ELECTED_SECONDS, lambda: _serving(cluster))
    (elected,) = _serving(cluster)
    lost = [name for name in replicas if name != elected] if third == "is lost" else []
    for name in lost:
        cluster.backend.kill(name)
        insert = "mariadb -e 'INSERT INTO waits.rows VALUES (78, 0)'"
        cluster.run(elected, f"timeout {cluster.clock.option(60)} {insert} > /dev/null 2>&1 &")
    cluster.backend.start(primary)
    if lost:
        cluster.until("two of three to take writes", MENDED_SECONDS, partial(_writes, cluster))
    for name in lost:
        cluster.backend.start(name)
    now, _ = whole(cluster, MENDED_SECONDS)
    assert third == "is lost" or now != primary
    tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'nobodys'"
    left = f"SELECT ({tables}) + COUNT(*) FROM waits.rows WHERE id = 77"  # noqa: S608
    assert sql(cluster, primary, left).strip() == sql(cluster, now, left).strip() == "0"


def _serving(cluster: LabCluster) -> list[str]:
    return [one.name for one in members(cluster.backend) if one.serves]


def _writes(cluster: LabCluster) -> bool:
    """Whether one node takes a write, and acknowledges it."""
    write = "mariadb -e 'REPLACE INTO waits.rows VALUES (79, 0)'"
    bounded = f"timeout {cluster.clock.option(5)} {write}"
    return any(cluster.run(name, bounded).ok for name in _serving(cluster))


@pytest.mark.nightly("twenty seconds; at every change a planned change, and a primary that is paused")
@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_successor_that_is_lost_in_a_planned_change_leaves_one_primary(cluster: LabCluster, how: str) -> None:
    """It is lost once the old primary has said that it is none; who asked is told what became of it.

    A paused one keeps its connection: its answer must not be waited for while nobody can write.
    """
    old, (successor, _) = whole(cluster)
    said: list[str] = []

    def change() -> None:
        try:
            said.append(f"{switchover(cluster.backend, successor)} took over")
        except LabError as error:
            said.append(error.what)

    asking = threading.Thread(target=change)
    asking.start()
    cluster.until("a change", ELECTED_SECONDS, lambda: [m.name for m in members(cluster.backend) if m.serves] != [old])
    getattr(cluster.backend, how)(successor)
    serving = lambda: [m.name for m in members(cluster.backend) if m.serves]  # noqa: E731  asked until it is one
    cluster.until("one primary", WRITES_SECONDS, serving, lambda got: len(got) == 1 and got != [successor])
    asking.join(cluster.clock.guard(ELECTED_SECONDS))
    assert said, "the change has no end"
    assert said[0].startswith((f"{successor} took over", f"{successor} did not take over from {old}")), said
    cluster.backend.start(successor)
    whole(cluster, MENDED_SECONDS)
