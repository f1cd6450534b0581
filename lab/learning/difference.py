"""The difference between the lab's file and the person's, without the values that the lesson itself asks for."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def expected(lab: Sequence[str], mine: Sequence[str], values: Iterable[object]) -> tuple[list[str], list[str]]:
    """The lab's lines as the lesson asks for them, and those of the person's lines that were adopted for it.

    A person's line is adopted if it has one of the lesson's values as a word, and either replaces a line that differs
    in that word alone, or stands where the lab has no line.
    """
    words = re.compile("|".join(rf"\b{re.escape(str(value))}\b" for value in values) or "(?!)")
    lines, adopted = list(lab), []
    for line in mine:
        if line in lines or not words.search(line):
            continue
        same = [number for number, one in enumerate(lines) if one not in mine and _alike(one, line, words)]
        if same:
            lines[same[0]] = line
            adopted.append(line)
    result: list[str] = []
    for kind, begin, end, other_begin, other_end in difflib.SequenceMatcher(None, lines, mine).get_opcodes():
        between = mine[other_begin:other_end]
        if kind == "insert" and all(map(words.search, between)):
            result += between
            adopted += between
        else:
            result += lines[begin:end]
    return result, [line.strip() for line in mine if line in adopted]


def _alike(lab: str, mine: str, words: re.Pattern[str]) -> bool:
    """Whether two lines have the same words but where the second has a value of the lesson."""
    pairs = list(zip(lab.split(), mine.split(), strict=False))
    same = [one == other for one, other in pairs]
    return (
        len(lab.split()) == len(mine.split())
        and any(same)
        and all(equal or words.search(other) for equal, (_, other) in zip(same, pairs, strict=True))
    )


def unified(lab: Sequence[str], mine: Sequence[str], path: str, node: str) -> str:
    """From the lab's lines to the person's, in the unified format; empty where they are equal."""
    return "\n".join(difflib.unified_diff(lab, mine, f"the lab's {path}", f"yours, on {node}", lineterm=""))
