"""A figure, how it is taken, and how it is shown."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from lab.evidence.promises import promise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.topology import Cluster

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One line of the report: least, median and most of all runs, and what it is held against.

    `held` is None when the figure is only reported.
    """

    name: str
    unit: str
    least: float
    median: float
    most: float
    runs: int
    goal: str = ""
    held: bool | None = None


def figure(name: str, unit: str, values: Sequence[float], goal: str = "", limit: float | None = None) -> Figure:
    """A figure from its runs; with a `limit` it is held when the median is at or below it."""
    middle = statistics.median(values)
    held = None if limit is None else middle <= limit
    return Figure(name, unit, min(values), middle, max(values), len(values), goal, held)


def promised(name: str, cluster: Cluster) -> tuple[str, float]:
    """What a figure is held against: a promise's bound with its formula, as text, and the bound in seconds.

    Raises:
        ValueError: the promise has no formula.
    """
    bound = promise(name).bound(cluster)
    if bound is None:
        raise ValueError(f"the promise '{name}' has no formula")
    return f"{bound:.2f} s = {promise(name).formula}", bound


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def show(title: str, figures: Sequence[Figure]) -> None:
    """Prints a table."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2), header_style="bold")
    for head, justify in (
        ("figure", "left"),
        ("min", "right"),
        ("median", "right"),
        ("max", "right"),
        ("runs", "right"),
    ):
        table.add_column(head, justify="right" if justify == "right" else "left")
    table.add_column("held against")
    for entry in figures:
        mark = {None: "", True: " ✓", False: " ✗"}[entry.held]
        numbers = [f"{value:.2f} {entry.unit}" for value in (entry.least, entry.median, entry.most)]
        table.add_row(entry.name, *numbers, str(entry.runs), f"{entry.goal}{mark}")
    Console(width=140).print(table)


@dataclass
class Result:
    """What one call of the bench brings: kept after every section, so that what ends early leaves what it has.

    Attributes:
        quick: whether it is a quick look; its file is named so, and never that of a whole run.
        taken: figures by section.
        failed: by section, why there are none.
        seconds: how long each section took.
        until: when it has to end, by the monotonic clock.
        left_out: the sections that there was no time for.
    """

    quick: bool = False
    taken: dict[str, list[Figure]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    until: float = float("inf")
    left_out: list[str] = field(default_factory=list)
    began: str = field(default_factory=lambda: time.strftime("%Y%m%d-%H%M%S"))

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return RESULTS / f"{'quick-' if self.quick else ''}{self.began}.json"

    def keep(self) -> None:
        """Writes all of it as JSON."""
        RESULTS.mkdir(exist_ok=True)
        body = {
            "quick": self.quick,
            "began": self.began,
            "machine": machine(),
            "sections": {name: [asdict(entry) for entry in rows] for name, rows in self.taken.items()},
            "failed": self.failed,
            "left_out": self.left_out,
            "seconds": {name: round(took, 1) for name, took in self.seconds.items()},
        }
        self.path.write_text(json.dumps(body, indent=1), encoding="utf-8")


def machine() -> dict[str, str | int]:
    """What the figures were taken on: system, cores, GiB of memory."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30),
    }
