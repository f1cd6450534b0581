"""The checks of promises: each derives figures from a run, or `unknown` where nothing was tested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.evidence import probes
from lab.evidence.delays import Delays
from lab.evidence.latency import percentiles
from lab.evidence.ledger import Verdict
from lab.evidence.verdicts import BrokenBy, PromiseResult, PromiseVerdict, Timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lab.evidence.ledger import Judgement
    from lab.evidence.load import Answer
    from lab.evidence.load_run import Row
    from lab.evidence.promises import Promise
    from lab.evidence.verdicts import FaultEvent, RunData

ORDINARY = 99.0  # percentile of response times outside faults: the page's own time
ENOUGH = 50  # minimum number of requests for a verdict
MARGIN = 1.0  # requests in flight on a node were sent at most so many seconds before it failed
AROUND = 2.0  # seconds around the expected effect of a fault
STILL_SHARE = 0.1  # of that time; an idle machine is stalled for less than a hundredth
LONGEST_WRITE = 1.0  # seconds: a slower write was held up
DARK = ("kill", "stop", "pause", "cut", "freeze", "restart")


@dataclass(frozen=True)
class CheckResult:
    """Result of a check: a verdict with its figure, or times to compare with the bound.

    Attributes:
        ids: the operations concerned.
        excused: whether the verdict is unknown only because a machine was stalled.
        broken_by: one of `BREAKS` of the check; empty unless the promise is broken.
    """

    result: PromiseVerdict | None
    figure: str = ""
    ids: tuple[str, ...] = ()
    times: tuple[Timed, ...] = ()
    excused: bool = False
    broken_by: str = ""


def judged(promise: Promise, bound: float | None, run: RunData) -> PromiseResult:
    """The result of a promise in a run.

    Times measured by a test are compared with the bound too; they do not override a failed check.
    """
    outcome = CHECKS[promise.declared.check](promise, bound or 0.0, run)
    measured = tuple(run.measured.get(promise.name, ()))
    if measured and outcome.result is not PromiseVerdict.BROKEN:
        outcome = CheckResult(None, times=(*outcome.times, *measured))
    worst = max(outcome.times, key=lambda time: time.seconds, default=None)
    if outcome.result is None:
        outcome = _compared(outcome.times, bound or 0.0, run)
    elif outcome.result is PromiseVerdict.UNKNOWN:
        outcome = _hidden(outcome, promise, bound or 0.0, run)
    return PromiseResult(
        promise.name,
        outcome.result or PromiseVerdict.UNKNOWN,
        outcome.figure,
        seconds=worst.seconds if worst and worst.observed else None,
        bound=bound,
        allowed=None if bound is None else bound + run.interval,
        stalled=run.stalled(worst.begun, worst.begun + worst.seconds) if worst else 0.0,
        formula=promise.formula,
        says=promise.declared.says,
        event=promise.declared.event,
        ids=outcome.ids,
        excused=outcome.excused,
        broken_by=outcome.broken_by,
    )


def _compared(times: Sequence[Timed], bound: float, run: RunData) -> CheckResult:
    """Compares times with the bound and one probe interval; a time within that only thanks to stalls is unknown."""
    worst = max(times, key=lambda time: time.seconds)
    unseen = [time.seconds for time in times if not time.observed]
    figure = f"{worst.seconds:.2f} s" + (f" (the slowest of {len(times)})" if len(times) > 1 else "")
    if unseen:
        figure = f"{len(unseen)} of {len(times)} times had no observed end within {max(unseen):.2f} s"
    late = [time for time in times if time.seconds > bound + run.interval or not time.observed]
    if not late:
        return CheckResult(PromiseVerdict.HOLDS, figure)
    delays = Delays(run.stalls, run.clock)
    if not all(delays.hiding(time.begun, time.seconds, bound + run.interval) for time in late):
        return _broken(BrokenBy.NEVER if unseen else BrokenBy.ABOVE_BOUND, figure)
    still = run.stalled(worst.begun, worst.begun + worst.seconds)
    where = " on emulated processors" if run.clock.emulated else ""
    return CheckResult(
        PromiseVerdict.UNKNOWN, f"{figure}{where}, of which the machine was stalled for {still:.2f} s", excused=True
    )


def _hidden(outcome: CheckResult, promise: Promise, bound: float, run: RunData) -> CheckResult:
    """Excuses a missing observation if the machine was stalled for much of the time around a fault."""
    for fault, _ in _faults(run, promise):
        begun, ended = fault.begun - AROUND, fault.begun + bound + AROUND
        still = run.stalled(begun, ended)
        if still > STILL_SHARE * (ended - begun):
            figure = (
                f"{outcome.figure}; around a fault the machine was stalled for {still:.2f} of {ended - begun:.1f} s"
            )
            return CheckResult(outcome.result, figure, outcome.ids, excused=True)
    return outcome


def _unknown(why: str) -> CheckResult:
    return CheckResult(PromiseVerdict.UNKNOWN, why)


def _broken(by: BrokenBy, figure: str) -> CheckResult:
    return CheckResult(PromiseVerdict.BROKEN, figure, broken_by=by.value)


def _slowest(times: Sequence[Timed], what: str, bound: float, run: RunData) -> CheckResult:
    """The times to compare, without those cut off before the bound: they prove nothing."""
    comparable = tuple(time for time in times if time.observed or time.seconds > bound + run.interval)
    return CheckResult(None, times=comparable) if comparable else _unknown(f"no fault of this run showed {what}")


def _faults(run: RunData, promise: Promise) -> Iterator[tuple[FaultEvent, str]]:
    """The faults that made nodes of the promise's role unreachable, by node."""
    names = {node.name for node in run.plan.role(promise.role)}
    for fault in run.faults:
        if fault.kind in (promise.declared.when or DARK):
            yield from ((fault, node) for node in fault.nodes if node in names)


