"""Output of long operations: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.cli import INTERRUPTED
from lab.cli.naming import named
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.live import Live

    from lab.progress import Report


REPEAT_SECONDS = 15.0
MARKS = {"✓": "ok", "✗": "x", "–": "-", "…": "..."}
"""Replacements for characters that the output's encoding lacks."""


def any_encoding() -> None:
    """Replaces characters that standard output or error cannot encode."""

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
    """One line per event on standard error, with the seconds since the start; long steps are repeated."""

    def __init__(self) -> None:
        self._begun = self._printed = time.monotonic()
        self._at: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """Prints one line."""
        self._write(named(line))

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """Current step of a node or image."""
        with self._lock:
            if done:
                self._at.pop(subject, None)
            else:
                self._at[subject] = (text, time.monotonic())
        self._write(f"{subject}: {text}{' ✓' if done else ''}")

    def repeat(self, ended: threading.Event) -> None:
        """Repeats the longest running step after `REPEAT_SECONDS` without output, until `ended`."""
        while not ended.wait(REPEAT_SECONDS / 3):
            now = time.monotonic()
            if now - self._printed < REPEAT_SECONDS:
                continue
            with self._lock:
                subject, (text, since) = min(self._at.items(), key=lambda row: row[1][1], default=("", ("", now)))
            if subject:
                self._write(f"{subject}: {text} (for {now - since:.0f} s)")

    def _write(self, text: str) -> None:
        self._printed = time.monotonic()
        try:
            sys.stderr.write(f"[{self._printed - self._begun:6.1f} s] {text}\n")
        except OSError:  # the reader has left, as `head` does: the operation continues
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Table(Silent):
    """A live table: the current step of each image and node, and its duration."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._rows: dict[str, tuple[str, float, bool]] = {}

    def say(self, line: str) -> None:
        """Prints one line above the table."""
        self._live.console.print(named(line), highlight=False, markup=False)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """Current step of a node or image."""
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
    """The report for standard error: live on a terminal, else plain."""
    if not sys.stderr.isatty():
        plain, ended = Plain(), threading.Event()
        threading.Thread(target=plain.repeat, args=(ended,), daemon=True).start()
        try:
            yield plain
        finally:
            ended.set()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
        table = Table(live)
        live.update(table)
        yield table


@contextmanager
def looking() -> Iterator[None]:
    """For verbs that change nothing: Ctrl-C and other signals end them silently."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else error.code
        if not isinstance(code, int) or code < INTERRUPTED - 2:
            raise
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)  # threads may still wait for output


def reader_gone(out: int = 1) -> bool:
    """Whether standard output, or a copy of it, is a pipe whose reader has left."""
    poll = select.poll()
    poll.register(out, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
