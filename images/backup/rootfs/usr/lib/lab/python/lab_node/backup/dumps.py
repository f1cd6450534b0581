"""What the text of a dump says: its tables, their rows, and which a line belongs to."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .mark import Entry

NAME = re.compile(rb"(?:CREATE TABLE|INSERT INTO|USE) `((?:[^`]|``)*)`")
FIRST_ROW = re.compile(rb"^INSERT INTO `(?:[^`]|``)*`(?: \((?:`(?:[^`]|``)*`|[^`(])*\))? VALUES *(.*)", re.DOTALL)


def marked(dump: Path, sums: dict[str, str]) -> dict[str, Entry]:
    """What a dump says of its tables, with their checksums."""
    return {name: of | ({"checksum": sums[name]} if name in sums else {}) for name, of in tables(dump).items()}


def tables(dump: Path) -> dict[str, Entry]:
    """Of each table in a dump, by `database.table`: how many `rows`, and `text`, the SHA-256 of what it is and has.

    Only statements that begin with CREATE TABLE or INSERT INTO count, up to the line that ends each.
    """
    database, name, statement = "", "", b""
    rows: dict[str, int] = {}
    digests = {}
    with dump.open("rb") as file:
        for line in file:
            match = None if statement else NAME.match(line)
            if match and line.startswith(b"USE "):
                database = _name(match[1])
            elif match:
                name, statement = f"{database}.{_name(match[1])}", line[:6]
                if statement == b"CREATE":
                    rows[name], digests[name] = 0, hashlib.sha256()
                else:
                    first = FIRST_ROW.match(line)
                    line = first[1] if first else b""  # noqa: PLW2901  what is left of it
            if statement and line.strip():
                rows[name] += statement == b"INSERT"
                digests[name].update(line.rstrip(b",;\n"))
            if line.endswith(b";\n"):
                statement = b""
    return {name: {"rows": rows[name], "text": digests[name].hexdigest()} for name in rows}


def place_of(dump: Path, number: int) -> str:
    """The table that a line of a dump belongs to; "" for none."""
    database = table = ""
    with dump.open("rb") as file:
        for count, line in enumerate(file, 1):
            if count > number:
                break
            match = NAME.match(line)
            if match and line.startswith(b"USE "):
                database = _name(match[1])
            elif match:
                table = f"{database}.{_name(match[1])}"
    return table


def _name(quoted: bytes) -> str:
    return quoted.replace(b"``", b"`").decode(errors="surrogateescape")
