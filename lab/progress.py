"""What a long operation tells while it works; the command line decides how that looks."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Hears how far an operation is. Called from several threads."""

    def say(self, line: str) -> None:
        """One line for a person."""

    def warn(self, line: str) -> None:
        """One line for a person, who should act on it."""

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node or an image is at now; `done` when nothing more will come of it."""


class Silent:
    """Says nothing; the base of reports that keep what is said."""

    def say(self, line: str) -> None:
        """Nothing."""

    def warn(self, line: str) -> None:
        """As any other line."""
        self.say(f"WARNING: {line}")

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """Nothing."""


class Once(Silent):
    """Passes on what was not said before: of an operation in two halves, the second repeats much of the first."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: set[tuple[object, ...]] = set()

    def say(self, line: str) -> None:
        """One line."""
        if self._new("say", line):
            self._report.say(line)

    def warn(self, line: str) -> None:
        """One line for a person, who should act on it."""
        if self._new("warn", line):
            self._report.warn(line)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node or an image is at now."""
        if self._new(subject, text, done):
            self._report.step(subject, text, done=done)

    def _new(self, *line: object) -> bool:
        new = line not in self._lines
        self._lines.add(line)
        return new
