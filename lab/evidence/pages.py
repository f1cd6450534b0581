"""Checks of pages, asked by the client node: one answer, the nodes that answer, and what a fault does to visitors."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lab.evidence import probes, written
from lab.evidence.delays import Delays, judged_red
from lab.evidence.load_run import CLIENT, LoadRun, Stream
from lab.evidence.outcomes import CheckInput, green, kind, red, unknown
from lab.evidence.written import WrittenValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Result
    from lab.evidence.load_run import Row
    from lab.evidence.outcomes import CheckOutcome, Scene
    from lab.evidence.stalls import Stall
    from lab.faults import Injected

CURL = {6: "no-name", 7: "refused", 28: "no-answer", 35: "no-tls", 60: "certificate", 52: "no-answer", 56: "no-answer"}
"""What an exit code of curl means; any other is `no-answer`."""

CONNECTING = tuple(sorted(set(CURL.values())))
"""The reasons why there is no answer at all."""

DROPPED = {
    7: r"(?s)\A(?!.*Connection refused).*(No route to host|unreachable|timed out)",
    35: r"SSL_ERROR_SYSCALL|reset by peer|unexpected eof",
}
"""What curl says where packets or the connection were dropped, by its exit code: no refusal, and no lack of TLS."""

SECONDS = 5
RETURN_SECONDS = 30.0
FIRST_ANSWERS = 5
SERVED = "x-served-by"


class PageCheck(CheckInput):
    """One answer to one request.

    Attributes:
        at: the node that asks.
        statuses: other words for `status`, by the status: causes that are mended differently.
        headers: regular expressions by the header's name, in lower case.
        trusted: whether the certificate must be of the cluster's CA.
    """

    url: str
    at: str = CLIENT
    status: int = 200
    statuses: dict[int, str] = Field({}, description="reasons by status, such as {403: forbidden}")
    has: str = ""
    lacks: str = ""
    headers: dict[str, str] = Field({}, description="regular expressions by name")
    send: list[str] = Field([], description="headers of the request, such as 'Host: www'")
    trusted: bool = True

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """Those of its statuses."""
        return tuple(dict.fromkeys(self.statuses.values()))


@kind("page", PageCheck, (*CONNECTING, "status", "content", "header"))
def page(scene: Scene, check: PageCheck) -> CheckOutcome:
    """Asks for a page."""
    done = scene.run(check.at, _curl(scene, check.url, trusted=check.trusted, send=check.send))
    if not done.ok:
        return _without_answer(check.url, done)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()[1:]
    status = _status(head)
    if status != str(check.status):
        reason = next((word for code, word in check.statuses.items() if str(code) == status), "status")
        return red(reason, f"{check.url} answers {status}", status, str(check.status))
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    for name, pattern in check.headers.items():
        if not re.search(pattern, headers.get(name.lower(), "")):
            figure = headers.get(name.lower(), "none")
            return red("header", f"the header {name} of {check.url} is not as it should be", figure[:60])
    if check.has and not re.search(check.has, body, re.MULTILINE):
        return red("content", f"{check.url} answers, and its text is another one", body.strip()[:60])
    if check.lacks and (bad := re.search(check.lacks, body, re.MULTILINE)):
        return red("content", f"{check.url} shows '{bad[0]}'", body.strip()[:60])
    return green(f"{check.url} answers {_details(check, status, headers, body)}", status)


def _without_answer(url: str, done: Result) -> CheckOutcome:
    """The red answer where curl failed."""
    error = re.search(r"(?m)^curl: \(\d+\) (.+)", done.stderr)  # more lines of advice may follow
    problem = error[1] if error else done.last_line
    dropped = re.search(DROPPED.get(done.rc, "(?!)"), done.stderr)
    reason = "no-answer" if dropped else CURL.get(done.rc, "no-answer")
    return red(reason, f"{url} does not answer: {problem}", f"curl: {done.rc}")


def _status(answer: str) -> str:
    """The status of an answer with its headers."""
    words = answer.partition("\n")[0].split()
    return words[1] if len(words) > 1 else "no status"


def _details(check: PageCheck, status: str, headers: Mapping[str, str], body: str) -> str:
    """What a good answer has of what was asked for, in words."""
    details = [f"{name}: {headers.get(name.lower(), '')}" for name in check.headers]
    if check.has and (match := re.search(check.has, body, re.MULTILINE)):
        details.append(f"`{match[0].strip()[:40]}`")
    return f"{status}, with {' and '.join(details)}" if details else status


def _curl(scene: Scene, url: str, *, trusted: bool, send: Sequence[str] = ()) -> list[str]:
    options = ["--cacert", "/etc/lab/ca.crt"] if trusted else ["--insecure"]
    sent = [word for header in send for word in ("--header", header)]
    return [
        "curl",
        "-sSiv",  # -v: why it could not connect, which some versions say nowhere else
        "--http1.1",
        "--max-time",
        scene.backend.clock.option(SECONDS),
        *options,
        *sent,
        url,
    ]


class SpreadCheck(CheckInput):
    """Several requests, each by a new connection, and which nodes answer them (header `X-Served-By`)."""

    url: str
    nodes_that_answer: list[str] = Field(min_length=1)
    times: int = Field(8, ge=2, le=100)
    trusted: bool = True


@kind("spread", SpreadCheck, (*CONNECTING, "status", "one-node", "other-node"))
def spread(scene: Scene, check: SpreadCheck) -> CheckOutcome:
    """Asks several times."""
    counts: dict[str, int] = {}
    for _ in range(check.times):
        done = scene.run(CLIENT, _curl(scene, check.url, trusted=check.trusted))
        if not done.ok:
            return _without_answer(check.url, done)
        status = _status(done.stdout)
        if not status.isdecimal() or int(status) not in probes.OK:
            return red("status", f"{check.url} answers {status}", status, "200")
        served = re.search(rf"(?mi)^{SERVED}: *(\S+)", done.stdout)
        name = served[1] if served else "unnamed"
        counts[name] = counts.get(name, 0) + 1
    figure = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) + f" of {check.times}"
    if missing := [name for name in check.nodes_that_answer if name not in counts]:
        return red("one-node", f"{', '.join(missing)} answered none of {check.times} requests", figure)
    if others := [name for name in counts if name not in check.nodes_that_answer]:
        return red("other-node", f"{', '.join(others)} answered too", figure)
    return green(f"{' and '.join(check.nodes_that_answer)} answer", figure)


class OutageCheck(CheckInput):
    """What visitors notice of a fault: the longest time without a good answer; afterwards the node serves again.

    Attributes:
        target: the nodes of the fault, as `lab fault` takes them.
        asks: the longest outage that is allowed, in seconds.
        failed: how many requests may fail; None: any number within that time.
        returns: the node that has to answer again after the fault.
        formula: the bound by the person's own values, an expression over the names of `reads`.
        parameter: the value that a message names, one of `reads`.
    """

    url: str
    fault: Literal["kill", "stop", "pause"] = "kill"
    target: str
    seconds: float = Field(5, ge=1, le=60, description="how long the fault lasts")
    asks: float = Field(gt=0)
    failed: int | None = None
    returns: str = ""
    formula: str = ""
    reads: dict[str, WrittenValue] = Field({}, description="values by name")
    rate: float = Field(20, gt=0, le=100)


@kind("outage", OutageCheck, ("no-answer", "slow", "failed-requests", "never-returns"), breaks=True)
def outage(scene: Scene, check: OutageCheck) -> CheckOutcome:
    """Sends requests, injects the fault, reverts it, and judges the answers."""
    clock = scene.backend.clock
    before = page(scene, PageCheck(url=check.url))
    if before.reason in CONNECTING or (before.reason == "status" and before.figure >= "4"):
        return red("no-answer", f"before anything is broken: {before.says}")
    run = LoadRun(scene.backend, [Stream("visitors", check.url, clock.rate(check.rate), keep=False)], patience=SECONDS)
    with run:
        clock.until("the first answers", RETURN_SECONDS, run.count, lambda count: count >= FIRST_ANSWERS)
        injected = broken(scene, check.fault, check.target)
        try:
            clock.wait(clock.limit(check.seconds))
        finally:
            injected.heal()
        back = _until_served(scene, run, check.returns)
    return judged_outage(scene, check, run.rows["visitors"], injected, back=back, stalls=run.stalls)


def broken(scene: Scene, fault_kind: str, target: str, **settings: Any) -> Injected:
    """Injects a fault.

    Raises:
        BackendError: it is not effective.
        LabError: it can't be injected.
    """
    from lab.faults import fault, inject, targets

    nodes = targets(scene.backend, target, random.Random(0))  # noqa: S311  which one is of no matter
    return inject(scene.backend, fault({"kind": fault_kind, "nodes": nodes, **settings}))


def _until_served(scene: Scene, run: LoadRun, node: str) -> bool:
    """Waits until a node answers visitors again; whether it did."""
    from lab.errors import NotReady

    if not node:
        return True
    answers: list[Row] = []

    def ask() -> bool:
        answers.extend(row for _, row in run.fresh())
        return bool(answers) and any(row.value == node and row.due > since for row in answers)

    since = scene.backend.clock.now()
    try:
        scene.backend.clock.until(f"{node} to answer again", RETURN_SECONDS, ask)
    except NotReady:
        return False
    return True


def judged_outage(  # noqa: PLR0913  what was measured, each by its own name
    scene: Scene,
    check: OutageCheck,
    rows: Sequence[Row],
    injected: Injected,
    *,
    back: bool,
    stalls: Sequence[Stall] = (),
) -> CheckOutcome:
    """The answer by all rows; rows before the fault are left out.

    Args:
        scene: the cluster.
        check: what is asked for.
        rows: the answers to all requests.
        injected: the fault.
        back: whether the node served again.
        stalls: of the client node and of this machine; what fails only because of them is unknown.
    """
    during = [row for row in rows if row.due >= injected.begun - 1]
    if not during:
        return unknown("no request was sent during the fault")
    delays = Delays(stalls, scene.backend.clock)
    outages = probes.outages(during, late=check.asks)
    worst = max((span.seconds for span in outages), default=0.0)
    bad = [row for row in during if not probes.good(row)]
    bound, formula, yours = _allowed(scene, check)
    figure = f"{worst:.2f} s, {len(bad)} of {len(during)} requests failed"
    summary = (
        f"visitors were without an answer for {worst:.2f} s while {', '.join(injected.fault.nodes)} was gone{yours}"
    )
    if not back:
        ended = max(row.due + row.seconds for row in during)
        begun = max(injected.ended or injected.begun, ended - scene.backend.clock.limit(RETURN_SECONDS))
        says = f"{check.returns} did not answer again after it was back"
        return judged_red("never-returns", says, figure, formula, excuse=delays.preventing(begun, ended))
    allowed = check.asks + scene.backend.clock.limit(1 / check.rate)
    if slow := [span for span in outages if span.seconds > allowed]:
        says = f"{summary}; the lesson asks for at most {check.asks:g} s"
        excuses = [delays.hiding(span.begun, span.seconds, allowed) for span in slow]
        return judged_red("slow", says, figure, formula, excuse=excuses[0] if all(excuses) else "")
    if check.failed is not None and len(bad) > check.failed:
        says = f"{len(bad)} of {len(during)} requests failed, {check.failed} may; {_first(bad[0], injected)}"
        excuses = _timeouts(bad, delays)
        few = len(bad) - len(excuses) <= check.failed
        return judged_red("failed-requests", says, figure, formula, excuse=excuses[0] if few else "")
    if bound is not None and bound > check.asks:
        # The address of a dead node may refuse connections for a while, which costs no wait.
        return red("slow", f"{summary}; the lesson asks for at most {check.asks:g} s", figure, formula)
    return green(summary, figure, formula)


def _first(row: Row, injected: Injected) -> str:
    """Why the first request failed, and when: at the fault, or when the node was back."""
    why = f"status {row.status}" if row.status else row.error
    back = injected.restored
    if back is not None and row.due >= back:
        return f"the first was sent {row.due - back:.1f} s after the fault was reverted: {why}"
    after = row.due - injected.begun
    return f"the first was sent {abs(after):.1f} s {'before' if after < 0 else 'after'} the fault began: {why}"


def _allowed(scene: Scene, check: OutageCheck) -> tuple[float | None, str, str]:
    """The bound by the person's own values, if it can be computed, with its formula and the sentence about them."""
    values = written.read(scene.backend, check.reads)
    bound = written.allowed(check.formula, values)
    if bound is None:
        return None, "", ""
    shown = written.shown(values)
    return bound, f"{check.formula} = {bound:.2f} s, with {shown}", f"; your values ({shown}) allow {bound:.2f} s"


def _timeouts(failed: Sequence[Row], delays: Delays) -> list[str]:
    """Why those failed requests say nothing that had no answer in time while a machine was stalled for most of it."""
    late = [row for row in failed if not row.status and row.seconds >= delays.clock.limit(SECONDS)]
    return list(filter(None, (delays.preventing(row.due, row.due + row.seconds) for row in late)))
