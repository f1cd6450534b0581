"""What the text of a dump says: its tables with their rows, and where in the log it is."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from command import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from mark import Entry

NAME = re.compile(rb"(?:CREATE TABLE|INSERT INTO|USE) `((?:[^`]|``)*)`")
FIRST_ROW = re.compile(rb"^INSERT INTO `(?:[^`]|``)*`(?: \((?:`(?:[^`]|``)*`|[^`(])*\))? VALUES *(.*)", re.DOTALL)


def marked(dump: Path, sums: dict[str, str]) -> dict[str, Entry]:
    """What a dump says of its tables, with their checksums."""
    return {name: of | ({"checksum": sums[name]} if name in sums else {}) for name, of in tables(dump).items()}


def tables(dump: Path) -> dict[str, Entry]:
    """Of each table in a dump, by `database.table`: how many `rows`, and `text`, the SHA-256 of what it is and has."""
    database, name, inside = "", "", False
    rows: dict[str, int] = {}
    digests = {}
    with dump.open("rb") as file:
        for line in file:
            found = None if inside else NAME.match(line)
            if found and line.startswith(b"USE "):
                database, name = _name(found[1]), ""
            elif found and line.startswith(b"CREATE TABLE "):
                name = f"{database}.{_name(found[1])}"
                rows[name], digests[name] = 0, hashlib.sha256()
            elif found:
                name, inside = f"{database}.{_name(found[1])}", True
                first = FIRST_ROW.match(line)
                line = first[1] if first else b""
                if not line.strip():
                    continue
            if name and (inside or not line.startswith((b"--", b"/*", b"\n"))):
                rows[name] += inside
                digests[name].update(line.rstrip(b",;\n"))
            inside = inside and not line.endswith(b";\n")
    return {name: {"rows": rows[name], "text": digests[name].hexdigest()} for name in rows}


def position(dump: Path) -> str:
    """The transactions that it has, as a GTID position. It stands behind the last table; no row begins so."""
    with dump.open("rb") as file:
        for line in file:
            if found := re.match(rb"-- SET GLOBAL gtid_slave_pos='([^']*)'", line):
                return found[1].decode()
    raise Failed("the databases can't be dumped: the dump does not say where in the log it is")


def place_of(dump: Path, number: int) -> str:
    """The table that a line of a dump belongs to; "" for none."""
    database = table = ""
    with dump.open("rb") as file:
        for count, line in enumerate(file, 1):
            if count > number:
                break
            found = NAME.match(line)
            if found and line.startswith(b"USE "):
                database = _name(found[1])
            elif found:
                table = f"{database}.{_name(found[1])}"
    return table


def _name(quoted: bytes) -> str:
    return quoted.replace(b"``", b"`").decode(errors="surrogateescape")