def _died(run: RunData, fault: FaultEvent, node: str) -> float | None:
    """When the node's longest outage of this fault began; None if the client reached it all the time.

    Injecting takes seconds on a busy machine, and one probe may fail in them: the node is not unreachable yet.
    """
    rows = run.rows.get(node, ())
    since = [row for row in rows if row.due >= fault.begun]
    dark = [span for span in probes.outages(since, late=math.inf) if span.begun <= fault.mended]
    if not dark:
        return None
    begun = max(dark, key=lambda span: span.seconds).begun
    # By arrival, as what follows is: a probe that was sent before the last answer came fails as well.
    answered = (r.due + r.seconds for r in rows if r.due < begun and probes.good(r) and r.seconds <= probes.LATE)
    return max(begun, max(answered, default=begun))


def _no_failed_request(promise: Promise, bound: float, run: RunData) -> CheckResult:
    del bound
    hit = [fault for fault, _ in _faults(run, promise)]
    during = sum(any(f.begun <= answer.sent <= f.mended for f in hit) for answer in run.answers)
    failed = [answer for answer in run.answers if answer.failed]
    if not hit or during < ENOUGH:
        return _unknown(f"{during} requests during faults of {promise.role} nodes; {ENOUGH} are needed")
    why = f"; the first: {failed[0].error or failed[0].status}" if failed else ""
    figure = f"{len(failed)} of {len(run.answers)} requests failed{why}"
    return _broken(BrokenBy.FAILED_REQUESTS, figure) if failed else CheckResult(PromiseVerdict.HOLDS, figure)


def _slowest_request(promise: Promise, bound: float, run: RunData) -> CheckResult:
    del bound
    hit = [fault for fault, _ in _faults(run, promise)]
    during = [a for a in run.answers if any(f.begun - MARGIN <= a.sent <= f.mended for f in hit)]
    sent = {answer.sent for answer in during}
    others = [answer for answer in run.answers if answer.sent not in sent]
    if min(len(during), len(others)) < ENOUGH:
        return _unknown(f"{len(during)} requests during faults of {promise.role} nodes; {ENOUGH} are needed")
    # The page's own time, measured in the same run, is not part of the promise.
    own = percentiles(others).get(ORDINARY, 0.0)
    return CheckResult(None, times=tuple(Timed(max(0.0, answer.seconds - own), answer.sent) for answer in during))


def _watchers(promise: Promise, run: RunData, begun: float, ended: float) -> Iterator[Sequence[Row]]:
    """Answers of the balancers of a role, without balancers that were faulty themselves in that time."""
    broken = {node for fault in run.faults if fault.begun < ended and fault.mended > begun for node in fault.nodes}
    for node in run.plan.role(promise.declared.of.partition(".")[0]):
        if node.name not in broken:
            yield run.rows.get(node.name, ())


def _changed(
    run: RunData, rows: Sequence[Row], node: str, span: tuple[float, float], *, member: bool
) -> Iterator[Timed]:
    """Time until a node entered or left a balancer's pool.

    None if the balancer did not answer in that time.
    """
    begun, until = span
    since = begun - run.interval
    answers = [row for row in rows if since <= row.due <= until and probes.good(row) and "=" in row.value]
    if answers:
        moment = next((row.due for row in answers if (node in probes.members(row.value)) is member), None)
        yield Timed(max(0.0, (until if moment is None else moment) - begun), begun, observed=moment is not None)


