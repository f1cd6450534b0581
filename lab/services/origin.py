"""A check of replication: which server wrote the rows that a mysql node has, by the node's own binary log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from lab.evidence.outcomes import CheckInput, green, kind, red, unknown
from lab.services.effects import RowCheck, row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.evidence.outcomes import CheckOutcome, Scene

LOG_SECONDS = 60
LOG = r"""
base=$(mariadb --skip-column-names --execute 'SELECT @@log_bin_basename')
mariadb-binlog --no-defaults --base64-output=decode-rows --verbose "$base".[0-9]* |
    grep -aiE '^#[0-9]{6} .* server id [0-9]+ |^### |^(CREATE|DROP|TRUNCATE) '
"""
SERVER = re.compile(r"#\d{6} .* server id (\d+) ")
CHANGE = re.compile(r"### (INSERT|UPDATE|DELETE)\b.*`(\w+)`\.`(\w+)`")
VALUE = re.compile(r"###   @1=(\S+)")


class OriginCheck(CheckInput):
    """Rows of a table that were written on another server, and replicated.

    Attributes:
        node: whose rows and log are read; it logs what it replicates.
        table: such as `evidence.ledger`.
        column: its first one, of whole numbers, each of which is there once.
        server: the number (`server-id`) of the server that wrote them.
    """

    node: str
    table: str = Field(pattern=r"^\w+\.\w+$")
    column: str = Field(pattern=r"^\w+$")
    server: int

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """What is not replicated, in both ways."""
        return ("not-in-log", "other-server")


@kind("origin", OriginCheck, ("no-database", "refused", "no-rows", "not-in-log", "other-server"))
def origin(scene: Scene, check: OriginCheck) -> CheckOutcome:
    """Reads the rows, and the log that has them."""
    select = f"SELECT {check.column} FROM {check.table}"  # noqa: S608  both by their patterns
    answer = row(scene, RowCheck(node=check.node, statement=select, prints="^"))
    if not answer.green:
        return answer
    rows = scene.run(check.node, ["mariadb", "--skip-column-names", "--batch", "--execute", select]).stdout.split()
    if not rows:
        return red("no-rows", f"{check.table} on {check.node} has no row")
    log = scene.run(check.node, ["sh", "-c", LOG], LOG_SECONDS)
    if not log.stdout and log.stderr:
        return unknown(f"the binary log of {check.node} can't be read: {log.last_line}")
    written = writers(log.stdout.splitlines(), check.table)
    missing = [one for one in rows if one not in written]
    others = sorted({written[one] for one in rows if one not in missing} - {check.server})
    place = f"rows of {check.table} on {check.node}"
    if others:
        count = sum(written.get(one) in others for one in rows)
        servers = " and ".join(map(str, others))
        return red("other-server", f"{count} of {len(rows)} {place} were written by the server {servers}", servers)
    if missing:
        return red("not-in-log", f"{len(missing)} of {len(rows)} {place} are in no transaction of its log")
    return green(f"all {len(rows)} {place} were written by the server {check.server}, and replicated", f"{len(rows)}")


def writers(log: Iterable[str], table: str) -> dict[str, int]:
    """The number of the server that wrote each row of a table last, by the row's first column.

    `log`: lines of mariadb-binlog.
    """
    written: dict[str, int] = {}
    whole = re.compile(rf"(?i)(CREATE|DROP|TRUNCATE)\b.*\b{re.escape(table.partition('.')[2])}\b")
    server, change = 0, ""
    for line in log:
        if match := SERVER.match(line):
            server = int(match[1])
        elif match := CHANGE.match(line):
            change = match[1] if f"{match[2]}.{match[3]}" == table else ""
        elif change and (match := VALUE.match(line)):
            if change == "DELETE":
                written.pop(match[1], None)
            else:
                written[match[1]] = server
        elif whole.match(line):
            written.clear()
    return written
