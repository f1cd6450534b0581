"""docs/figures.md from what a run kept: `python -m bench.page bench/results/STAMP.json > docs/figures.md`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.prose import AFTERWARDS, HEAD, REMARKS
from bench.sections import SECTIONS

HEADINGS = "| figure | least | median | most | runs | held against |\n|---|---|---|---|---|---|"
DIGITS = 3


def page(kept: dict[str, Any]) -> str:
    """The page: every section of the run as a table, with the remarks that belong to it.

    Raises:
        ValueError: the run was a quick look, whose figures are not to be quoted.
    """
    if kept["quick"]:
        raise ValueError("a quick look: its figures are one run each; take a whole run with 'make bench'")
    parts = [HEAD.format(**kept["machine"], began=_day(kept["began"]))]
    for name, section in SECTIONS.items():
        if name in kept["sections"] or name in kept["failed"]:
            parts += [f"## {section.title}", _table(kept, name)]
            parts += [REMARKS[name]] if name in REMARKS else []
    return "\n\n".join([*parts, AFTERWARDS]).rstrip() + "\n"


def _table(kept: dict[str, Any], name: str) -> str:
    if name in kept["failed"]:
        return f"Failed in this run: {kept['failed'][name].splitlines()[0]}"
    return "\n".join([HEADINGS, *map(_row, kept["sections"][name])])


def _row(entry: dict[str, Any]) -> str:
    numbers = [f"{_number(entry[key])} {entry['unit']}" for key in ("least", "median", "most")]
    if entry["runs"] == 1:
        numbers = ["", numbers[1], ""]
    goal = entry["goal"] + ("" if entry["held"] is not False else ": **missed**")
    return f"| {' | '.join([entry['name'].replace('|', '/'), *numbers, str(entry['runs']), goal])} |"


def _number(value: float) -> str:
    """Three digits that count, and no exponent."""
    return f"{value:.0f}" if abs(value) >= 10 ** (DIGITS - 1) else f"{float(f'{value:.{DIGITS}g}'):g}"


def _day(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"


def main() -> None:
    """Prints the page of one kept run."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("python -m bench.page bench/results/STAMP.json > docs/figures.md")
    try:
        print(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