def _out_of_pool(promise: Promise, bound: float, run: RunData) -> CheckResult:
    times: list[Timed] = []
    for fault, node in _faults(run, promise):
        died = _died(run, fault, node)
        if died is None or fault.kind in ("stop", "restart"):
            continue  # a clean stop has no bound
        for rows in _watchers(promise, run, died, fault.mending):
            times += _changed(run, rows, node, (died, fault.mending), member=False)
    return _slowest(times, f"a {promise.role} node out of a pool", bound, run)


def _back_in_pool(promise: Promise, bound: float, run: RunData) -> CheckResult:
    times: list[Timed] = []
    for fault, node in _faults(run, promise):
        ready = probes.first(run.rows.get(node, ()), fault.mending, expected=True)
        if _died(run, fault, node) is None or ready is None:
            continue
        for rows in _watchers(promise, run, ready - run.interval, ready + run.allowed(bound, ready)):
            times += _changed(run, rows, node, (ready, run.ended), member=True)
    return _slowest(times, f"a {promise.role} node returning to a pool", bound, run)


def _only_in_flight(promise: Promise, bound: float, run: RunData) -> CheckResult:
    deaths = [(f.begun, died) for f, node in _faults(run, promise) if (died := _died(run, f, node)) is not None]
    strict = [(begun, died + bound + run.interval) for begun, died in deaths]
    wide = [(begun, died + run.allowed(bound, died)) for begun, died in deaths]
    during = sum(_in_flight(answer, strict) for answer in run.answers)
    if not deaths or during < ENOUGH:
        return _unknown(f"{during} requests during faults of {promise.role} nodes; {ENOUGH} are needed")
    failed = [answer for answer in run.answers if answer.failed]
    late = [answer for answer in failed if not _in_flight(answer, strict)]
    figure = f"{len(failed)} of {len(run.answers)} requests failed, {len(late)} not in flight on the failed node"
    if not late:
        return CheckResult(PromiseVerdict.HOLDS, figure)
    if all(_in_flight(answer, wide) for answer in late):
        return CheckResult(PromiseVerdict.UNKNOWN, f"{figure}, during a stall of the machine", excused=True)
    return _broken(BrokenBy.FAILED_REQUESTS, figure)


def _in_flight(answer: Answer, windows: Sequence[tuple[float, float]]) -> bool:
    """Whether a request was in flight during one of the spans."""
    return any(answer.sent <= end and answer.sent + answer.seconds >= begin for begin, end in windows)


def _vip_moved(promise: Promise, bound: float, run: RunData) -> CheckResult:
    times = []
    rows = run.rows.get(probes.VIP, ())
    held = probes.lane(rows)
    for fault, node in _faults(run, promise):
        before = [span for span in held if span.begun <= fault.begun]
        died = _died(run, fault, node)
        if died is None or not before or before[-1].value != node:
            continue  # it did not hold the VIP
        # By arrival: the new holder may answer a probe that was sent while no node held the VIP.
        others = (r.due + r.seconds for r in rows if r.due >= died and probes.good(r) and r.value.strip() != node)
        moved = min(others, default=None)
        times.append(Timed((run.ended if moved is None else moved) - died, died, observed=moved is not None))
    return _slowest(times, "the VIP on another node", bound, run)


def _one_holder(promise: Promise, bound: float, run: RunData) -> CheckResult:
    """Time from a node's return to the last change of the holder: until then two nodes may have held the VIP."""
    returns = [fault.mending for fault, _ in _faults(run, promise)]
    if not returns:
        return _unknown("no tcp-lb returned in this run")
    back = max(returns)
    held = [
        (row.due, row.value.strip()) for row in run.rows.get(probes.VIP, ()) if row.due >= back and probes.good(row)
    ]
    if not held or held[-1][0] < back + run.allowed(bound, back):
        early = f"the run ended {run.ended - back:.1f} s after the last return, too early to judge"
        stalls_only = bool(held) and held[-1][0] >= back + bound + run.interval
        return CheckResult(PromiseVerdict.UNKNOWN, early, excused=stalls_only)
    last = held[-1][1]
    if list(run.holders) != [last]:
        figure = f"{len(run.holders)} holders at the end; visitors reached {last}"
        return _broken(BrokenBy.NOT_ONE_HOLDER, figure)
    others = [due for due, holder in held if holder != last]
    return CheckResult(None, times=(Timed(others[-1] + run.interval - back if others else 0.0, back),))


