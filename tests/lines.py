"""A pytest plugin: notes which lines of `lab/` run, at next to no cost (`python -m pytest -p tests.lines`).

Coverage's tracer is called for every line as often as it runs, which adds three quarters to the unit suite's time.
SlipCover takes a line's probe out once the line has run. What it saw is kept as coverage's own data, so that
`coverage combine` adds it to what the other parts of `make test` measure.

`-p` and no conftest: modules of `lab/` are measured if they are imported later, and the plugin of `lab.testing` imports
many. Processes that tests start are not measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
from slipcover import FileMatcher, Slipcover
from slipcover.importer import SlipcoverMetaPathFinder

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lab"

# At once: later it would look through the variables of all threads, which keeps what they had until a function ends.
_seen = Slipcover(immediate=True)
sys.meta_path.insert(0, SlipcoverMetaPathFinder(_seen, FileMatcher(sources=[PACKAGE])))


def pytest_unconfigure() -> None:
    """Once a process, the one that hands tests out included."""
    keep(_lines(_seen), ROOT / ".coverage")


def keep(lines: Mapping[str, list[int]], file: Path) -> None:
    """Writes lines that ran, by the absolute path of their source, as a file of coverage's beside `file`.

    All of `lab/` is in it: a module that was never imported counts as one of which no line ran.
    """
    data = coverage.CoverageData(str(file), suffix=True)
    data.add_lines(lines)
    data.touch_files([str(path) for path in PACKAGE.rglob("*.py")])
    data.write()


def _lines(seen: Slipcover) -> dict[str, list[int]]:
    return {str(Path(path).absolute()): file["executed_lines"] for path, file in seen.get_coverage()["files"].items()}
