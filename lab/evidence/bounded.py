"""Calls of the user's own code, which may never return."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = TypeVar("T")


class Endless(Exception):  # noqa: N818  names what the call is
    """A call that did not return in time.

    Attributes:
        line: the line of the user's file at which it was then; empty if it was in none.
    """

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


def call(function: Callable[[], T], seconds: float, file: str) -> T:
    """What a function returns, or raises. One that does not end goes on in a thread that ends with the process.

    Args:
        function: the call.
        seconds: the limit.
        file: the user's file, for the line.

    Raises:
        Endless: it did not return within the limit.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(function())
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if returned:
        return returned[0]
    raise Endless(_line(sys._current_frames().get(thread.ident or 0), file))  # noqa: SLF001  the documented name


def _line(frame: FrameType | Any, file: str) -> str:  # noqa: ANN401
    """The innermost line of a file on a stack."""
    while frame:
        if frame.f_code.co_filename == file:
            return f"{file}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""
