"""What a long operation tells while it works; the command line decides how that looks."""

from __future__ import annotations

from typing import Protocol

WARNING = "WARNING: "
"""How a line begins that a person should act on."""


class Report(Protocol):
    """Hears how far an operation is. Called from several threads."""

    def say(self, line: str) -> None:
        """One line for a person."""

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node or an image is at now; `done` when nothing more will come of it."""


class Silent:
    """Says nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """Nothing."""
