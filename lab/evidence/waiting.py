"""Waits on conditions: polled, bounded by name, and clear about what was last seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from lab.errors import BackendError, NotReady

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
POLL_SECONDS = 0.1


def until(what: str, seconds: float, ask: Callable[[], T], good: Callable[[T], bool] = bool) -> T:
    """Asks until the answer is good, and returns it.

    Args:
        what: what is awaited, for the message.
        seconds: how long at most.
        ask: asked about ten times a second; an engine's refusal counts as a bad answer.
        good: which answer is good; by default any that is true.

    Raises:
        NotReady: it did not come; says what was last seen.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen: T | BackendError = ask()
        except BackendError as error:
            seen = error
        if not isinstance(seen, BackendError) and good(seen):
            return seen
        if time.monotonic() >= deadline:
            raise NotReady(f"after {seconds:g} s still waiting for: {what}; last seen: {seen!r}")
        time.sleep(POLL_SECONDS)
