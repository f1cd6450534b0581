"""The checks of promises: each gives a figure of a run, and says `unknown` where nothing was tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.evidence import probes as seen
from lab.evidence.ledger import Verdict as Kept
from lab.evidence.verdicts import Judged, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lab.evidence.asking import Row
    from lab.evidence.promises import Promise
    from lab.evidence.verdicts import Happened, Seen

ENOUGH = 50  # requests without which nothing is said of them
MARGIN = 1.0  # seconds before a node's death in which a request that it had may have been sent
LONGEST_WRITE = 1.0  # seconds: a write that took longer was held up
DARK = ("kill", "stop", "pause", "cut", "freeze", "restart")


@dataclass(frozen=True)
class Finding:
    """What a check found, before it is held against the bound."""

    result: Result | None
    figure: str
    seconds: float | None = None
    ids: tuple[str, ...] = ()


def judged(promise: Promise, bound: float | None, run: Seen) -> Judged:
    """A promise held against a run."""
    found = CHECKS[promise.declared.check](promise, bound or 0.0, run)
    allowed = None if bound is None else bound + run.interval + run.slack
    result = found.result
    if result is None:
        late = found.seconds is None or (allowed is not None and found.seconds > allowed)
        result = Result.BROKEN if late else Result.HOLDS
    said, figures = promise.declared, (found.figure, found.seconds, bound, allowed)
    return Judged(promise.name, result, *figures, promise.formula, said.says, said.event, found.ids)


def _unknown(why: str) -> Finding:
    return Finding(Result.UNKNOWN, why)


def _faults(run: Seen, promise: Promise) -> Iterator[tuple[Happened, str]]:
    """The faults that made nodes of the promise's role dark, a node at a time."""
    names = {node.name for node in run.plan.role(promise.role)}
    for fault in run.faults:
        if fault.kind in (promise.declared.when or DARK):
            yield from ((fault, node) for node in fault.nodes if node in names)


def _died(run: Seen, fault: Happened, node: str) -> float | None:
    """When a node was first seen dark; None where the client can reach it all the time."""
    found = seen.first(run.rows.get(node, ()), fault.begun, wanted=False)
    return found if found is not None and found <= fault.mended else None


def _slowest(times: Sequence[float], what: str) -> Finding:
    if not times:
        return _unknown(f"no fault of this run showed {what}")
    worst = max(times)
    if worst == float("inf"):
        return Finding(Result.BROKEN, f"{times.count(worst)} of {len(times)} times not while it was looked at")
    count = f" (the slowest of {len(times)})" if len(times) > 1 else ""
    return Finding(None, f"{worst:.2f} s{count}", worst)


