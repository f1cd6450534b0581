"""The index of decisions: each page has a row, with its date and state."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/decisions"
ROW = re.compile(
    r"^\| \[(\d{3})\]\((\S+)\) \| \S.* \| \d{4}-\d\d-\d\d \| (in force|replaced by \[\d{3}\]\(\S+\)) \|$", re.MULTILINE
)


def test_every_page_has_a_row() -> None:
    rows = ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    pages = sorted(path.name for path in FOLDER.glob("0*.md"))
    assert [place for _, place, _ in rows] == pages
    assert all(place.startswith(f"{number}-") for number, place, _ in rows)
