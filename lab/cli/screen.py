"""How long operations look: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import codecs
import io
import select
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.lifecycle.report import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.live import Live

    from lab.lifecycle.report import Report


MARKS = {"✓": "ok", "✗": "x", "–": "-", "…": "..."}
"""What is printed where the encoding of the terminal or pipe has no such sign."""


def any_encoding() -> None:
    """Prints something else for a sign that standard output or error can't encode, instead of failing."""

    def marked(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        text = "".join(MARKS.get(sign, "?") for sign in error.object[error.start : error.end])
        return text, error.end

    codecs.register_error("lab.marks", marked)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lab.marks")


class Plain(Silent):
    """One line an event, with the seconds since the beginning, on standard error."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def say(self, line: str) -> None:
        """One line for a person."""
        sys.stderr.write(f"{self._elapsed()} {line}\n")

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node or an image is at now."""
        sys.stderr.write(f"{self._elapsed()} {subject}: {text}{' ✓' if done else ''}\n")

    def _elapsed(self) -> str:
        return f"[{time.monotonic() - self._begun:6.1f} s]"


class Table(Silent):
    """A live table: what each image and node is at, and for how long."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._rows: dict[str, tuple[str, float, bool]] = {}

    def say(self, line: str) -> None:
        """One line for a person, above the table."""
        self._live.console.print(line, highlight=False, markup=False)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node or an image is at now."""
        with self._lock:
            self._rows[subject] = (text, time.monotonic(), done)

    def __rich__(self) -> RenderableType:
        from rich.table import Table as Grid

        now = time.monotonic()
        grid = Grid.grid(padding=(0, 2))
        with self._lock:
            for subject, (text, since, done) in self._rows.items():
                mark, seconds = ("[green]✓[/]", "") if done else ("[yellow]…[/]", f"{now - since:.0f} s")
                grid.add_row(mark, f"[bold]{subject}[/]", text.replace("[", r"\["), f"[dim]{seconds}[/]")
        grid.caption = f"{now - self._begun:.0f} s"
        return grid


@contextmanager
def report() -> Iterator[Report]:
    """A report that fits where standard error goes."""
    if not sys.stderr.isatty():
        yield Plain()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        table = Table(live)
        live.update(table)
        yield table


def reader_gone(out: int = 1) -> bool:
    """Whether standard output, or a copy of it, is a pipe that nobody reads any more, as behind `| head`."""
    poll = select.poll()
    poll.register(out, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
