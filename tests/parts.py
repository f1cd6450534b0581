"""How long each part of a run takes: `python -m tests.parts run NAME COMMAND…` notes it, `… table NAME…` prints all.

`in-time NAME COMMAND…` ends a part where the run has taken its `MINUTES`; the table names it.

A part is a line of the Makefile. Its tests are counted by the pytest that runs in it (`Counted`).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
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
LATE = "not run to its end: the minutes of this run were over; 'make nightly' has its tests"
END_SECONDS = 300  # for its last test and what it removes, once it is interrupted
MINUTES = "MINUTES"
"""The variable of Make with the minutes after which `in-time` ends a part; unset: none."""

COUNT = "LAB_PART_COUNT"
"""The variable with the path of the file for the number of tests of a part's pytest, and of those that failed."""


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: as the Makefile calls it.
        began: in Unix seconds.
        seconds: how long it took.
        tests: how many ran; None where it has none.
        code: its exit code.
        late: whether it did not run to its end, since the minutes of the run were over.
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
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One that was skipped did not run."""
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when == "call" and not report.skipped:
            self._tests.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Once for all processes of a run: the others' reports come to the first one."""
        self._file.write_text(f"{len(self._tests)} {len(self._failed)}", encoding="utf-8")


def run(name: str, command: Sequence[str], notes: Path = NOTES, seconds: float | None = None) -> int:
    """Runs a part, notes it, and returns its exit code.

    `seconds`: after these it is interrupted; it fails then only if one of its tests had failed.
    """
    notes.parent.mkdir(parents=True, exist_ok=True)
    count = notes.with_name(f"{notes.name}.{os.getpid()}")
    began, clock = time.time(), time.monotonic()
    # A job in the background of a shell ignores interrupts, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Make's own pipes are handed on: the command may be another make.
    with subprocess.Popen(command, env={**os.environ, COUNT: str(count)}, close_fds=False) as process:
        code, late = _end(process, seconds)
    tests, failed = map(int, count.read_text(encoding="utf-8").split()) if count.is_file() else (None, 0)
    count.unlink(missing_ok=True)
    code = int(failed > 0) if late else code
    _note(Part(name, began, time.monotonic() - clock, tests, code, late=late), notes)
    return code


def _end(process: subprocess.Popen[bytes], seconds: float | None) -> tuple[int, bool]:
    """The exit code of a process, and whether it was interrupted after so many seconds."""
    try:
        return process.wait(seconds), False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(END_SECONDS), True
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(), True


def run_in_time(name: str, command: Sequence[str], notes: Path = NOTES) -> int:
    """As `run`; a part that is not done when the minutes of the run are over is ended, and noted as late."""
    minutes, now = os.environ.get(MINUTES), time.time()
    first = min((part.began for part in noted(notes)), default=now)
    if not minutes:
        return run(name, command, notes)
    if (left := first + float(minutes) * 60 - now) > 0:
        return run(name, command, notes, left)
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
