"""The content of every mysql node, read from its own mariadbd while no client writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import parallel
from lab.errors import BackendError, NotReady
from lab.nemesis.judging import NodeCopy
from lab.nemesis.statements import DATABASE, LEDGERS, SHORT_LIVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lab.backends.base import Backend

READ_SECONDS = 60.0
APPLIED = "IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos)"
"""Up to where a node shows what was written: a replica's log has a transaction a moment before its tables have it."""

POSITIONS = {
    "replication": APPLIED,
    "galera": "(SELECT variable_value FROM information_schema.global_status "
    "WHERE variable_name = 'WSREP_LAST_COMMITTED')",
}
# A blocked commit stays in 'Waiting for semi-sync ACK …'; a slow one has another state at the next query.
WAITING = (
    "SELECT 'waiting', COUNT(*), COALESCE(MIN(LEFT(info, 60)), '') FROM information_schema.processlist "
    "WHERE state LIKE 'Waiting for semi-sync ACK%' OR (command = 'Query' AND time >= 5 AND state LIKE '%ommit%')"
)
OURS = "table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"
TABLES = (
    "SELECT 'shape', CONCAT(table_schema, '.', table_name), MD5(CONCAT_WS('|', engine, table_collation, "  # noqa: S608
    "table_comment)) "
    f"FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND {OURS}"
)
COLUMNS = (
    "SELECT 'shape', CONCAT(table_schema, '.', table_name), MD5(GROUP_CONCAT(column_name, column_type, is_nullable, "  # noqa: S608
    "COALESCE(column_default, ''), column_comment, COALESCE(collation_name, '') ORDER BY ordinal_position)) "
    f"FROM information_schema.columns WHERE {OURS} GROUP BY table_schema, table_name"
)
INDEXES = (
    "SELECT 'shape', CONCAT(table_schema, '.', table_name), MD5(GROUP_CONCAT(index_name, non_unique, column_name, "  # noqa: S608
    "index_type ORDER BY index_name, seq_in_index)) "
    f"FROM information_schema.statistics WHERE {OURS} GROUP BY table_schema, table_name"
)
CHECKSUMS = (
    "SET @tables = (SELECT GROUP_CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables "  # noqa: S608
    f"WHERE table_type = 'BASE TABLE' AND {OURS}); EXECUTE IMMEDIATE CONCAT('CHECKSUM TABLE ', @tables)"
)
DIGEST = (
    "SELECT '{0}', '{1}', COUNT(*), COALESCE(BIT_XOR(CRC32(id)), 0), COALESCE(SUM(CRC32(id)), 0) FROM {2} WHERE {3}"
)


@dataclass(frozen=True)
class Reading:
    """One snapshot of all nodes.

    Attributes:
        positions: position of each node's log, before and after reading.
        waiting: a blocked commit by node.
    """

    copies: Mapping[str, NodeCopy]
    positions: Mapping[str, tuple[str, ...]]
    waiting: Mapping[str, str]

    @property
    def together(self) -> bool:
        """Whether all nodes had one position, before and after reading."""
        return len({position for of in self.positions.values() for position in of}) == 1

    def __repr__(self) -> str:
        return f"positions {dict(self.positions)}, commits that wait: {dict(self.waiting) or 'none'}"


def read(backend: Backend, nodes: Sequence[str], topology: str, number: int) -> Reading:
    """The content of each node after a round.

    Raises:
        BackendError: a node cannot be read.
    """
    answers: dict[str, list[list[str]]] = {}
    query = "; ".join(_questions(POSITIONS[topology], number))

    def ask(node: str) -> None:
        argv = ["mariadb", "--skip-column-names", "--execute", query]
        done = backend.run(node, argv, seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"cannot read {node}: {done.last_line}", where=node)
        answers[node] = [line.split("\t") for line in done.stdout.splitlines()]

    try:
        parallel.for_each(nodes, ask)
    except NotReady as error:  # of several nodes; who polls asks again after either
        raise BackendError(error.what) from None
    return reading({node: answers[node] for node in nodes})


def reading(answers: Mapping[str, Sequence[Sequence[str]]]) -> Reading:
    """The nodes' answers, parsed."""
    positions = {node: tuple(row[1] for row in rows if row[0] == "position") for node, rows in answers.items()}
    waiting = {
        node: f"{row[1]}, such as {row[2]}"
        for node, rows in answers.items()
        for row in rows
        if row[0] == "waiting" and row[1] != "0"
    }
    return Reading({node: parsed(rows) for node, rows in answers.items()}, positions, waiting)


def since(table: str, number: int) -> int:
    """The first round whose rows a table still has at the end of a round."""
    return number if table == SHORT_LIVED else 0


def _questions(position: str, number: int) -> Iterator[str]:
    yield f"SELECT 'position', {position}"
    yield WAITING
    for table in LEDGERS:
        where = f"{DATABASE}.{table}"
        yield f"SELECT 'id', '{table}', id FROM {where} WHERE round = {number}"  # noqa: S608  names of this module's
        before = f"round >= {since(table, number - 1)} AND round < {number}"
        yield DIGEST.format("earlier", table, where, before)
        yield DIGEST.format("now", table, where, f"round >= {since(table, number)} AND round <= {number}")
    yield f"SELECT 'sum', SUM(balance) FROM {DATABASE}.accounts"  # noqa: S608
    yield TABLES
    yield COLUMNS
    yield INDEXES
    yield CHECKSUMS
    yield f"SELECT 'position', {position}"


def parsed(rows: Sequence[Sequence[str]]) -> NodeCopy:
    """A node's answer, parsed by the first word of each line; lines of CHECKSUM TABLE have none."""
    ids: dict[str, list[str]] = {table: [] for table in LEDGERS}
    earlier: dict[str, str] = {}
    now: dict[str, str] = {}
    tables: dict[str, list[str]] = {}
    total = -1
    for row in rows:
        match row:
            case ["id", table, one]:
                ids[table].append(one)
            case ["earlier", table, *digest]:
                earlier[table] = " ".join(digest)
            case ["now", table, *digest]:
                now[table] = " ".join(digest)
            case ["shape", table, digest]:
                tables.setdefault(table, []).append(digest)
            case ["sum", value]:
                total = int(value) if value.lstrip("-").isdecimal() else -1
            case [table, value] if "." in table:
                tables.setdefault(table, []).append(value)
    return NodeCopy(ids, earlier, now, {name: " ".join(values) for name, values in sorted(tables.items())}, total)
