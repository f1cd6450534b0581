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
    SET NAMES latin1; CREATE TABLE BASE.named (i INT COMMENT 'ä€\r\n', KEY (i) COMMENT 'ß\r') COMMENT 'é';
    SET NAMES utf8mb4;
    CREATE TABLE BASE.sets (i INT);
"""
SETS = "SELECT character_set_name FROM information_schema.character_sets ORDER BY 1"
LARGE = """
    CREATE TABLE BASE.large (id INT PRIMARY KEY, a LONGBLOB, b LONGBLOB, c LONGBLOB, d LONGBLOB, e LONGBLOB);
    INSERT INTO BASE.large VALUES (1, REPEAT('a', 14680064), '', '', '', '');
    INSERT INTO BASE.large VALUES (2, REPEAT('b', 15728640), REPEAT('c', 15728640), REPEAT('d', 15728640),
        REPEAT('e', 15728640), REPEAT('f', 15728640));
    BEGIN; INSERT INTO BASE.large VALUES (3, REPEAT('\r\n', 7340032), '', '', '', '');
    INSERT INTO BASE.large VALUES (4, REPEAT(X'00', 14680064), '', '', '', ''); COMMIT;
"""
LEFT = "XA START 'left'; INSERT INTO BASE.lines VALUES (9, 'prepared'); XA END 'left'; XA PREPARE 'left'"
SEEN = """
    SELECT t.table_name, t.table_comment, c.character_set_name FROM information_schema.tables t JOIN
        information_schema.columns c USING (table_schema, table_name) WHERE table_schema = 'BASE' ORDER BY 1, 2, 3;
    SELECT id, HEX(t) FROM BASE.lines ORDER BY id; SELECT HEX(b) FROM BASE.bytes; SELECT HEX(t) FROM BASE.old;
    SELECT HEX(t) FROM BASE.sjis; SELECT id, HEX(t) FROM BASE.chosen ORDER BY id;
    SELECT v FROM BASE.keyless ORDER BY v;
    SELECT HEX(body) FROM mysql.proc WHERE db = 'BASE';
    SELECT id, MD5(a), MD5(b), MD5(c), MD5(d), MD5(e) FROM BASE.large;
    SELECT column_comment, index_comment FROM information_schema.columns JOIN information_schema.statistics
        USING (table_schema, table_name) WHERE table_name = 'named' AND table_schema = 'BASE';
"""
ENDS = """
    SELECT INSTR(HEX(table_comment), '0D0A') FROM information_schema.tables WHERE table_schema = 'BASE' AND
        table_name = 'lines';
    SELECT INSTR(HEX(t), '0D0A') FROM BASE.lines WHERE id = 1;
    SELECT INSTR(HEX(body), '0D0A') FROM mysql.proc WHERE db = 'BASE';
