"""Statistics of response times: HdrHistogram percentiles, and buckets over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.load import Answer

LOWEST, HIGHEST, DIGITS = 1, 120_000_000, 3  # microseconds, and significant figures
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)


@dataclass(frozen=True)
class Bucket:
    """An interval of a run: its start, the number of answers due in it, and response times of the good ones.

    `p50`, `p99`, `slowest`: seconds, None without an answer.
    """

    at: float
    count: int
    failed: int
    p50: float | None
    p99: float | None
    slowest: float | None
    served: dict[str, int]


def percentiles(answers: Sequence[Answer]) -> dict[float, float]:
    """Response times in seconds by percentile, of all answered requests, counted from when each was due."""
    histogram = _histogram(answers)
    if not histogram.get_total_count():
        return {}
    return {p: histogram.get_value_at_percentile(p) / 1e6 for p in PERCENTILES}


def _histogram(answers: Sequence[Answer]) -> HdrHistogram:
    histogram = HdrHistogram(LOWEST, HIGHEST, DIGITS)
    for answer in answers:
        if answer.status is not None:
            histogram.record_value(max(LOWEST, min(HIGHEST, round(answer.seconds * 1e6))))
    return histogram


def buckets(answers: Sequence[Answer], begun: float, ended: float, width: float) -> list[Bucket]:
    """A run in intervals of `width` seconds, without the incomplete one at the end."""
    sorted_in: list[list[Answer]] = [[] for _ in range(max(1, math.floor((ended - begun) / width)))]
    for answer in answers:
        index = math.floor((answer.sent - begun) / width)
        if 0 <= index < len(sorted_in):
            sorted_in[index].append(answer)
    return [_bucket(begun + index * width, within) for index, within in enumerate(sorted_in)]


def _bucket(at: float, within: list[Answer]) -> Bucket:
    times = sorted(answer.seconds for answer in within if not answer.failed)
    served: dict[str, int] = {}
    for answer in within:
        if answer.node and not answer.failed:
            served[answer.node] = served.get(answer.node, 0) + 1
    p50, p99, slowest = (_at(times, share) for share in (0.5, 0.99, 1.0))
    return Bucket(at, len(within), sum(answer.failed for answer in within), p50, p99, slowest, served)


def _at(times: list[float], share: float) -> float | None:
    return times[min(len(times) - 1, int(len(times) * share))] if times else None
