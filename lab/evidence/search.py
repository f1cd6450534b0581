"""The highest rate that is served well: doubled until it is not, then halved between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lab.evidence.latency import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.load import Load

CLOSE = 1.1  # a rate that failed is this close above one that held
MOST = 5000.0
P99 = 99.0


class Tell(Protocol):
    """Hears what each rate gave."""

    def __call__(self, tried: float, p99: float | None, *, good: bool) -> None: ...


def highest(load: Callable[[float], Load], rate: float, seconds: float, limit: float, tell: Tell) -> float:
    """The highest rate whose 99th percentile was within a limit, with no request failed; 0 for none.

    Args:
        load: makes the load of a rate.
        rate: the first that is tried.
        seconds: how long each is asked.
        limit: seconds.
        tell: hears what each gave.
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
