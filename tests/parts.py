"""How long each part of a run takes: `python -m tests.parts run NAME COMMAND…` notes it, `… table NAME…` prints all.

`in-time NAME COMMAND…` leaves a part out where the run has taken its `MINUTES`; the table names it.

A part is a line of the Makefile. Its tests are counted by the pytest that runs in it (`Counted`).
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

NOTES = Path("runs/parts.jsonl")
LATE = "not begun: the minutes of this run were over; 'make nightly' has its tests"
MINUTES = "MINUTES"
"""The variable of Make with the minutes after which `in-time` begins no part; unset: it begins all."""

COUNT = "LAB_PART_COUNT"
"""The variable with the path of the file that a part's pytest writes the number of its tests into."""


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: as the Makefile calls it.
        began: in Unix seconds.
        seconds: how long it took.
        tests: how many ran; None where it has none.
        code: its exit code.
        late: whether it was left out, since the minutes of the run were over.
    """

    name: str
    began: float
    seconds: float
    tests: int | None
    code: int
    late: bool = False


class Counted:
    """A pytest plugin: writes how many tests ran, where a part wants to know."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tests: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One that was skipped did not run."""
        if report.when == "call" and not report.skipped:
            self._tests.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Once for all processes of a run: the others' reports come to the first one."""
        self._file.write_text(str(len(self._tests)), encoding="utf-8")


def run(name: str, command: Sequence[str], notes: Path = NOTES) -> int:
    """Runs a part to its end, notes it, and returns its exit code."""
    notes.parent.mkdir(parents=True, exist_ok=True)
    count = notes.with_name(f"{notes.name}.{os.getpid()}")
    began, clock = time.time(), time.monotonic()
    # Make's own pipes are handed on: the command may be another make.
    code = subprocess.run(command, check=False, env={**os.environ, COUNT: str(count)}, close_fds=False).returncode
    tests = int(count.read_text(encoding="utf-8")) if count.is_file() else None
    count.unlink(missing_ok=True)
    _note(Part(name, began, time.monotonic() - clock, tests, code), notes)
    return code


def run_in_time(name: str, command: Sequence[str], notes: Path = NOTES) -> int:
    """As `run`; a part that would begin after the minutes of the run is noted as late, and returns 0."""
    minutes, now = os.environ.get(MINUTES), time.time()
    first = min((part.began for part in noted(notes)), default=now)
    if not minutes or now < first + float(minutes) * 60:
        return run(name, command, notes)
    _note(Part(name, now, 0.0, None, 0, late=True), notes)
    return 0


def _note(part: Part, notes: Path) -> None:
    with notes.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two parts may end at the same moment
        file.write(json.dumps(asdict(part)) + "\n")


def noted(notes: Path = NOTES) -> list[Part]:
    """The parts that were noted, in the order in which they began."""
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
    return sorted((Part(**json.loads(line)) for line in lines), key=lambda part: part.began)


def missing(parts: Sequence[Part], names: Sequence[str]) -> list[str]:
    """Of these names, those of parts that were not noted: what they need failed before, or they were interrupted."""
    return [name for name in names if name not in {part.name for part in parts}]


def table(parts: Sequence[Part], names: Sequence[str] = ()) -> str:
    """A row for each part, and the time from the first one's beginning to the last one's end.

    `names`: the parts of a whole run; each that is not among them has a row that says so.
    """
    if not parts:
        return "no part was noted\n"
    rows = [("part", "minutes", "tests", "")]
    for part in parts:
        tests = "" if part.tests is None else str(part.tests)
        said = f"exit code {part.code}" if part.code else LATE if part.late else ""
        rows.append((part.name, f"{part.seconds / 60:.1f}", tests, said))
    rows += [(name, "", "", "did not run") for name in missing(parts, names)]
    whole = max(part.began + part.seconds for part in parts) - parts[0].began
    rows.append(("all, some side by side", f"{whole / 60:.1f}", str(sum(part.tests or 0 for part in parts)), ""))
    width = max(len(row[0]) for row in rows)
    return "".join(f"{name:<{width}} {took:>8} {tests:>6} {said}".rstrip() + "\n" for name, took, tests, said in rows)


VERBS = {"run": run, "in-time": run_in_time}


def main(argv: Sequence[str]) -> int:
    """The command: `begin`, `run NAME COMMAND…`, `in-time NAME COMMAND…`, or `table NAME…`.

    The table fails if a part failed, or one of these names was not noted.
    """
    if argv[0] in VERBS:
        return VERBS[argv[0]](argv[1], argv[2:])
    if argv[0] == "begin":
        NOTES.unlink(missing_ok=True)
        return 0
    parts = noted()
    sys.stdout.write(table(parts, argv[1:]))
    return int(not parts or bool(missing(parts, argv[1:])) or any(part.code for part in parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
