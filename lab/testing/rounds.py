"""Rounds of a test: each probes the cluster, and judges promises at its end.

A figure that holds only thanks to a stall of a machine proves nothing: its round is repeated, at most three times.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

import pytest

from lab.evidence.checks import judged
from lab.evidence.delays import rounds_at_most
from lab.evidence.promises import promise
from lab.evidence.verdicts import FaultEvent, Timed
from lab.services.streams import cluster_probes
from lab.testing.parity import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.clock import Clock
    from lab.evidence.load_run import Row
    from lab.evidence.verdicts import PromiseResult
    from lab.testing.cluster import LabCluster
    from lab.testing.evidence import Evidence

A = TypeVar("A")
WATCH_SECONDS = 30.0


def repeated(
    clock: Clock, judge: Callable[[], A], excuse: Callable[[A], str], again: Callable[[], object] = lambda: None
) -> A:
    """What `judge` returns, from its first call without an excuse; skips the test as unknown if each call has one.

    Args:
        clock: of the nodes; it says how often at most.
        judge: runs a round of a test, and returns its results.
        excuse: why the results are unknown only by a stall of a machine; empty for all others.
        again: called before each further round.
    """
    reason = ""
    for number in range(rounds_at_most(clock)):
        if number:
            again()
        results = judge()
        reason = excuse(results)
        if not reason:
            return results
    pytest.skip(UNKNOWN + reason)


class Round:
    """A context manager that probes the cluster; its promises are judged when the loop continues.

    Attributes:
        rows: the probes' answers by probe, afterwards.
    """

    def __init__(self, cluster: LabCluster, evidence: Evidence) -> None:
        self._cluster, self._evidence = cluster, evidence
        self._probes = cluster_probes(cluster.backend, cluster.plan, cluster.host)
        self._measured: dict[str, list[Timed]] = {}

    def __enter__(self) -> Self:
        self._evidence.begin_round()
        self._evidence.probes.append(self._probes)
        self._probes.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._probes.__exit__(*error)

    @property
    def rows(self) -> Mapping[str, Sequence[Row]]:
        """See the class."""
        return self._probes.rows

    @contextmanager
    def broken(self, kind: str, node: str, mend: Callable[[], object] | None = None) -> Iterator[None]:
        """Records what a test breaks by itself as a fault of that kind, for as long as the `with` lasts.

        `mend`: what ends it, called at the end. A node may be back before it returns.
        """
        clock = self._cluster.clock
        begun = clock.now()
        try:
            yield
        finally:
            mending = clock.now()
            if mend:
                mend()
            event = FaultEvent(kind, f"{kind} {node}", (node,), begun, begun, mending, clock.now())
            self._evidence.happened.append(event)

    def measured(self, name: str, seconds: float, begun: float) -> None:
        """Adds a time that the probes can't measure, to be compared with a promise. `begun`: Unix seconds."""
        self._measured.setdefault(name, []).append(Timed(seconds, begun))

    def watch(self, name: str, since: float, what: str, ask: Callable[[], A], good: Callable[[A], bool]) -> A:
        """Waits for what the probes can't measure, and adds its time: from `since` to the last poll that was not good.

        The figure is never longer than the real time, and shorter by at most one poll. `since`: Unix seconds.
        """
        last = since

        def poll() -> A:
            nonlocal last
            begun = self._cluster.clock.now()
            answer = ask()
            if not good(answer):
                last = begun
            return answer

        answer = self._cluster.until(what, WATCH_SECONDS, poll, good)
        self.measured(name, last - since, since)
        return answer

    def judge(self, names: Sequence[str]) -> list[PromiseResult]:
        """The promises, by all that was seen in the round."""
        holders = self._cluster.vip_holders() if self._cluster.plan.vip else ()
        data = self._evidence.run_data(measured=self._measured, holders=holders)
        return [judged(promise(name), self._cluster.bound(name), data) for name in names]


class Rounds:
    """Yields the rounds of a test: `for round_ in rounds("vip-moves"): with round_: ...`."""

    def __init__(self, cluster: LabCluster, evidence: Evidence) -> None:
        self._cluster, self._evidence = cluster, evidence

    def __call__(self, *promises: str) -> Iterator[Round]:
        """Rounds until every promise was tested and holds.

        One that is broken, or was not tested, fails the test. Where stalls hid it in every round, the test is skipped
        as unknown. An emulated processor stalls in each: there is one round.
        """
        unknown: list[PromiseResult] = []
        for number in range(rounds_at_most(self._cluster.clock)):
            if number:
                self._cluster.heal(self._cluster.applied)
            current = Round(self._cluster, self._evidence)
            yield current
            self._evidence.results = results = current.judge(promises)
            broken = [one for one in results if not (one.holds or one.excused)]
            if broken:
                pytest.fail("\n".join(map(summary, broken)), pytrace=False)
            unknown = [one for one in results if not one.holds]
            if not unknown:
                return
        pytest.skip(UNKNOWN + "; ".join(map(summary, unknown)))


def summary(one: PromiseResult) -> str:
    """A judged promise in one line: its verdict, the figure, the bound and the stalls."""
    if one.bound is None or one.allowed is None:
        return f"'{one.promise}' {one.result}: {one.figure}"
    allowed = f"bound {one.bound:.2f} s, with one interval of the probes {one.allowed:.2f} s"
    stalled = f"the machine was stalled for {one.stalled:.2f} s"
    return f"'{one.promise}' {one.result}: {one.figure}; {allowed}; {stalled}; bound = {one.formula}"
