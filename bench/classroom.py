"""A class: clusters of the first lesson side by side, with their memory, and the time of a check in all at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, seconds
from lab import parallel
from lab.backends import backend
from lab.learning import starting
from lab.learning.library import lesson
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.topology import Placement
from lab.topology.changes import ported
from lab.topology.ports import OFF

if TYPE_CHECKING:
    from lab.learning.attempt import Attempt

LESSON, TASK = 1, "returns"
"""Its check kills the web node, and measures until the page is back."""

CLUSTERS = (1, 5, 10, 20, 40)
"""Side by side, at each run; a class is of twenty."""

LEAST_FREE = 0.2
"""No cluster is added where less of the machine's memory is available."""

QUIET_SECONDS = 20.0  # as the measured memory of roles: what a boot takes is given back by then
MEMINFO = Path("/proc/meminfo")


def run(runs: int) -> list[Figure]:
    """With as many of `CLUSTERS` as runs; fewer where the memory ends."""
    made: list[Attempt] = []
    figures: list[Figure] = []
    before = memory()["MemAvailable"]
    try:
        for count in CLUSTERS[:runs]:
            fewer = len(made)
            while len(made) < count and _fits():
                made.append(_solved(len(made)))
            if len(made) > fewer:
                figures += _figures(made, before)
            if len(made) < count:
                break
    finally:
        numbers = range(len(made) + 1)  # the one whose start failed too
        parallel.for_each(numbers, lambda number: down(backend(Placement(), _name(number)), Silent(), volumes=True))
    return figures


def _fits() -> bool:
    free = memory()
    return free["MemAvailable"] >= LEAST_FREE * free["MemTotal"]


def _name(number: int) -> str:
    return f"labbench-{os.getpid()}-class-{number + 1:02}"


def _solved(number: int) -> Attempt:
    """A learner's cluster with all tasks of the lesson solved."""
    one, target = lesson(LESSON), backend(Placement(), _name(number))
    off = [f"{name}={OFF}" for name in one.cluster().ports.by_name()]
    current = starting.start(one, target, Silent(), ported(one.cluster(target.cluster), off))
    for task in one.data.tasks:
        current.solve(task)
    return current


def _figures(made: list[Attempt], before: float) -> list[Figure]:
    """The memory of a cluster, and how long each waits for the answer of a check when all ask at once."""
    count = len(made)
    time.sleep(QUIET_SECONDS)
    taken = (before - memory()["MemAvailable"]) / count
    took: list[float] = []
    colours: list[bool] = []

    def ask(current: Attempt) -> None:
        took.append(seconds(lambda: colours.append(current.check(current.lesson.task(TASK)).green)))

    parallel.for_each(made, ask)
    return [
        figure(f"memory of a cluster, {count} side by side", "MiB", [taken]),
        figure(f"a check of '{TASK}', in {count} at once", "s", took),
        figure(f"of these checks, green, in {count} at once", "", [sum(colours)]),
    ]


def memory() -> dict[str, float]:
    """This machine's memory in MiB, by the kernel's names."""
    lines = MEMINFO.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":") for line in lines if line.endswith(" kB"))
    return {name: int(text.split()[0]) / 1024 for name, text in pairs}
