"""The same work on many things at once, with one error for all that failed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from lab.errors import LabError, NotReady, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
WORKERS = 16
SHOWN = 2  # failures told whole; of more, one line each fits on the screen


def for_each(items: Sequence[T], work: Callable[[T], object], *, settled: bool = False) -> None:
    """Runs `work(item)` for all items at once, and waits for all of them, failed or not.

    `settled`: whether an interrupt waits too for what was begun, as it is reverted next.

    Raises:
        LabError: the one failure, or all of them in one `NotReady`. An unexpected exception goes first, then a refusal.
    """
    if not items:
        return
    pool = ThreadPoolExecutor(min(WORKERS, len(items)))
    try:
        futures = [pool.submit(work, item) for item in items]
        failed = [error for future in futures if (error := future.exception())]
    finally:
        # Else an interrupt must not wait for the slowest: what was begun is found again in the engine.
        pool.shutdown(wait=settled, cancel_futures=True)
    if not failed:
        return
    unforeseen = [error for error in failed if not isinstance(error, LabError)]
    refused = [error for error in failed if isinstance(error, UserError)]
    first = [*unforeseen, *refused] or failed
    if unforeseen or refused or len(failed) == 1:
        raise first[0]
    shown, brief = failed[:SHOWN], failed[SHOWN:]
    waits = [error for error in failed if isinstance(error, NotReady) and error.awaited]
    raise NotReady(
        "\n".join([*map(str, shown), *(str(error).splitlines()[0] for error in brief)]),
        awaited="; ".join(error.awaited for error in waits),
        last="; ".join(error.last for error in waits),
    )
