"""The mark of a backup: what the cluster had, read from the cluster itself, by which a restore is judged."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME, DUMP, AFTERWARDS, FILES = "mark.json", "databases.sql", "afterwards.sql", "files"
SHOWN = 3
OLD_TABLES, OLD_FILES = ("rows", "text"), ("size", "mode", "uid", "gid", "digest")
"""The fields of a mark of version 1, in which each entry was a list."""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """What a restore has to give back.

    Attributes:
        tables: by `database.table`: `rows` and `text` (SHA-256) of the dump, `checksum` of the server that was dumped
            (CHECKSUM TABLE, history included; absent where the two can't be compared, see databases.py).
        definitions: by name, events, routines, triggers, views and people's accounts: `digest`, and of events `state`,
            `preserved` (whether one is there after its end) and, where they end, `until` (Unix seconds).
        files: by volume and path, see files.figures.
        old: whether it is of version 1, which knew no definitions and no directories.
    """

    tables: dict[str, Entry] = field(default_factory=dict)
    definitions: dict[str, Entry] = field(default_factory=dict)
    files: dict[str, dict[str, Entry]] = field(default_factory=dict)
    old: bool = False

    def write(self, folder: Path) -> None:
        """Into a backup's folder."""
        (folder / NAME).write_text(json.dumps(asdict(self)))

    @property
    def counts(self) -> dict[str, int]:
        """How much it speaks of, for a person."""
        rows = sum(int(one["rows"]) for one in self.tables.values())
        files = {
            f"files of {name}": sum(one["mode"][0] != "d" for one in of.values()) for name, of in self.files.items()
        }
        return {"tables": len(self.tables), "rows": rows, "definitions": len(self.definitions), **files}

    def part(self, volumes: list[str], *, databases: bool) -> Mark:
        """What it says of some of it."""
        files = {name: of for name, of in self.files.items() if name in volumes}
        return Mark(self.tables, self.definitions, files, self.old) if databases else Mark(files=files, old=self.old)

    def missed_by(self, other: Mark) -> list[str]:
        """In which tables, definitions and files something that was found is other than this."""
        pairs = [(self.tables, other.tables), (self.definitions, other.definitions)]
        pairs += [(of, other.files.get(name, {})) for name, of in self.files.items()]
        missed = [(mine, name) for mine, theirs in pairs for name in differing(mine, theirs)]
        return [name for mine, name in missed if name in mine or not self.old]


def differing(mine: Mapping[str, Entry], theirs: Mapping[str, Entry]) -> list[str]:
    """The names whose entries differ, or that only one has."""
    return [name for name in sorted({*mine, *theirs}) if _differs(mine.get(name), theirs.get(name))]


def _differs(mine: Entry | None, theirs: Entry | None) -> bool:
    """Whether any field that both have differs; holes may be others, but not none."""
    if mine is None or theirs is None:
        return True
    if sparse(mine) and not theirs.get("holes"):
        return True
    return any(key in theirs and theirs[key] != value for key, value in mine.items() if key not in ("holes", "until"))


def sparse(entry: Entry) -> bool:
    """Whether most of a file takes no room."""
    return bool(2 * entry.get("holes", 0) > entry.get("size", 0))


def read(folder: Path) -> Mark:
    """The mark in a backup's folder, of this version or the one before."""
    data = json.loads((folder / NAME).read_text())
    tables = {name: _entry(of, OLD_TABLES) for name, of in data["tables"].items()}
    files = {
        volume: {name: _entry(of, OLD_FILES) for name, of in all_.items()} for volume, all_ in data["files"].items()
    }
    return Mark(tables, data.get("definitions", {}), files, old="definitions" not in data)


def _entry(of: Entry | list[Any], names: tuple[str, ...]) -> Entry:
    return dict(zip(names, of)) if isinstance(of, list) else of


def shortened(names: list[str]) -> str:
    """A few of many, for a message."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
