"""Each link of a page to a file of the project leads to one, and to a heading that it has."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and anchor not in _anchors(target))


def _broken_links(page: Path) -> list[str]:
    """Place and target of each link of a page that leads nowhere."""
    lines = page.read_text(encoding="utf-8").splitlines()
    links = [(number, link) for number, line in enumerate(lines, 1) for link in LINK.findall(line)]
    return [f"{page}:{number}: {link}" for number, link in links if "://" not in link and _broken(page, link)]


def test_links_lead_somewhere() -> None:
    broken = [link for page in PAGES for link in _broken_links(page)]
    assert not broken, "\n".join(broken)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n[one](#one), [two](#two)\n[three](three.md), [four](https://four)\n", encoding="utf-8")
    assert _broken_links(page) == [f"{page}:3: #two", f"{page}:4: three.md"]


def test_a_broken_link_would_be_found() -> None:
    readme = ROOT / "README.md"
    assert _broken(readme, "docs/none.md")
    assert _broken(readme, "CONTRIBUTING.md#none")
    assert not _broken(readme, "CONTRIBUTING.md#a-third-backend")
    assert len(PAGES) > 50