def _site_heals(promise: Promise, bound: float, run: RunData) -> CheckResult:
    del promise, bound
    if not run.faults:
        return _unknown("the run had no fault")
    mended = max(fault.mended for fault in run.faults)
    after = [row for row in run.rows.get(probes.SITE, ()) if row.due >= mended]
    bad = [row.due for row in after if not probes.good(row)]
    if not any(probes.good(row) for row in after):
        nothing = "no answer of the site was observed afterwards"
        return _broken(BrokenBy.NEVER, nothing) if after else _unknown(nothing)
    if bad and bad[-1] == after[-1].due:
        return _broken(
            BrokenBy.STILL_FAILS, f"a visitor still failed at the end: {after[-1].error or after[-1].status}"
        )
    seconds = bad[-1] - mended + run.interval if bad else 0.0
    figure = f"every visitor is answered {seconds:.2f} s after the last revert"
    return CheckResult(PromiseVerdict.HOLDS, figure, times=(Timed(seconds, mended),))


def _writes_again(promise: Promise, bound: float, run: RunData) -> CheckResult:
    rows = run.rows.get(probes.MYSQL, ())
    dark = probes.outages(rows, late=LONGEST_WRITE)
    on = bool(rows) and not probes.good(rows[-1])  # to the end
    times = []
    for fault, _ in _faults(run, promise):
        for span in dark:
            # The outage may begin with a write that was slow before the fault; only the time from the fault on counts.
            since = max(span.begun, fault.begun)
            if since <= min(span.ended, fault.mended):
                times.append(Timed(span.ended - since, since, observed=not (on and span is dark[-1])))
    return _slowest(times, "an outage of writes", bound, run)


def _longest_write(promise: Promise, bound: float, run: RunData) -> CheckResult:
    del promise, bound, run
    return _unknown("only a writing node can measure it, and none did")


def _acknowledged(promise: Promise, bound: float, run: RunData) -> CheckResult:
    del bound
    judgement = run.judgements.get(promise.declared.service)
    if judgement is None:
        return _unknown(f"there was no ledger of {promise.declared.service}")
    if not list(_faults(run, promise)):
        return _unknown(f"no {promise.role} node had a fault")
    if judgement.verdict is Verdict.UNKNOWN:
        return _unknown(judgement.why)
    verdict = PromiseVerdict(judgement.verdict.value)
    by = "" if verdict is PromiseVerdict.HOLDS else verdict.value
    return CheckResult(verdict, judgement.why, ids=judgement.ids, broken_by=by)


def own_result(judgement: Judgement) -> PromiseResult:
    """The verdict of a ledger of the user's own, which belongs to no promise of a role."""
    says = "each acknowledged write is there once, whoever reads"
    result = PromiseVerdict(judgement.verdict.value)
    return PromiseResult(
        judgement.service, result, judgement.why, says=says, event="the faults of this run", ids=judgement.ids
    )


CHECKS: dict[str, Callable[[Promise, float, RunData], CheckResult]] = {
    "no-failed-request": _no_failed_request,
    "slowest-request": _slowest_request,
    "out-of-pool": _out_of_pool,
    "back-in-pool": _back_in_pool,
    "only-in-flight": _only_in_flight,
    "vip-moved": _vip_moved,
    "one-holder": _one_holder,
    "site-heals": _site_heals,
    "writes-again": _writes_again,
    "longest-write": _longest_write,
    "acknowledged": _acknowledged,
}

TIMES = (BrokenBy.NEVER, BrokenBy.ABOVE_BOUND)
BREAKS: dict[str, tuple[BrokenBy, ...]] = {
    "no-failed-request": (BrokenBy.FAILED_REQUESTS,),
    "slowest-request": (BrokenBy.ABOVE_BOUND,),
    "out-of-pool": TIMES,
    "back-in-pool": TIMES,
    "only-in-flight": (BrokenBy.FAILED_REQUESTS,),
    "vip-moved": TIMES,
    "one-holder": (BrokenBy.NOT_ONE_HOLDER, BrokenBy.ABOVE_BOUND),
    "site-heals": (BrokenBy.NEVER, BrokenBy.STILL_FAILS),
    "writes-again": TIMES,
    "longest-write": (BrokenBy.ABOVE_BOUND,),
    "acknowledged": (BrokenBy.LOST, BrokenBy.DUPLICATED, BrokenBy.STALE),
}
"""What may break a promise, by its check."""
