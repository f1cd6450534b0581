"""Search for the highest sustainable rate: doubling, then bisection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lab.evidence.latency import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.load import Load

CLOSE = 1.1  # the search ends when the lowest failed rate is this close to the highest good one
MOST = 5000.0
P99 = 99.0


class Tell(Protocol):
    """Receives the result of each rate."""

    def __call__(self, tried: float, p99: float | None, *, good: bool) -> None: ...


def highest(load: Callable[[float], Load], rate: float, seconds: float, limit: float, tell: Tell) -> float:
    """The highest rate with a 99th percentile within the limit and no failed request; 0 for none.

    Args:
        load: creates the load of a rate.
        rate: the first rate.
        seconds: duration of each rate.
        limit: of the 99th percentile, in seconds.
        tell: receives the result of each rate.
    """
    good, bad, tried = 0.0, float("inf"), rate
    while bad > good * CLOSE and bad > 1 and tried <= MOST:
        with load(tried) as running:
            running.more(max(1, round(tried * seconds)), seconds=10 * seconds)
        p99 = percentiles(running.answers).get(P99)
        held = p99 is not None and p99 <= limit and not running.failed
        tell(tried, p99, good=held)
        good, bad = (tried, bad) if held else (good, tried)
        tried = tried * 2 if bad == float("inf") else (good + bad) / 2
    return good
