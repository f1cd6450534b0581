"""What is hard to keep: made on a cluster, described in words of its own, and spoiled; without the backup's code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.testing import LabCluster

FOLDER = "/srv/home/treasure"
SPARSE_BYTES = 64 << 20
PROLOGUE = f"""
import hashlib, json, os, socket, stat
F, SIZE = b"{FOLDER}", {SPARSE_BYTES}
def at(name): return F + b"/" + name
def write(name, data, when=1767323045):
    with open(at(name), "wb") as file: file.write(data)
    os.chown(at(name), 20001, 20001); os.utime(at(name), ns=(when * 10**9 + 123456789,) * 2)
"""
MAKE = r"""
import shutil; shutil.rmtree(F, ignore_errors=True)
os.makedirs(at(b"shared/empty"))
os.chown(at(b"shared"), 20001, 20002)
os.chmod(at(b"shared"), 0o2775)
os.mkdir(at(b"shelf"))
write(b"same", b"AAAA")
write(b"other", b"BBBB")
write(b"caf\xe9 \n \"'", b"latin")
write("größe".encode(), b"utf-8")
write(b"shelf/book", b"")
os.chmod(at(b"other"), 0o4751)
os.setxattr(at(b"other"), b"user.colour", b"r\0ed")
os.setxattr(at(b"shared"), b"user.folder", b"yes")
os.link(at(b"other"), at(b"shelf/same as other"))
os.symlink("../nowhere", at(b"shelf/link"))
os.mkfifo(at(b"pipe"), 0o640)
with open(at(b"sparse"), "wb") as file: file.seek(SIZE // 2); file.write(b"one"); file.truncate(SIZE)
for name in (b"shared", b"shelf"): os.utime(at(name), ns=(1500000000987654321,) * 2)
os.utime(F, ns=(1400000000111111111,) * 2)
"""
SPOIL = r"""
write(b"same", b"XXXX")
os.chmod(at(b"other"), 0o600)
os.removexattr(at(b"other"), b"user.colour")
os.removexattr(at(b"shared"), b"user.folder")
os.unlink(at(b"shelf/same as other"))
write(b"shelf/same as other", b"BBBB")
os.unlink(at(b"shelf/link"))
os.unlink(at(b"pipe"))
os.chmod(at(b"shared"), 0o755)
os.chown(at(b"shared"), 0, 0)
write(b"since", b"new")
os.rmdir(at(b"shared/empty"))
os.unlink(at(b"caf\xe9 \n \"'"))
with open(at(b"sparse"), "wb") as file:
    for _ in range(SIZE >> 20): file.write(b"\1" * (1 << 20))
"""
TELL = r"""
found, seen = {}, {}
for place, below, names in os.walk(F):
    for path in [place] + [os.path.join(place, name) for name in names]:
        told = os.lstat(path)
        what = os.readlink(path).decode() if stat.S_ISLNK(told.st_mode) else ""
        if stat.S_ISREG(told.st_mode):
            with open(path, "rb") as file: what = hashlib.md5(file.read()).hexdigest()
        names_ = [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")]
        marks = {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names_}
        first = seen.setdefault(told.st_ino, repr(path))
        sparse = told.st_size == SIZE and told.st_blocks * 512 < SIZE // 2
        size = told.st_size if stat.S_ISREG(told.st_mode) else 0
        owned = [oct(told.st_mode), told.st_uid, told.st_gid, told.st_mtime_ns]
        found[repr(path)] = [*owned, size, what, marks, first, sparse]
print(json.dumps(found))
"""

# A row of 15 MiB in each of two columns: no single statement that a server takes unasked makes it.
TABLES = """
DROP DATABASE IF EXISTS treasure; CREATE DATABASE treasure; USE treasure;
CREATE TABLE big (id INT PRIMARY KEY, one LONGBLOB, other LONGBLOB);
INSERT INTO big VALUES (1, REPEAT('x', 15 * 1024 * 1024), '');
UPDATE big SET other = REPEAT(CHAR(0), 15 * 1024 * 1024);
CREATE TABLE history (id INT PRIMARY KEY, v TEXT) WITH SYSTEM VERSIONING;
INSERT INTO history VALUES (1, 'a'), (2, 'b'); UPDATE history SET v = 'c'; DELETE FROM history WHERE id = 1;
CREATE TABLE parts (
    id INT PRIMARY KEY, f FLOAT, d DOUBLE, b BIT(5), t TIMESTAMP(6) NULL, twice INT AS (id * 2) VIRTUAL
) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO parts (id, f, d, b, t) VALUES
    (1, 1/3, 1/3, b'10101', '2026-01-02 03:04:05.678901'), (2, NULL, NULL, NULL, NULL);
CREATE TABLE `odd ``name` (`größe` VARCHAR(9)) ENGINE=Aria; INSERT INTO `odd ``name` VALUES ('ß'), (NULL);
CREATE SEQUENCE numbers START WITH 5; SELECT NEXTVAL(numbers);
CREATE EVENT runs ON SCHEDULE EVERY 1 DAY DO DELETE FROM history;
CREATE EVENT off ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM history;
CREATE EVENT past ON SCHEDULE AT NOW() + INTERVAL 1 SECOND DO DELETE FROM history;
CREATE EVENT preserved ON SCHEDULE AT NOW() + INTERVAL 1 SECOND ON COMPLETION PRESERVE DO DELETE FROM history;
CREATE VIEW seen AS SELECT id, v FROM history; CREATE VIEW again AS SELECT * FROM seen;
CREATE PROCEDURE does() SELECT 'it''s';
CREATE FUNCTION gives() RETURNS INT DETERMINISTIC RETURN 7;
CREATE TRIGGER before_it BEFORE INSERT ON history FOR EACH ROW SET NEW.v = TRIM(NEW.v);
CREATE OR REPLACE USER 'o''hara'@'10.%' IDENTIFIED BY 'pass' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3;
CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 'other';
CREATE OR REPLACE ROLE readers;
GRANT SELECT ON treasure.* TO readers;
GRANT readers TO reader@'%';
SET DEFAULT ROLE readers FOR reader@'%';
GRANT SELECT (v), INSERT ON treasure.history TO 'o''hara'@'10.%' WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE treasure.does TO reader@'%';
GRANT SELECT ON treasure.seen TO PUBLIC;
CREATE OR REPLACE SERVER `else``where` FOREIGN DATA WRAPPER mysql
    OPTIONS (HOST '10.0.0.1', DATABASE 'd', USER 'o''hara', PASSWORD 'back\\\\slash', PORT 3307, OWNER 'ann');
CREATE OR REPLACE SERVER plain FOREIGN DATA WRAPPER mysql OPTIONS (SOCKET '/run/other');
CREATE TABLE dropped (id INT); GRANT SELECT, UPDATE (id) ON treasure.dropped TO gone@'%' IDENTIFIED BY 'p';
DROP TABLE dropped;
"""
CLEAR = """
DROP DATABASE treasure; DROP USER 'o''hara'@'10.%', reader@'%', gone@'%'; DROP ROLE readers;
DROP SERVER `else``where`; DROP SERVER plain; REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC;
"""
RUIN = """
DROP DATABASE treasure; DROP USER 'o''hara'@'10.%'; DROP ROLE readers; GRANT ALL ON *.* TO reader@'%';
ALTER USER reader@'%' IDENTIFIED BY 'stolen'; DROP USER gone@'%'; DROP SERVER plain;
CREATE OR REPLACE SERVER `else``where` FOREIGN DATA WRAPPER mysql OPTIONS (HOST '10.0.0.2');
GRANT INSERT ON *.* TO PUBLIC;
"""
ASK = """
CHECKSUM TABLE big, history, `odd ``name`, numbers; SELECT * FROM parts;
SELECT *, row_start, row_end FROM history FOR SYSTEM_TIME ALL ORDER BY 1, 4;
SELECT event_name, status, definer, event_definition, interval_value
    FROM information_schema.events WHERE event_name NOT IN ('past', 'preserved') ORDER BY 1;
SELECT event_definition, execute_at FROM information_schema.events WHERE event_name = 'preserved';
SHOW CREATE VIEW seen;
SHOW CREATE VIEW again;
SHOW CREATE PROCEDURE does;
SHOW CREATE FUNCTION gives;
SELECT trigger_name, action_statement FROM information_schema.triggers;
SHOW CREATE TABLE history; SHOW CREATE TABLE parts; SHOW CREATE SEQUENCE numbers;
SHOW CREATE USER 'o''hara'@'10.%';
SHOW GRANTS FOR 'o''hara'@'10.%';
SHOW CREATE USER reader@'%';
SHOW GRANTS FOR reader@'%';
SHOW GRANTS FOR readers;
SHOW GRANTS FOR PUBLIC;
SELECT user, host, is_role FROM mysql.user ORDER BY 1, 2;
SELECT * FROM mysql.servers ORDER BY 1;
"""


def files(cluster: LabCluster, node: str, *steps: str) -> dict[str, Any]:
    """Runs steps (`MAKE`, `SPOIL`) on the volume, and says what there is then."""
    done = cluster.backend.run(node, ["python3", "-c", "".join([PROLOGUE, *steps, TELL])], seconds=120)
    assert done.ok, done.stderr
    return dict(json.loads(done.stdout))


def rows(cluster: LabCluster, statements: str) -> str:
    """Runs statements on the node that takes writes, as its owner."""
    done = cluster.backend.run(primary(cluster), ["mariadb", "--table", "--execute", statements], seconds=120)
    assert done.ok, done.stderr
    return done.stdout


def primary(cluster: LabCluster) -> str:
    """The mysql node that takes writes: what a replica says may be of a moment ago."""
    names = [node.name for node in cluster.plan.role("mysql")]

    def asked() -> list[str]:
        return [name for name in names if cluster.run(name, "mariadb -N -e 'SELECT @@read_only'").stdout.strip() == "0"]

    return cluster.until("a mysql node that takes writes", 30, asked)[0]


def described(cluster: LabCluster) -> list[str]:
    """All that TABLES made, as the server tells it."""
    return rows(cluster, f"USE treasure; {ASK}").splitlines()
