"""What a replica had received and not applied when it was killed is there after its start, byte for byte."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.services.mysql import members
from tests.cluster.mysql_nodes import alike, blocked, position, sql, whole

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

BYTES = "".join(f"{number:02x}" for number in range(256))
HARD = """
    CREATE TABLE BASE.lines (id INT PRIMARY KEY, t TEXT) COMMENT 'one\r\ntwo\rthree\nfour\ttab';
    INSERT INTO BASE.lines VALUES (1, 'a\r\nb'), (2, X'ALL_BYTES' IS NOT NULL), (3, 'ä€😀\\0\\Z;DELIMITER //\\n');
    CREATE TABLE BASE.bytes (id INT PRIMARY KEY, b VARBINARY(300));
    INSERT INTO BASE.bytes VALUES (1, X'ALL_BYTES');
    CREATE TABLE BASE.old (t VARCHAR(50)) CHARSET latin1;
    SET NAMES latin1; INSERT INTO BASE.old VALUES (X'e4f6fc'); SET NAMES utf8mb4;
    CREATE TABLE BASE.sjis (t VARCHAR(50)) CHARSET sjis; INSERT INTO BASE.sjis VALUES (X'835c');
    CREATE TABLE BASE.chosen AS SELECT id, t FROM BASE.lines;
    XA START 'one'; INSERT INTO BASE.lines VALUES (7, 'in an XA transaction'); XA END 'one'; XA PREPARE 'one';
    XA COMMIT 'one';
    XA START 'two'; INSERT INTO BASE.lines VALUES (8, 'not kept'); XA END 'two'; XA PREPARE 'two';
    XA ROLLBACK 'two';
    CREATE TABLE BASE.keyless (v INT); INSERT INTO BASE.keyless VALUES (1), (1), (2);
    DELETE FROM BASE.keyless WHERE v = 1 LIMIT 1;
    UPDATE BASE.lines SET t = CONCAT(t, '\r') WHERE id = 1;
    CREATE FUNCTION BASE.twice(v INT) RETURNS INT DETERMINISTIC RETURN -- a comment\r\n 2 * v;
"""
LARGE = """
    CREATE TABLE BASE.large (id INT PRIMARY KEY, a LONGBLOB, b LONGBLOB, c LONGBLOB, d LONGBLOB);
    INSERT INTO BASE.large VALUES (1, REPEAT('a', 14680064), '', '', '');
    INSERT INTO BASE.large VALUES (2, REPEAT('b', 15728640), REPEAT('c', 15728640), REPEAT('d', 15728640),
        REPEAT('e', 15728640));
    BEGIN; INSERT INTO BASE.large VALUES (3, REPEAT('\r\n', 7340032), '', '', '');
    INSERT INTO BASE.large VALUES (4, REPEAT(X'00', 14680064), '', '', ''); COMMIT;
"""
SEEN = """
    SELECT t.table_name, t.table_comment, c.character_set_name FROM information_schema.tables t JOIN
        information_schema.columns c USING (table_schema, table_name) WHERE table_schema = 'BASE' ORDER BY 1, 2, 3;
    SELECT id, HEX(t) FROM BASE.lines ORDER BY id; SELECT HEX(b) FROM BASE.bytes; SELECT HEX(t) FROM BASE.old;
    SELECT HEX(t) FROM BASE.sjis; SELECT id, HEX(t) FROM BASE.chosen ORDER BY id;
    SELECT v FROM BASE.keyless ORDER BY v;
    SELECT HEX(body) FROM mysql.proc WHERE db = 'BASE'; SELECT id, MD5(a), MD5(b), MD5(c), MD5(d) FROM BASE.large;
"""


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


def _killed_behind(cluster: LabCluster, base: str, statements: str, more: str = "true") -> tuple[str, list[str]]:
    """A replica that has received statements, applied none, and is killed; and all nodes, the primary first."""
    primary, (replica, other) = whole(cluster)
    sql(cluster, primary, f"DROP DATABASE IF EXISTS {base}; CREATE DATABASE {base}")
    alike(cluster, "SELECT 1", [primary, replica, other])
    with blocked(cluster, replica):  # until it is killed
        sql(cluster, primary, statements.replace("BASE", base).replace("ALL_BYTES", BYTES), seconds=300)
        last = position(cluster, primary)
        cluster.until(
            "the replica to have received it",
            120,
            partial(sql, cluster, replica, "SHOW SLAVE STATUS\\G"),
            lambda said: last in said.split(),
        )
        assert position(cluster, replica) != last
        assert cluster.run(replica, more).ok
        cluster.backend.kill(replica)
    return replica, [primary, replica, other]


def _copies(cluster: LabCluster, node: str) -> int:
    return {one.name: one.copies for one in members(cluster.backend)}[node]


def test_what_was_received_is_applied_byte_for_byte(cluster: LabCluster) -> None:
    replica, nodes = _killed_behind(cluster, "replayed", HARD + LARGE)
    cluster.backend.start(replica)
    whole(cluster, 120)
    assert _copies(cluster, replica) == 0, "it was cloned: what it had received was not applied"
    alike(cluster, SEEN.replace("BASE", "replayed").replace("\n", " "), nodes)
    sql(cluster, whole(cluster)[0], "DROP DATABASE replayed")


@pytest.mark.nightly(
    "twenty seconds: at every change what a killed replica had received is applied byte for byte; that applying goes on"
    " behind what was applied is a unit test (test_mysql_relay.py)"
)
def test_the_database_is_killed_while_it_applies(cluster: LabCluster) -> None:
    many = "".join(f"INSERT INTO BASE.rows VALUES ({number}, REPEAT('x', 100000));" for number in range(400))  # noqa: S608
    replica, nodes = _killed_behind(cluster, "again", f"CREATE TABLE BASE.rows (id INT PRIMARY KEY, t LONGTEXT);{many}")
    cluster.backend.start(replica)
    count = "mariadb -N -e 'SELECT COUNT(*) FROM again.rows' 2> /dev/null || true"
    cluster.until("some of it to be applied", 60, lambda: cluster.run(replica, count).stdout, lambda got: got > "0")
    cluster.run(replica, "pkill -KILL -x mariadbd")
    whole(cluster, 120)
    alike(cluster, "SELECT COUNT(*), SUM(id), SUM(LENGTH(t)) FROM again.rows", nodes)
    sql(cluster, whole(cluster)[0], "DROP DATABASE again")


def test_a_damaged_event_is_not_applied_and_the_node_is_cloned(cluster: LabCluster) -> None:
    marks = "INSERT INTO BASE.rows VALUES (1, 'before'); INSERT INTO BASE.rows VALUES (2, REPEAT('mark', 200));"
    replica, nodes = _killed_behind(
        cluster, "damaged", f"CREATE TABLE BASE.rows (id INT PRIMARY KEY, t TEXT);{marks}", DAMAGE
    )
    cluster.backend.start(replica)
    whole(cluster, 120)
    assert _copies(cluster, replica) == 1
    alike(cluster, "SELECT * FROM damaged.rows", nodes)
    sql(cluster, whole(cluster)[0], "DROP DATABASE damaged")


DAMAGE = """
file=$(grep -l markmark /var/lib/mysql/data/relay.0*)
place=$(grep -obUa markmark "$file" | head -1 | cut -d: -f1)
printf lark | dd of="$file" bs=1 seek=$((place + 400)) conv=notrunc
"""
