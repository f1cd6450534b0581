"""Interrupts that wait for the end of work that must be completed or reverted."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unheard() -> Iterator[None]:
    """Processes that are begun in the block, and those that they begin, receive no Ctrl-C and no end of the terminal.

    Unlike those in a session of their own, they may ask a person at the terminal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Handlers:
    """The handlers of the signals from before; while others are in place, the first signal waits."""

    def __init__(self, deferral: Deferral) -> None:
        former = {each: signal.getsignal(each) for each in SIGNALS}
        self._former = {each: handler for each, handler in former.items() if handler not in (signal.SIG_IGN, None)}
        self._deferral = deferral
        self._over = False
        self.first: int | None = None

    def place(self) -> None:
        for each in self._former:
            signal.signal(each, self._wait)

    def end(self) -> None:
        """Restores the handlers, and handles the signal that waits, unless a second one was raised."""
        self.restore()
        if self.first is not None:
            self.handle(self.first, None)

    def restore(self) -> None:
        """Restores the handlers. An interrupt between two of them is raised after the last one."""
        self._over = True  # a handler that is still in place defers nothing: its signal would be lost
        try:
            for each, handler in self._former.items():
                signal.signal(each, handler)
        except BaseException:
            self.restore()
            raise

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal as it would have been without the deferral."""
        handler = self._former[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            os.kill(os.getpid(), number)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._over:
            self.handle(number, frame)
        elif number == signal.SIGINT and self._deferral.interrupted:
            self._deferral.twice = True
            self.restore()
            first, self.first = self.first, None
            self.handle(number, frame)
            self.first = first  # nothing was raised
        elif self.first is None:  # a shell and the kernel may both send SIGHUP; Ctrl-C is a person's
            self.first = number
            self._deferral.notice()


class Deferral:
    """Defers Ctrl-C, SIGTERM and SIGHUP to the end of the blocks of a work; a second Ctrl-C is not deferred.

    Python raises an interrupt between any two instructions, also within a library that then loses the answer of the
    engine. In other threads than the main thread nothing is deferred: no signal is raised in them.

    Attributes:
        interrupted: whether a signal was deferred, or a block begun because of an interrupt: the next Ctrl-C is the
            second one.
        twice: whether the second one was raised.

    Args:
        work: what an interrupt waits for.
    """

    def __init__(self, work: str) -> None:
        self.interrupted = self.twice = False
        self._work = work

    @contextmanager
    def block(self) -> Iterator[None]:
        """Defers until the block has ended, failed or not.

        An error of the block becomes a note of the interrupt that is raised in its place.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if isinstance(sys.exception(), (KeyboardInterrupt, SystemExit)):
            self.notice()
        handlers = _Handlers(self)
        try:
            handlers.place()
            yield
        except BaseException as error:
            try:
                handlers.end()
            except BaseException as interrupt:
                for note in _notes(error):
                    interrupt.add_note(note)
                raise
            raise
        handlers.end()

    def notice(self) -> None:
        """Prints once that an interrupt waits."""
        if not self.interrupted:
            self.interrupted = True
            with suppress(OSError):  # the terminal may be closed; `print` may be interrupted amid a line of its own
                os.write(2, f"lab: {self._work}; another Ctrl-C ends at once\n".encode(errors="backslashreplace"))


def _notes(error: BaseException) -> list[str]:
    """An error as notes of another: its text, which an interrupt has none of, and its own notes."""
    text = str(error) if isinstance(error, LabError) else repr(error) if isinstance(error, Exception) else ""
    return [*([text] if text else []), *getattr(error, "__notes__", ())]
