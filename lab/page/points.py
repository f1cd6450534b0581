"""The seconds of the charts: response times, failures, who served, and the probes that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.evidence import probes
from lab.evidence.latency import buckets
from lab.evidence.load import answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.evidence.load_run import Row


def points(
    seconds: Iterable[int], visits: Sequence[Row], probed: Mapping[str, Sequence[Row]], late: float
) -> list[dict[str, Any]]:
    """One point a second: `at`; `n`, `failed`, `p50`, `p99`, `max` (ms) and `served` of the visitors; `bad`: probes.

    Args:
        seconds: the seconds (Unix) that are wanted.
        visits: the answers to visitors.
        probed: the answers to probes, by stream.
        late: seconds after which an answer to a probe counts as a hang.
    """
    series = []
    for second in sorted(seconds):
        point: dict[str, Any] = {"at": second}
        inside = [answer(row) for row in visits if second <= row.due < second + 1]
        if inside:
            bucket = buckets(inside, second, second + 1, 1.0)[0]
            point |= {"n": bucket.count, "failed": bucket.failed, "served": bucket.served}
            times = {"p50": bucket.p50, "p99": bucket.p99, "max": bucket.slowest}
            point |= {key: round(value * 1000, 1) for key, value in times.items() if value is not None}
        bad: dict[str, float] = {}
        active = 0
        for name, rows in probed.items():
            own = [row for row in rows if second <= row.due < second + 1]
            active += bool(own)
            missed = sum(not probes.good(row) or row.seconds > late for row in own)
            if missed:
                bad[name] = round(missed / len(own), 2)
        point |= ({"bad": bad} if bad else {}) | {"asked": active}
        series.append(point)
    return series
