"""The same promises on every backend, side by side: each run adds its column, and the table shows them all."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lab import drafts

if TYPE_CHECKING:
    import pytest

SUITE = "tests/cluster/"
UNKNOWN = "unknown: "
"""How the reason of a test begins whose promises were hidden by stalls in every round; see `lab.testing.rounds`."""

Table = dict[str, dict[str, str]]


class Parity:
    """A pytest plugin that records the outcome of each test, in a file that several runs share.

    The file is JSON: for each test its outcome by backend; a skipped one with the reason.
    """

    def __init__(self, file: Path, backend: str) -> None:
        self.file, self.backend = file, backend
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's worst phase counts; that it was set up says nothing yet."""
        if SUITE not in report.nodeid or (report.when != "call" and report.passed):
            return
        name = report.nodeid.partition(SUITE)[2]
        if report.skipped and isinstance(report.longrepr, tuple):
            self.outcomes.setdefault(name, f"skipped: {report.longrepr[2].removeprefix('Skipped: ')}")
        elif report.failed:
            self.outcomes[name] = "failed"
        else:
            self.outcomes.setdefault(name, report.outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Keeps this run's column; what a part of the suite skipped, another part may have passed."""
        table = self._merged()
        terminalreporter.section("parity")
        terminalreporter.write(markdown(table))

    def _merged(self) -> Table:
        """Adds this run's column to the file; two runs that end at once wait for each other."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_name(f".{self.file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            table = read(self.file)
            for name, outcome in self.outcomes.items():
                row = table.setdefault(name, {})
                if not (outcome.startswith("skipped") and row.get(self.backend) == "passed"):
                    row[self.backend] = outcome
            drafts.write(self.file, json.dumps(table, indent=1, sort_keys=True) + "\n")
        return table


def read(file: Path) -> Table:
    """The table so far; empty when there is none."""
    table: Table = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return table


def markdown(table: Table) -> str:
    """The table for a person: a promise a row, a backend a column, the reasons of what was skipped below."""
    backends = sorted({name for row in table.values() for name in row})
    reasons: list[str] = []
    lines = ["| promise | " + " | ".join(backends) + " |", "|---" * (len(backends) + 1) + "|"]
    for name, row in sorted(table.items()):
        cells = [_cell(row.get(backend, "not run"), reasons) for backend in backends]
        lines.append(f"| {_words(name)} | " + " | ".join(cells) + " |")
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def _cell(outcome: str, reasons: list[str]) -> str:
    if not outcome.startswith("skipped"):
        return {"passed": "holds", "failed": "**fails**"}.get(outcome, outcome)
    reason = outcome.removeprefix("skipped: ")
    if reason not in reasons:
        reasons.append(reason)
    word = "unknown" if reason.startswith(UNKNOWN) else "skipped"
    return f"{word} ({reasons.index(reason) + 1})"


def _words(name: str) -> str:
    """A test's name as the sentence that it is."""
    _, _, test = name.rpartition("::")
    case = test.partition("[")[2].rstrip("]")
    words = test.partition("[")[0].removeprefix("test_").replace("_", " ")
    return f"{words} ({case})" if case else words


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown(read(Path(sys.argv[1]))))
