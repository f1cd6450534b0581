"""Checks of effects that are of a role: a row of the database, a message in a mailbox, acknowledged writes."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lab.errors import NotReady
from lab.evidence.answers import FIGURE_LENGTH, AnswerInput
from lab.evidence.delays import Delays, judged_red
from lab.evidence.ledger import WRITE_PATIENCE, Ledger, Outcome, Verdict
from lab.evidence.load_run import CLIENT
from lab.evidence.outcomes import CheckInput, green, kind, red, unknown
from lab.evidence.pages import broken
from lab.services.ledgers import LEDGERS, MysqlLedger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.ledger import Operation
    from lab.evidence.outcomes import CheckOutcome, Scene

STATEMENT_SECONDS = 20
SEND_SECONDS, SENT_SECONDS = 20.0, 30.0  # of curl; of the whole command
SEND = (
    'printf \'From: %s\\nTo: %s\\nSubject: %s\\n\\nHello.\\n\' "$2" "$3" "$4" |'
    ' curl -sS --max-time "$5" --crlf --url "$1" --mail-from "$2" --mail-rcpt "$3" --upload-file -'
    " --write-out '%{response_code}\\n'"
)
WRITES_SECONDS = 60.0


class RowCheck(AnswerInput):
    """What a statement says that is run on a mysql node, by the node's own root."""

    node: str
    statement: str
    prints: str = Field(description="a regular expression that the answer contains; columns are divided by tabs")
    reason: str = Field("other-row", description="the word for another answer, for hints")


@kind("row", RowCheck, ("no-database", "refused", "other-row"))
def row(scene: Scene, check: RowCheck) -> CheckOutcome:
    """Asks the database of a node."""
    argv = ["mariadb", "--skip-column-names", "--batch", "--execute", check.statement]
    done = scene.run(check.node, argv, STATEMENT_SECONDS)
    figure = done.stdout.strip().replace("\t", " ")[:FIGURE_LENGTH]
    if "Can't connect" in done.stderr:
        return red("no-database", f"no database answers on {check.node}: {done.last_line}")
    if not done.ok:
        return check.refused(f"the database of {check.node} refuses: {done.last_line}", done.stderr, figure, "refused")
    if not re.search(check.prints, done.stdout, re.MULTILINE):
        return check.refused(f"{check.node} answers something else", done.stdout, figure or "no row")
    return check.passed(f"{check.node} answers {figure}", done.stdout, figure)


class MessageCheck(CheckInput):
    """A message that the client sends, and finds in a mailbox.

    Attributes:
        url: where it is sent, such as `smtp://mail1:25`.
        recipient: a whole address.
        node: the node on which the mailbox is read.
    """

    url: str
    sender: str
    recipient: str
    node: str
    seconds: float = Field(30, gt=0, le=120)


@kind("message", MessageCheck, ("no-answer", "not-now", "refused", "not-delivered"))
def message(scene: Scene, check: MessageCheck) -> CheckOutcome:
    """Sends a message, and waits for it. By 4xx a server says that it could not decide now, by 5xx that it refuses."""
    clock = scene.backend.clock
    subject, begun = f"check-{uuid.uuid4().hex[:8]}", clock.steady()
    words = [check.url, check.sender, check.recipient, subject, scene.backend.clock.option(SEND_SECONDS)]
    sent = scene.run(CLIENT, ["sh", "-c", SEND, "send", *words], SENT_SECONDS)
    if not sent.ok:
        code = next(iter(re.findall(r"^[45]\d\d$", sent.stdout, re.MULTILINE)), "")
        if not code:
            return red("no-answer", f"{check.url} does not answer: {sent.last_line}", sent.last_line[:80])
        reason = "not-now" if code.startswith("4") else "refused"
        return red(reason, f"{check.url} does not take the message, and answers {code}: {sent.last_line}", code)
    fetch = ["doveadm", "-c", "/etc/lab/dovecot.conf", "fetch", "-u", check.recipient]
    fetch += ["hdr.subject", "subject", subject]
    try:
        scene.backend.clock.until(
            "the message", check.seconds, lambda: scene.run(check.node, fetch), lambda answer: subject in answer.stdout
        )
    except NotReady:
        return red("not-delivered", f"it was accepted, and is not in the mailbox after {check.seconds:g} s")
    return green(f"the message is in the mailbox of {check.recipient}", f"{clock.steady() - begun:.1f} s")


