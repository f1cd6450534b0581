"""A reason of a check has one cause: no answer is no refusal, a row that was typed is not replicated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pytest

from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, SpecError
from lab.evidence.ledger import Operation, Outcome
from lab.evidence.outcomes import CheckOutcome, Colour, Scene, question
from lab.learning import lint
from lab.learning.attempt import attempt
from lab.learning.library import lesson
from lab.lifecycle.up import up
from lab.plan import plan
from lab.progress import Silent
from lab.services import effects
from lab.services.origin import writers
from lab.topology import parse
from tests.unit.shells import Shell, asked

if TYPE_CHECKING:
    from pathlib import Path

    from lab.backends.base import Result
    from lab.evidence.stalls import Stall

TOPOLOGY = "name: golden\nnetwork: 10.90.0.0/24\nclient: {count: 1}\nmysql: {count: 2}\n"


@pytest.mark.parametrize(
    ("curl", "reason"),
    [
        ("echo 'curl: (67) Login denied' >&2; exit 67", ""),
        ("echo '* STATUS INBOX (MESSAGES 3)'", "in-clear"),
        ("echo 'curl: (7) Failed to connect' >&2; exit 7", "closed"),
        ("echo 'curl: (28) Operation timed out' >&2; exit 28", "silent"),
        ("echo 'curl: (56) response reading failed' >&2; exit 56", "silent"),
    ],
)
def test_no_answer_on_port_143_is_no_refusal(tmp_path: Path, curl: str, reason: str) -> None:
    outcome = asked(4, "read", 2, Shell(tmp_path, curl=curl))
    assert (outcome.reason, outcome.green) == (reason, not reason), outcome
    assert reason in {"", *lesson(4).task("read").hints.reasons}


@pytest.mark.parametrize(
    ("curl", "reason"),
    [
        ("echo '* STATUS INBOX (MESSAGES 3)'", ""),
        ("echo 'curl: (67) Login denied' >&2; exit 67", "no-login"),
        ("echo 'curl: (7) Failed to connect' >&2; exit 7", "refused"),
        ("echo 'curl: (28) timed out' >&2; exit 28", "no-answer"),
        ("echo 'curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection' >&2; exit 35", "no-answer"),
        ("echo 'curl: (35) error:0A00010B:SSL routines::wrong version number' >&2; exit 35", "no-tls"),
        ("echo 'curl: (60) SSL certificate problem' >&2; exit 60", "certificate"),
        ("echo 'A003 NO Internal error' >&2; exit 21", "no-mailbox"),
    ],
)
def test_a_login_that_fails_has_the_reason_of_its_cause(tmp_path: Path, curl: str, reason: str) -> None:
    assert asked(4, "read", 1, Shell(tmp_path, curl=curl)).reason == reason


@pytest.mark.parametrize(
    ("curl", "reason"),
    [
        ("echo 'curl: (67) Login denied' >&2; exit 67", ""),
        ("echo '* STATUS INBOX (MESSAGES 3)'", "any-password"),
        ("echo 'curl: (28) timed out' >&2; exit 28", "no-verdict"),
    ],
)
def test_a_wrong_password_is_refused_only_by_an_answer(tmp_path: Path, curl: str, reason: str) -> None:
    assert asked(4, "read", 4, Shell(tmp_path, curl=curl)).reason == reason


@pytest.mark.parametrize(
    ("curl", "unknown_address", "other_domain", "user"),
    [
        ("printf 550; exit 55", "", "", ""),
        ("printf 454; exit 55", "not-now", "no-restriction", "no-restriction"),
        ("printf 451; exit 55", "not-now", "not-now", "takes-local"),
        ("printf 530; exit 55", "other-refusal", "other-refusal", "other-refusal"),
        ("printf 250", "takes-anybody", "open-relay", "takes-local"),
        ("printf 250; exit 56", "no-answer", "no-answer", "no-answer"),
        ("printf 000; exit 28", "no-answer", "no-answer", "no-answer"),
    ],
)
def test_a_stranger_is_refused_only_by_an_answer(
    tmp_path: Path, curl: str, unknown_address: str, other_domain: str, user: str
) -> None:
    shell = Shell(tmp_path, curl=curl)
    reasons = [asked(4, "refuses", index, shell).reason for index in (1, 2, 3)]
    assert reasons == [unknown_address, other_domain, user]


@pytest.mark.parametrize(
    ("dialog", "reason"),
    [
        ("< 220 mail1.www.test ESMTP {word}\r\n> EHLO client\r\n< 250-mail1\r\n< 250 SIZE 1\r\n", ""),
        (
            "< 220 mail1.www.test ESMTP {word}\r\n> EHLO client\r\n< 502 5.5.2 Error\r\n> HELO c\r\n< 250 ok\r\n",
            "no-proxy",
        ),
        ("< 220 mail1.www.test ESMTP Postfix\r\n> EHLO client\r\n< 250 mail1\r\n", "other-greeting"),
        ("< 421 4.3.2 later\r\n", "turns-away"),
        ("* connect to 10.90.0.71 port 25 failed: Connection refused\n", "refused"),
        ("curl: (28) timed out\n", "no-greeting"),
    ],
)
def test_a_greeting_is_one_that_answers(tmp_path: Path, dialog: str, reason: str) -> None:
    word = attempt(lesson(4), MemoryBackend("www")).known["word"]
    (tmp_path / "said").write_text(dialog.format(word=word), encoding="utf-8", newline="")
    assert asked(4, "greets", 1, Shell(tmp_path, curl=f"cat {tmp_path}/said")).reason == reason


def _message(tmp_path: Path, curl: str) -> CheckOutcome:
    told = {"url": "smtp://mail1:25", "sender": "a@x", "recipient": "b@y", "node": "mail1", "seconds": 0.1}
    cluster = parse(TOPOLOGY)
    scene = Scene(Shell(tmp_path, curl=curl, doveadm="exit 1"), cluster, plan(cluster, "debian"))
    return question("message", told).ask(scene)


def test_a_message_is_refused_only_by_an_answer(tmp_path: Path) -> None:
    curl = "cat > /dev/null; echo {}; echo 'curl: ({})' >&2; exit {}"
    answers = {
        (code, exit_code): _message(tmp_path, curl.format(code, exit_code, exit_code)).reason
        for code, exit_code in ((550, 55), (451, 55), ("000", 28), (250, 56), (250, 0))
    }
    assert list(answers.values()) == ["refused", "not-now", "no-answer", "no-answer", "not-delivered"]


class Written:
    """A ledger whose writes ended as a test says, on a machine that was not stalled."""

    stalls: tuple[Stall, ...] = ()

    def __init__(self, *operations: Operation) -> None:
        self.load_run = self
        self.operations = {"mysql": list(operations)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def more(self, count: int, seconds: float) -> None:
        """Nothing is awaited."""


@pytest.mark.parametrize(
    ("outcome", "answer", "reason"),
    [
        (Outcome.FAILED, "The MariaDB server is running with the --read-only option", "refused"),
        (Outcome.UNKNOWN, "Access denied for user 'evidence'", "refused"),
        (Outcome.UNKNOWN, "Can't connect to MySQL server on '10.90.0.51'", "no-answer"),
        (Outcome.UNKNOWN, "timed out", "no-answer"),
    ],
)
def test_writes_that_nobody_acknowledged(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, answer: str, reason: str
) -> None:
    cluster = parse(TOPOLOGY)
    one = Operation("run-1", 1.0, 2.0, outcome, answer)
    monkeypatch.setattr(effects, "Ledger", lambda *_: Written(one, one))
    scene = Scene(MemoryBackend("golden"), cluster, plan(cluster, "debian"))
    found = question("ledger", {"service": "mysql"}).ask(scene)
    assert (found.colour, found.reason) == (Colour.RED, reason)
    assert answer in found.says


GROUP = "#261128 18:00:0{n} server id {server}  end_log_pos 9 CRC32 0xab  \t{event}\n"


def _log(*groups: tuple[int, str]) -> str:
    """What mariadb-binlog prints of groups of events: each with the number of its server."""
    return "".join(
        GROUP.format(n=n, server=server, event="Query" if text.isupper() else "Write_rows: table id 20")
        + (f"{text}\n" if text.isupper() else "".join(f"### {line}\n" for line in text.split("; ")))
        for n, (server, text) in enumerate(groups)
    )


def _row(verb: str, number: int, table: str = "`evidence`.`amber`") -> str:
    return f"{verb} {table}; {'WHERE' if verb.startswith('D') else 'SET'};   @1={number}"


CREATE = "CREATE OR REPLACE TABLE EVIDENCE.AMBER (NUMBER INT PRIMARY KEY)"


def _origin(tmp_path: Path, numbers: str, log: str) -> CheckOutcome:
    (tmp_path / "log").write_text(log, encoding="utf-8")
    shell = Shell(
        tmp_path,
        **{
            "mariadb": f'case "$*" in *basename*) echo {tmp_path}/binlog ;; *) printf "{numbers}" ;; esac',
            "mariadb-binlog": f"cat {tmp_path}/log",
        },
    )
    cluster = parse(TOPOLOGY)
    told = {"node": "mysql2", "table": "evidence.amber", "column": "number", "server": "11"}
    return question("origin", told).ask(Scene(shell, cluster, plan(cluster, "debian")))


def test_rows_that_were_typed_on_a_replica_are_not_replicated(tmp_path: Path) -> None:
    first, second = _row("INSERT INTO", 1), _row("INSERT INTO", 2)
    both = _log((11, CREATE), (11, first), (11, second))
    assert _origin(tmp_path, "1\\n2\\n", both).green
    typed = _origin(tmp_path, "1\\n2\\n", _log((11, CREATE), (11, first), (77, second)))
    assert (typed.reason, typed.says) == (
        "other-server",
        "1 of 2 rows of evidence.amber on mysql2 were written by the server 77",
    )
    made_again = _log((11, CREATE), (11, first), (11, second), (77, CREATE), (77, first), (77, second))
    assert _origin(tmp_path, "1\\n2\\n", made_again).reason == "other-server"
    unlogged = _origin(tmp_path, "1\\n2\\n3\\n", both)
    assert (unlogged.reason, unlogged.figure) == ("not-in-log", "")
    assert unlogged.says == "1 of 3 rows of evidence.amber on mysql2 are in no transaction of its log"
    assert _origin(tmp_path, "1\\n", "").reason == "not-in-log"
    assert _origin(tmp_path, "", both).reason == "no-rows"


def test_the_last_writer_of_a_row_counts_and_other_tables_do_not() -> None:
    log = _log(
        (11, CREATE),
        (11, _row("INSERT INTO", 1)),
        (77, _row("INSERT INTO", 2, "`evidence`.`birch`")),
        (11, _row("INSERT INTO", 3)),
        (77, _row("UPDATE", 3)),
        (11, _row("INSERT INTO", 4)),
        (77, _row("DELETE FROM", 4)),
    )
    assert writers(log.splitlines(), "evidence.amber") == {"1": 11, "3": 77}
    assert (
        writers([*log.splitlines(), "DROP TABLE `evidence`.`amber` /* generated by server */"], "evidence.amber") == {}
    )


def test_a_log_that_can_not_be_read_is_unknown(tmp_path: Path) -> None:
    cluster = parse(TOPOLOGY)
    shell = Shell(tmp_path, **{"mariadb": "echo 1", "mariadb-binlog": "echo 'ERROR: no file' >&2; exit 1"})
    told = {"node": "mysql2", "table": "evidence.amber", "column": "number", "server": 11}
    assert question("origin", told).ask(Scene(shell, cluster, plan(cluster, "debian"))).colour is Colour.UNKNOWN


def test_a_node_that_does_not_answer_may_have_the_vip(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = parse("name: golden\nnetwork: 10.90.0.0/24\nweb: {count: 1}\nhttp-lb: {count: 1}\ntcp-lb: {count: 2}\n")
    up(cluster, memory, Silent())
    scene = Scene(memory, cluster, plan(cluster, "debian"))
    assert question("holder", {}).ask(scene).reason == "no-holder"

    def silent(*_: object, **__: object) -> Result:
        raise BackendError("no answer", where="tcp-lb1")

    monkeypatch.setattr(memory, "run", silent)
    outcome = question("holder", {}).ask(scene)
    assert (outcome.colour, "tcp-lb1 and tcp-lb2 did not say" in outcome.says) == (Colour.UNKNOWN, True)


def test_two_checks_of_one_kind_have_a_reason_each(tmp_path: Path) -> None:
    page = {"url": "http://web1/", "renamed": {"refused": "no-http"}}
    made = question("page", page)
    assert made.own_reasons == ("no-http",)
    assert "no-http" in made.reasons
    assert "refused" not in made.reasons
    cluster = parse(TOPOLOGY)
    shell = Shell(tmp_path, curl="echo 'curl: (7) Connection refused' >&2; exit 7")
    assert made.ask(Scene(shell, cluster, plan(cluster, "debian"))).reason == "no-http"
    with pytest.raises(SpecError, match="'page' gives no 'refuses'; did you mean 'refused'"):
        question("page", {"url": "http://web1/", "renamed": {"refuses": "x"}})


def _problems(number: int, task: str, **changes: Any) -> list[str]:
    made = lesson(number)
    tasks = [one.model_copy(update=changes) if one.id == task else one for one in made.data.tasks]
    return lint.problems(replace(made, data=made.data.model_copy(update={"tasks": tasks})), MemoryBackend("lint"))


def test_the_lint_asks_for_a_hint_for_each_cause_of_a_broken_promise() -> None:
    hints = lesson(8).task("moves").hints
    said = _problems(8, "moves", hints=hints.model_copy(update={"reasons": {"broken": "Something is wrong."}}))
    for reason in ("never", "above-bound", "late", "no-holder", "two-holders"):
        assert f"moves has no hint for '{reason}'" in said
    assert "moves has a hint for 'broken', a reason that none of its checks gives" in said


def test_the_lint_finds_two_checks_with_the_reason_of_their_kind() -> None:
    row = {"node": "mysql1", "statement": "SELECT 1", "prints": "1", "says": "no", "good": "yes"}
    said = _problems(6, "first-node", check=[{"row": row}, {"row": row}])
    assert "checks of first-node have one reason for two causes: give each 'row' a 'reason' of its own" in said


def test_the_lint_finds_a_file_that_may_not_have_been_read() -> None:
    """The daemon's own reasons name that it was not restarted; else a hint has to."""
    made = lesson(7).task("answers")
    hints = {name: hint.replace("restart", "stop") for name, hint in made.hints.reasons.items()}
    said = _problems(7, "answers", hints=made.hints.model_copy(update={"reasons": hints}))
    assert said == ["answers: a file of shell1 that was edited and not read again is named by no hint: add 'reads'"]
