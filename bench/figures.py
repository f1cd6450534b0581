"""A figure, how it is taken, and how it is shown."""

from __future__ import annotations

import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from lab.evidence.promises import promise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.spec import Cluster

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
    """What a figure is held against: a promise's formula with its value, as text, and the value in seconds.

    Raises:
        ValueError: the promise has no formula.
    """
    bound = promise(name).bound(cluster)
    if bound is None:
        raise ValueError(f"the promise '{name}' has no formula")
    return f"{promise(name).formula} = {bound:.2f} s", bound


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


def keep(sections: dict[str, list[Figure]]) -> Path:
    """Writes all figures as JSON and returns where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    machine = {"system": platform.platform(), "python": platform.python_version()}
    body = {
        "machine": machine,
        "sections": {name: [asdict(entry) for entry in rows] for name, rows in sections.items()},
    }
    path.write_text(json.dumps(body, indent=1), encoding="utf-8")
    return path
