"""The same work on many things at once, with one error for all that failed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from lab.errors import LabError, NotReady, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
WORKERS = 16
SHOWN = 2  # failures told whole; of more, one line each fits on the screen


def for_each(items: Sequence[T], work: Callable[[T], object]) -> None:
    """Runs `work(item)` for all items at once, and waits for all of them, failed or not.

    Raises:
        LabError: the one failure, or all of them in one `NotReady`, the earliest first, as others may have waited for
            it. An unexpected exception goes before all, then a refusal.
    """
    if not items:
        return
    failed: list[BaseException] = []

    def attempt(item: T) -> None:
        try:
            work(item)
        except BaseException as error:  # noqa: BLE001  raised below
            failed.append(error)

    pool = ThreadPoolExecutor(min(WORKERS, len(items)))
    try:
        wait([pool.submit(attempt, item) for item in items])
    finally:
        # An interrupt must not wait for the slowest: what was begun is found again in the engine.
        pool.shutdown(wait=False, cancel_futures=True)
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
