"""Pages of lessons that do not change, in a real browser: as wide as a phone, and nothing is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.learning import page, report, starting
from lab.learning.library import lesson, lessons
from lab.progress import Silent
from tests.accessibility import serious

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser import Opened

PHONE = {"width": 360, "height": 740}
WIDTH = "document.documentElement.scrollWidth"
HIDDEN = """[...document.querySelectorAll("table, pre, code, td")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest("table, pre, .wide, aside"))
  .map((one) => one.textContent)"""


def _fits(visit: Callable[..., Opened], file: Path) -> None:
    opened = visit(file.as_uri(), viewport=PHONE, bypass_csp=True)
    assert opened.page.evaluate(WIDTH) <= PHONE["width"], "the page scrolls sideways"
    assert opened.page.evaluate(HIDDEN) == []
    assert opened.asked == [file.as_uri()], "it needs nothing else"
    assert opened.errors == []
    assert serious(opened.page) == []


_OTHER = pytest.mark.nightly("four seconds each; at every change the first lesson, by the same page")


@pytest.mark.parametrize(
    "number", [pytest.param(one.number, marks=_OTHER if one.number > 1 else []) for one in lessons()]
)
def test_a_lesson_fits_a_phone(visit: Callable[..., Opened], tmp_path: Path, number: int) -> None:
    memory = MemoryBackend("golden", Capabilities("memory", frozenset({"fuse"})))
    file = tmp_path / "lesson.html"
    file.write_text(page.page(starting.start(lesson(number), memory, Silent())), encoding="utf-8")
    _fits(visit, file)


def test_a_report_of_a_class_fits_a_phone(visit: Callable[..., Opened], tmp_path: Path) -> None:
    rows = []
    for name in ("class-01", "class-of-the-second-course-07"):
        begun = starting.start(lesson(1), MemoryBackend(name), Silent())
        rows += report.rows(name, [(begun.lesson, begun.progress.changed("php", colour="red", says="a" * 90))])
    file = tmp_path / "report.html"
    file.write_text(report.written("page", rows), encoding="utf-8")
    _fits(visit, file)