class RowsCheck(CheckInput):
    """The rows of a table, which are the same on several mysql nodes."""

    among: tuple[str, ...] = Field(min_length=2)
    table: str = Field(pattern=r"^\w+\.\w+$", description="such as `guestbook.posts`")

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it names."""
        return self.among


@kind("rows", RowsCheck, ("no-database", "refused", "other-rows"))
def rows(scene: Scene, check: RowsCheck) -> CheckOutcome:
    """Counts the rows of a table on each node, and compares their checksums."""
    statement = f"SELECT COUNT(*) FROM {check.table}; CHECKSUM TABLE {check.table}"  # noqa: S608  by its pattern
    answers: dict[str, list[str]] = {}
    for node in check.among:
        answer = row(scene, RowCheck(node=node, statement=statement, prints="^"))
        if not answer.green:
            return answer
        answers[node] = answer.figure.split()
    figure = ", ".join(f"{node} {words[0]}" for node, words in answers.items())
    if len({(words[0], words[-1]) for words in answers.values()}) > 1:
        return red("other-rows", f"{check.table} has other rows on each node", figure, "the same rows")
    return green(f"{check.table} has the same rows on {' and '.join(check.among)}", figure)


class LedgerCheck(CheckInput):
    """Writes that are acknowledged, with or without a fault meanwhile, and read back from every node.

    `at`: the mysql node that is written to; unset: the address that all clients use.
    """

    service: Literal["guestbook", "uploads", "mysql", "mail"]
    at: str = ""
    writes: int = Field(20, ge=1, le=1000)
    rate: float = Field(10, gt=0, le=100)
    fault: str = ""
    target: str = ""
    settings: dict[str, str | float] = Field({}, description="of the fault")


@kind("ledger", LedgerCheck, ("no-answer", "refused", "lost", "duplicated", "stale"), breaks=True)
def ledger(scene: Scene, check: LedgerCheck) -> CheckOutcome:
    """Writes, and compares what was acknowledged with what is stored."""
    service = LEDGERS[check.service](scene.plan, scene.cluster.site)
    if isinstance(service, MysqlLedger) and check.at:
        service.at(scene.plan.node(check.at).address)
    book, begun = Ledger(scene.backend, [service], check.rate), scene.backend.clock.now()
    try:
        with book:
            book.more(check.writes, WRITES_SECONDS)
            if check.fault:
                with broken(scene, check.fault, check.target, **check.settings):
                    book.more(check.writes, WRITES_SECONDS)
                book.more(check.writes, WRITES_SECONDS)
    except NotReady as error:
        excuse = Delays(book.load_run.stalls, scene.backend.clock).preventing(begun, scene.backend.clock.now())
        return judged_red("no-answer", f"the writes are not acknowledged: {error.what}", excuse=excuse)
    (operations,) = book.operations.values()
    if not any(one.outcome is Outcome.ACKNOWLEDGED for one in operations):
        return _none_acknowledged(operations, Delays(book.load_run.stalls, scene.backend.clock))
    (result,) = book.judge()
    if result.verdict is Verdict.UNKNOWN:
        return unknown(result.why)
    if result.verdict is Verdict.HOLDS:
        return green("every acknowledged write is there, once", result.why)
    return red(result.verdict.value, f"acknowledged writes are not as they were: {result.why}", result.why)


def _none_acknowledged(operations: Sequence[Operation], delays: Delays) -> CheckOutcome:
    """The answer where no write was acknowledged: refused, without an answer, or unknown by stalls."""
    refused = [one for one in operations if one.outcome is Outcome.FAILED or "denied" in one.answer]
    if refused:
        return red("refused", f"the writes are refused: {refused[-1].answer}", f"{len(refused)} of {len(operations)}")
    last = operations[-1].answer if operations else "none was sent"
    patience = delays.clock.limit(WRITE_PATIENCE)
    timeouts = [one for one in operations if one.completed - one.invoked >= patience]
    excuses = list(filter(None, (delays.preventing(one.invoked, one.completed) for one in timeouts)))
    excuse = excuses[-1] if excuses and len(excuses) == len(operations) else ""
    says = f"the writes are not acknowledged: {last}"
    return judged_red("no-answer", says, f"0 of {len(operations)}", excuse=excuse)
