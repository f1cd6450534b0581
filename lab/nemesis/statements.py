"""SQL of the nemesis: its tables, its writes, and the queries of every node afterwards."""

from __future__ import annotations

from dataclasses import dataclass

DATABASE = USER = "nemesis"
ACCOUNTS, EACH = 10, 1000
TOTAL = ACCOUNTS * EACH
LEDGERS = ("ledger", "large", "keyless")
"""Tables whose rows carry an id of their own."""

SHORT_LIVED = "large"
"""Of this table only the rows of the last round stay, or it would fill the disk."""

KIB = 1024
SIZES = (16 * KIB, 256 * KIB, KIB * KIB)
LARGEST, LARGEST_EVERY = 14 * KIB * KIB, 5
"""A row as large as fits, in each fifth round: more would fill the disk with binary logs."""

PLACE = "place BIGINT AUTO_INCREMENT PRIMARY KEY"
SET_UP = f"""
DROP DATABASE IF EXISTS {DATABASE};
CREATE DATABASE {DATABASE};
CREATE TABLE {DATABASE}.ledger ({PLACE}, round INT NOT NULL, id VARCHAR(40) NOT NULL, KEY (round));
CREATE TABLE {DATABASE}.large ({PLACE}, round INT NOT NULL, id VARCHAR(40) NOT NULL, content LONGTEXT, KEY (round));
CREATE TABLE {DATABASE}.keyless (round INT NOT NULL, id VARCHAR(40) NOT NULL);
CREATE TABLE {DATABASE}.accounts (id INT PRIMARY KEY, balance INT NOT NULL);
CREATE TABLE {DATABASE}.beats (value BIGINT PRIMARY KEY);
INSERT INTO {DATABASE}.accounts SELECT seq, {EACH} FROM {DATABASE}.seq_0_to_{ACCOUNTS - 1};
INSERT INTO {DATABASE}.beats VALUES (0);
CREATE OR REPLACE USER {USER}@'%' IDENTIFIED BY '{{password}}';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON {DATABASE}.* TO {USER}@'%';
"""  # noqa: S608
TAKE_DOWN = f"DROP DATABASE IF EXISTS {DATABASE}; DROP USER IF EXISTS {USER}@'%';"

# One row per writer: with one shared row, a writer that waits for an acknowledgement would block all others.
BEAT = "INSERT INTO beats VALUES ({base} + {n})"
READ = "SELECT MAX(value) FROM beats"
LAST = "SELECT COALESCE((SELECT id FROM ledger WHERE round = {number} ORDER BY place DESC LIMIT 1), '')"
SUM = "SELECT SUM(balance) FROM accounts"
BASE = 1_000_000
"""Beats of a round have values from its number times this."""


@dataclass(frozen=True)
class Session:
    """The statements of one writer, in turns; `table`: the table of its ids, empty for none."""

    name: str
    pause: float
    statements: tuple[tuple[str, ...], ...]
    table: str = ""


def sessions(number: int, *, largest: bool = False) -> list[Session]:
    """All writers of a round. Ids are `number-session-n`.

    `largest`: whether rows as large as fit are among them.
    """
    writers = [_writer(f"w{index}", number) for index in range(1, 5)]
    writers += [_writer(f"w{index}", number, "UPDATE accounts SET balance = balance WHERE id = 1") for index in (5, 6)]
    keyless = f"INSERT INTO keyless VALUES ({number}, '{number}-keyless-{{n}}')"  # noqa: S608
    writers.append(Session("keyless", 0.2, ((keyless,),), "keyless"))
    large = "INSERT INTO large (round, id, content) VALUES ({0}, '{0}-large-{{n}}', REPEAT(MD5('{0} {{n}}'), {1}))"
    sizes = (*SIZES, LARGEST) if largest else SIZES
    writers.append(Session("large", 1.0, tuple((large.format(number, size // 32),) for size in sizes), "large"))
    writers += [_bank(name, number, step) for name, step in (("bank1", 3), ("bank2", 7))]
    writers.append(Session("ddl", 0.3, _changes()))
    forget = f"DELETE FROM {SHORT_LIVED} WHERE round < {number} - 1"  # noqa: S608
    beats = f"DELETE FROM beats WHERE value > 0 AND value < {(number - 1) * BASE}"  # noqa: S608
    writers.append(Session("forget", 1.0, ((forget,), (beats,))))
    return writers


def _writer(name: str, number: int, *more: str) -> Session:
    insert = f"INSERT INTO ledger (round, id) VALUES ({number}, '{number}-{name}-{{n}}')"  # noqa: S608
    return Session(name, 0.1, ((insert, *more),), "ledger")


def _bank(name: str, number: int, step: int) -> Session:
    """Transfers, each with a row of its own: an acknowledged one that is lost as a whole leaves the sum as it was."""
    change = "UPDATE accounts SET balance = balance {0} 1 WHERE id = ({{n}} * {1}) % {2}"
    insert = f"INSERT INTO ledger (round, id) VALUES ({number}, '{number}-{name}-{{n}}')"  # noqa: S608
    transfer = (insert, change.format("-", step, ACCOUNTS), change.format("+", step + 1, ACCOUNTS))
    return Session(name, 0.1, (transfer,), "ledger")


def _changes() -> tuple[tuple[str, ...], ...]:
    """A table that is created, filled, altered, given a comment with CR LF, copied, and dropped."""
    table, copied = "shape_{turn}", "copy_{turn}"
    return (
        (
            "-- apart",
            f"DROP TABLE IF EXISTS {table}",
            f"CREATE TABLE {table} (id INT PRIMARY KEY, text TEXT CHARACTER SET latin1)",
            f"INSERT INTO {table} VALUES ({{n}}, CONCAT('a', CHAR(13), CHAR(10), CHAR(233 USING latin1)))",  # noqa: S608
            f"ALTER TABLE {table} ADD COLUMN more INT DEFAULT 5, ALGORITHM=COPY",
            f"ALTER TABLE {table} COMMENT = 'one\r\ntwo {{n}}'",
            f"CREATE INDEX by_more ON {table} (more)",
            f"DROP TABLE IF EXISTS {copied}",
            f"CREATE TABLE {copied} (PRIMARY KEY (id)) SELECT * FROM {table}",  # noqa: S608
        ),
        ("-- apart", f"TRUNCATE TABLE {table}", f"ALTER TABLE {table} MODIFY text LONGTEXT CHARACTER SET utf8mb4"),
    )
