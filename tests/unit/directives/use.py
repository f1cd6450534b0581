"""A use: one directive in one line of a configuration. The parser of each format yields them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """What a daemon has to know to read a line.

    Attributes:
        name: as the table of the daemon calls it, such as `timeout check` or `vrrp_instance.priority`.
        line: its number in the file, from 1.
        values: words that the table may know one by one.
        since: the line is only read by this version and later ones; empty: by all.
    """

    name: str
    line: int
    values: tuple[str, ...] = ()
    since: str = ""


def lines(text: str, comment: str = "#") -> list[tuple[int, str]]:
    """The numbers and the texts of all lines that are neither empty nor a comment."""
    stripped = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in stripped if line and not line.startswith(comment)]


def words(value: str) -> tuple[str, ...]:
    """The parts of a list, whether commas or blanks separate them."""
    return tuple(word for word in re.split(r"[\s,]+", value) if word)