"""
# A transaction lies in two files.
SPREAD = "test $(find /var/lib/mysql/data -name 'relay.0*' -size +14000k | wc -l) = 4"


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


def _killed_behind(
    cluster: LabCluster, base: str, statements: str, more: str = "true", applied: str = ""
) -> tuple[str, list[str]]:
    """A replica that has received statements, applied none, and is killed; and all nodes, the primary first.

    `more`: a script that has to succeed on the replica before; `applied`: statements that it has applied.
    """
    primary, (replica, other) = whole(cluster)
    sql(cluster, primary, f"DROP DATABASE IF EXISTS {base}; CREATE DATABASE {base};{applied.replace('BASE', base)}")
    sql(cluster, replica, "SET GLOBAL max_relay_log_size = 4096; FLUSH LOCAL RELAY LOGS")
    alike(cluster, "SELECT 1", [primary, replica, other])
    with blocked(cluster, replica):  # until it is killed
        sql(cluster, primary, statements.replace("BASE", base).replace("ALL_BYTES", BYTES), seconds=300)
        last = position(cluster, primary)
        cluster.until(
            "the replica to have received it",
            120,
            partial(sql, cluster, replica, "SHOW SLAVE STATUS"),
            lambda said: last in said.split(),
        )
        assert position(cluster, replica) != last
        assert cluster.run(replica, more).ok
        cluster.backend.kill(replica)
    return replica, [primary, replica, other]


def _copies(cluster: LabCluster, node: str) -> int:
    return {one.name: one.copies for one in members(cluster.backend)}[node]


def test_what_was_received_is_applied_byte_for_byte(cluster: LabCluster) -> None:
    names = sql(cluster, whole(cluster)[0], SETS).split()
    assert len(names) > 30
    replica, nodes = _killed_behind(cluster, "replayed", HARD + _of_each(names) + LARGE + LEFT, SPREAD)
    cluster.backend.start(replica)
    whole(cluster, 120)
    assert _copies(cluster, replica) == 0, "it was cloned: what it had received was not applied"
    alike(cluster, _line(SEEN), nodes)
    alike(cluster, f"SELECT {', '.join(f'HEX({name})' for name in names)} FROM replayed.sets", nodes)  # noqa: S608
    ends = [int(place) for place in sql(cluster, nodes[0], _line(ENDS)).split()]
    assert [place > 0 for place in ends] == [True] * 3, "CR LF did not get as far as the primary"
    alike(cluster, "XA RECOVER", nodes)
    assert "left" in sql(cluster, whole(cluster)[0], "XA RECOVER")
    sql(cluster, whole(cluster)[0], "XA COMMIT 'left'")
    alike(cluster, "SELECT t FROM replayed.lines WHERE id = 9", nodes)
    assert sql(cluster, nodes[1], "SELECT t FROM replayed.lines WHERE id = 9").strip() == "prepared"
    sql(cluster, whole(cluster)[0], "DROP DATABASE replayed")


def _line(query: str) -> str:
    return query.replace("BASE", "replayed").replace("\n", " ")


def _of_each(names: list[str]) -> str:
    """A column of each character set, with what it has of a text."""
    columns = "".join(f"ALTER TABLE BASE.sets ADD COLUMN `{name}` VARCHAR(60) CHARACTER SET {name};" for name in names)
    values = ", ".join(f"CONVERT('aäß€жあ漢\\r\\n' USING {name})" for name in names)
    lax = "SET sql_mode = '';"  # what a set lacks becomes a question mark
    return f"{columns} {lax} INSERT INTO BASE.sets VALUES (1, {values}); SET sql_mode = DEFAULT;"  # noqa: S608


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


READ = "SELECT SLEEP(300), id FROM held.rows"
ENDED = "sessions that read or lock here are ended"


@pytest.mark.nightly("a quarter of a minute; at every change a replay byte for byte")
def test_a_session_that_reads_a_table_does_not_hold_up_a_replay_that_truncates_it(cluster: LabCluster) -> None:
    """It begins as soon as the database answers, and once more when it is ended, until the table is empty."""
    row = "INSERT INTO BASE.rows VALUES (1, REPEAT('x', 100000));"
    replica, nodes = _killed_behind(
        cluster, "held", f"{row * 300}TRUNCATE BASE.rows;", applied=f"CREATE TABLE BASE.rows (id INT, t LONGTEXT);{row}"
    )
    cluster.backend.start(replica)
    before = len(cluster.logs(replica))
    cluster.run(replica, f"(until mariadb -e '{READ}'; do sleep 0.02; done) > /dev/null 2>&1 &")
    cluster.until("a session to be ended", 60, lambda: cluster.logs(replica), lambda lines: _ended(lines[before:]))
    whole(cluster, 60)
    assert _copies(cluster, replica) == 0, "it was cloned: what it had received was not applied"
    alike(cluster, "SELECT COUNT(*) FROM held.rows", nodes)
    sql(cluster, whole(cluster)[0], "DROP DATABASE held")


def _ended(lines: list[str]) -> bool:
    return any(ENDED in line for line in lines)


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
