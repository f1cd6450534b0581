"""What axe-core finds in a page that a browser shows; `scripts/axe` installs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / ".venv/axe/node_modules/axe-core/axe.min.js"
IMPACTS = ("serious", "critical")


def serious(page: Page, within: str = "html") -> list[tuple[str, str]]:
    """The serious violations within a selector: each rule with the first element that breaks it; none without axe."""
    if not AXE.is_file():
        return []
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("within => axe.run(within).then(told => told.violations)", within)
    return [(one["id"], one["nodes"][0]["html"][:160]) for one in found if one["impact"] in IMPACTS]
