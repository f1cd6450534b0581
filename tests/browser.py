"""A real browser: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
"""Chromium ends its requests when an interface of this machine comes or goes, as those of other tests' clusters do."""


@dataclass
class Opened:
    """A page in the browser, with all that it complained of and all that it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        """Keeps what the browser's console says."""
        if NETWORK_CHANGED not in text:
            self.errors.append(text)


@contextmanager
def browsing() -> Iterator[Callable[..., Opened]]:
    """A browser: a function that opens an address in a window of its own. Skips the test where there is none."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        # Root may not use the browser's sandbox; it opens pages of our own.
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])

        def visit(address: str, **context: Any) -> Opened:
            page = browser.new_context(**context).new_page()
            made = Opened(page)
            page.on("console", lambda message: made.complain(message.text))
            page.on("pageerror", lambda error: made.complain(str(error)))
            page.on("request", lambda request: made.asked.append(request.url))
            page.goto(address)
            return made

        yield visit
        browser.close()


@contextmanager
def windows(browser: Callable[..., Opened]) -> Iterator[Callable[..., Opened]]:
    """Opens windows, closed at its end: one that stays open draws, and takes the processor from what follows."""
    made: list[Opened] = []

    def visit(address: str, **context: Any) -> Opened:
        made.append(browser(address, **context))
        return made[-1]

    try:
        yield visit
    finally:
        for window in made:
            window.page.context.close()


@contextmanager
def opened(file: Path, **context: Any) -> Iterator[Opened]:
    """A file in a browser of its own; the test is skipped where there is none."""
    with browsing() as visit:
        yield visit(file.as_uri(), **context)


def bands(page: Page, plot: str) -> dict[str, tuple[float, float]]:
    """Where the bands of a plot are: name, and left and right edge as shares of the plot's own time axis."""
    script = """plot => [...document.querySelectorAll(`[data-plot="${plot}"] .band`)].map(
        band => [band.dataset.fault, band.x.baseVal.value, band.width.baseVal.value])"""
    ticks = """plot => [...document.querySelectorAll(`[data-plot="${plot}"] line.grid`)]
        .filter(line => line.getAttribute("x1") === line.getAttribute("x2")).map(line => line.x1.baseVal.value)"""
    left, *_ = page.evaluate(ticks, plot)
    return {name: (x - left, x - left + width) for name, x, width in page.evaluate(script, plot)}
