"""The mark of a backup: counts and checksums of everything in it, made when it was, by which a restore is judged."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME, DUMP, FILES = "mark.json", "databases.sql", "files"
SHOWN = 3


@dataclass(frozen=True)
class Mark:
    """By table: rows and checksum; by volume and path: size, mode, owners and checksum."""

    tables: dict[str, list[int | str]] = field(default_factory=dict)
    files: dict[str, dict[str, list[int | str]]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Into a backup's folder."""
        (folder / NAME).write_text(json.dumps(asdict(self)))

    @property
    def counts(self) -> dict[str, int]:
        """How much it speaks of, for a person."""
        rows = sum(int(one[0]) for one in self.tables.values())
        return {"tables": len(self.tables), "rows": rows, **{f"files of {name}": len(of) for name, of in self.files.items()}}

    def part(self, volumes: list[str], *, databases: bool) -> Mark:
        """What it says of some of it."""
        return Mark(self.tables if databases else {}, {name: of for name, of in self.files.items() if name in volumes})

    def missed_by(self, found: Mark) -> list[str]:
        """In which tables and files something that was found is other than this."""
        pairs = [(self.tables, found.tables), *((of, found.files.get(name, {})) for name, of in self.files.items())]
        return [name for mine, theirs in pairs for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]


def read(folder: Path) -> Mark:
    """The mark in a backup's folder."""
    return Mark(**json.loads((folder / NAME).read_text()))


def shortened(names: list[str]) -> str:
    """A few of many, for a message."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