def _no_failed_request(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound
    hit = [fault for fault, _ in _faults(run, promise)]
    during = sum(any(f.begun <= answer.sent <= f.mended for f in hit) for answer in run.answers)
    failed = [answer for answer in run.answers if answer.failed]
    if not hit or during < ENOUGH:
        return _unknown(f"{during} requests while a {promise.role} node was broken; {ENOUGH} are needed")
    why = f"; the first: {failed[0].error or failed[0].status}" if failed else ""
    figure = f"{len(failed)} of {len(run.answers)} requests failed{why}"
    return Finding(Result.BROKEN if failed else Result.HOLDS, figure)


def _watchers(promise: Promise, run: Seen, begun: float, ended: float) -> Iterator[Sequence[Row]]:
    """What the balancers that watch a role said, of those that were not broken themselves in a span of time."""
    broken = {node for fault in run.faults if fault.begun < ended and fault.mended > begun for node in fault.nodes}
    for node in run.plan.role(promise.declared.of.partition(".")[0]):
        if node.name not in broken:
            yield run.rows.get(node.name, ())


def _changed(rows: Sequence[Row], node: str, since: float, until: float, *, member: bool) -> Iterator[float]:
    """When a balancer's pool first had a node (or had it no more); nothing where the balancer could not be asked.

    Infinity for not before `until`.
    """
    told = [row for row in rows if row.due >= since and seen.good(row) and "=" in row.value]
    if told:
        times = (row.due for row in told if (node in seen.members(row.value)) is member)
        found = next(times, float("inf"))
        yield found if found <= until else float("inf")


def _out_of_pool(promise: Promise, bound: float, run: Seen) -> Finding:
    times: list[float] = []
    for fault, node in _faults(run, promise):
        died = _died(run, fault, node)
        if died is None or fault.kind in ("stop", "restart") or fault.mending - died < bound:
            continue  # a clean stop has no such bound, and what is too short shows nothing
        since, until = died - run.interval, fault.mended + run.slack
        for rows in _watchers(promise, run, since, until):
            times += [max(0.0, out - died) for out in _changed(rows, node, since, until, member=False)]
    return _slowest(times, f"a {promise.role} node out of a pool")


def _back_in_pool(promise: Promise, bound: float, run: Seen) -> Finding:
    times: list[float] = []
    for fault, node in _faults(run, promise):
        ready = seen.first(run.rows.get(node, ()), fault.mending, wanted=True)
        if _died(run, fault, node) is None or ready is None:
            continue
        for rows in _watchers(promise, run, ready - run.slack, ready + bound + run.slack):
            times += [max(0.0, back - ready) for back in _changed(rows, node, ready, run.ended, member=True)]
    return _slowest(times, f"a {promise.role} node coming back")


def _only_in_flight(promise: Promise, bound: float, run: Seen) -> Finding:
    windows = []
    for fault, node in _faults(run, promise):
        died = _died(run, fault, node)
        if died is not None:
            windows.append((died - MARGIN, died + bound + run.interval + run.slack))
    during = sum(any(begin <= answer.sent <= end for begin, end in windows) for answer in run.answers)
    if not windows or during < ENOUGH:
        return _unknown(f"{during} requests while a {promise.role} node was broken; {ENOUGH} are needed")
    failed = [answer for answer in run.answers if answer.failed]
    late = [a for a in failed if not any(begin <= a.sent <= end for begin, end in windows)]
    figure = f"{len(failed)} of {len(run.answers)} requests failed, {len(late)} of them not on the dead node"
    return Finding(Result.BROKEN if late else Result.HOLDS, figure)


def _vip_moved(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound
    times = []
    lane = seen.lane(run.rows.get(seen.VIP, ()))
    for fault, node in _faults(run, promise):
        before = [span for span in lane if span.begun <= fault.begun]
        died = _died(run, fault, node)
        if died is None or not before or before[-1].value != node:
            continue  # it did not hold the VIP
        new = next((span.begun for span in lane if span.begun >= died and span.value != node), float("inf"))
        times.append(new - died)
    return _slowest(times, "the VIP on another node")


def _one_holder(promise: Promise, bound: float, run: Seen) -> Finding:
    mended = [fault.mended for fault, _ in _faults(run, promise)]
    if not mended:
        return _unknown("no tcp-lb came back in this run")
    settled = max(mended) + bound + run.interval + run.slack
    values = {span.value for span in seen.lane([row for row in run.rows.get(seen.VIP, ()) if row.due >= settled])}
    if not values:
        return _unknown(f"the run ended before it had settled, {settled - max(mended):.1f} s after the last return")
    figure = f"{len(run.holders)} holder at the end; since it settled the VIP was on {', '.join(sorted(values))}"
    return Finding(Result.HOLDS if len(values) == len(run.holders) == 1 else Result.BROKEN, figure)


def _site_heals(promise: Promise, bound: float, run: Seen) -> Finding:
    del promise, bound
    if not run.faults:
        return _unknown("nothing was broken")
    mended = max(fault.mended for fault in run.faults)
    after = [row for row in run.rows.get(seen.SITE, ()) if row.due >= mended]
    bad = [row.due for row in after if not seen.good(row)]
    if not after or not any(seen.good(row) for row in after):
        return Finding(Result.BROKEN if after else Result.UNKNOWN, "the site was not seen to answer afterwards")
    if bad and bad[-1] == after[-1].due:
        return Finding(Result.BROKEN, f"a visitor still failed at the end: {after[-1].error or after[-1].status}")
    seconds = bad[-1] - mended + run.interval if bad else 0.0
    return Finding(Result.HOLDS, f"every visitor is answered {seconds:.2f} s after the last mending", seconds)


def _writes_again(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound
    dark = seen.outages(run.rows.get(seen.MYSQL, ()), late=LONGEST_WRITE)
    times = []
    for fault, _ in _faults(run, promise):
        hit = [span.seconds for span in dark if fault.begun - run.interval <= span.begun <= fault.mended]
        times += hit
    return _slowest(times, "writes that nobody took")


def _acknowledged(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound
    found = run.judgements.get(promise.declared.service)
    if found is None:
        return _unknown(f"no ledger was kept of {promise.declared.service}")
    if not list(_faults(run, promise)):
        return _unknown(f"no {promise.role} node was broken")
    if found.verdict is Kept.UNKNOWN:
        return _unknown(found.why)
    return Finding(Result(found.verdict.value), found.why, ids=found.ids)


def _slowest_request(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound
    hit = [fault for fault, _ in _faults(run, promise)]
    during = [a.seconds for a in run.answers if not a.failed and any(f.begun <= a.sent <= f.mended for f in hit)]
    if len(during) < ENOUGH:
        return _unknown(f"{len(during)} answers while a {promise.role} node hung; {ENOUGH} are needed")
    return _slowest(during, "an answer")


def _longest_write(promise: Promise, bound: float, run: Seen) -> Finding:
    del bound, run
    return _unknown(f"how long each write of {promise.declared.service} took is not among what was seen")


CHECKS: dict[str, Callable[[Promise, float, Seen], Finding]] = {
    "no-failed-request": _no_failed_request,
    "out-of-pool": _out_of_pool,
    "back-in-pool": _back_in_pool,
    "only-in-flight": _only_in_flight,
    "vip-moved": _vip_moved,
    "one-holder": _one_holder,
    "site-heals": _site_heals,
    "writes-again": _writes_again,
    "acknowledged": _acknowledged,
    "slowest-request": _slowest_request,
    "longest-write": _longest_write,
}
