"""Checks of a running cluster: each answers with a reason, and the figure beside the formula; unknown is not green."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, SpecError
from lab.evidence import file_writes, written
from lab.evidence.file_writes import WriteFigures
from lab.evidence.load_run import Row
from lab.evidence.outcomes import CheckOutcome, Colour, Scene, question
from lab.evidence.pages import OutageCheck, judged_outage
from lab.evidence.verdicts import PromiseResult, PromiseVerdict
from lab.evidence.written import WrittenValue
from lab.faults import Injected, fault
from lab.plan import plan
from lab.services import trials
from lab.topology import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOPOLOGY = "name: golden\nnetwork: 10.90.0.0/24\nports: {site: off, site-http: off, stats: off}\nweb: {count: 2}\n"
TOPOLOGY += "http-lb: {count: 1}\ntcp-lb: {count: 2}\n"
KEEPALIVED = "/etc/lab/keepalived.conf"
HEAD = "HTTP/1.1 200 OK\r\nX-Served-By: {}\r\nServer: Apache\r\n\r\n"


class Answering(MemoryBackend):
    """Says what a test wants, by the first word of a command; a list one after the other."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__("golden")
        self.said = dict(said)

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        del seconds
        found = self.said.get(argv[0], (0, ""))
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, Exception):
            raise found
        rc, text = found
        return Result(node, tuple(argv), rc, text if rc == 0 else "", text if rc else "")


def _scene(said: Mapping[str, Any]) -> Scene:
    cluster = parse(TOPOLOGY)
    return Scene(Answering(said), cluster, plan(cluster, "debian"))


def _ask(kind: str, told: Mapping[str, Any], **said: Any) -> CheckOutcome:
    return question(kind, told).ask(_scene(said))


@pytest.mark.parametrize(
    ("kind", "told", "said", "reason"),
    [
        ("file", {"path": "/x"}, {"sh": (1, "no such file")}, "no-file"),
        ("file", {"path": "/x", "owner": "ann"}, {"sh": (0, "regular file|root|root|644\n")}, "owner"),
        ("file", {"path": "/x", "mode": "600"}, {"sh": (0, "regular file|root|root|644\n")}, "mode"),
        ("file", {"path": "/x", "mode": "0644"}, {"sh": (0, "regular file|root|root|644\n")}, ""),
        ("file", {"path": "/x", "has": "y"}, {"sh": (0, "regular file|root|root|644\n")}, "content"),
        ("service", {"service": "httpd"}, {"supervisorctl": (0, "httpd RUNNING pid 7, uptime 0:01:00\n")}, ""),
        ("service", {"service": "httpd"}, {"supervisorctl": (0, "httpd FATAL Exited too quickly\n")}, "not-running"),
        ("service", {"service": "httpd"}, {"supervisorctl": (0, "httpd BACKOFF Exited too quickly\n")}, "restarting"),
        ("service", {"service": "httpd"}, {"supervisorctl": (1, "refused")}, "unknown"),
        ("port", {"port": 80}, {"ss": (0, "")}, "not-listening"),
        ("port", {"port": 80}, {"ss": (0, "LISTEN 0 511 *:80 *:*\n")}, ""),
        ("command", {"run": "true", "prints": "^a$"}, {"sh": (0, "b\n")}, "failed"),
        ("command", {"run": "true", "prints": "^b$"}, {"sh": (0, "b\n")}, ""),
        ("command", {"run": "true", "lacks": "b", "reason": "full"}, {"sh": (0, "b\n")}, "full"),
        ("command", {"run": "false"}, {"sh": (1, "no")}, "failed"),
        ("row", {"statement": "SELECT 1", "prints": "^1$"}, {"mariadb": (0, "1\n")}, ""),
        ("row", {"statement": "SELECT 1", "prints": "^2$"}, {"mariadb": (0, "1\n")}, "other-row"),
        ("row", {"statement": "SELECT 1", "prints": "^2$"}, {"mariadb": (1, "Can't connect to local")}, "no-database"),
        ("file-writes", {"folder": "/srv", "target": "web2", "asks": 12}, {"mountpoint": (1, "")}, "not-mounted"),
        ("command", {"run": "true"}, {"sh": BackendError("web1 is not running")}, "unknown"),
    ],
)
def test_a_check_in_a_node(kind: str, told: dict[str, Any], said: dict[str, Any], reason: str) -> None:
    outcome = _ask(kind, {"node": "web1", **told}, **said)
    assert outcome.reason == reason, outcome
    assert outcome.green is (reason == "")
    assert outcome.says
    assert (outcome.colour is Colour.UNKNOWN) is (reason == "unknown")


@pytest.mark.parametrize(
    ("told", "said", "reason"),
    [
        ({}, (7, "curl: (7) Connection refused"), "refused"),
        ({}, (7, "* connect to 1.2.3.4 port 80 failed: No route to host\ncurl: (7) Couldn't connect"), "no-answer"),
        (
            {},
            (7, "* ::1: Network is unreachable\n* 1.2.3.4: Connection refused\ncurl: (7) Couldn't connect"),
            "refused",
        ),
        ({}, (35, "curl: (35) error:0A00010B:SSL routines::wrong version number"), "no-tls"),
        ({}, (35, "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to web1:443"), "no-answer"),
        ({}, (28, "curl: (28) timed out"), "no-answer"),
        ({}, (60, "curl: (60) certificate"), "certificate"),
        ({"status": 404}, (0, HEAD.format("web1")), "status"),
        ({"status": 404, "statuses": {200: "found", 403: "forbidden"}}, (0, HEAD.format("web1")), "found"),
        ({"status": 404, "statuses": {403: "forbidden"}}, (0, HEAD.format("web1")), "status"),
        ({"has": "hello"}, (0, HEAD.format("web1") + "bye"), "content"),
        ({"lacks": "bye"}, (0, HEAD.format("web1") + "bye"), "content"),
        ({"headers": {"x-served-by": "^web2$"}}, (0, HEAD.format("web1")), "header"),
        ({"headers": {"X-Served-By": "^web1$"}, "has": "^hello$"}, (0, HEAD.format("web1") + "hello\n"), ""),
    ],
)
def test_a_page(told: dict[str, Any], said: tuple[int, str], reason: str) -> None:
    assert _ask("page", {"url": "http://web1/", **told}, curl=said).reason == reason


CAUSES = [
    {"prints": r"^(?P<rows>\d+) rows$", "reason": "other-count", "says": "{rows} rows instead of 213"},
    {"prints": "doesn't exist", "reason": "no-table", "says": "the table is gone"},
]


@pytest.mark.parametrize(
    ("kind", "answer", "reason", "says"),
    [
        ("command", (0, "426 rows\n"), "other-count", "426 rows instead of 213"),
        ("command", (1, "table doesn't exist\n"), "no-table", "the table is gone"),
        ("command", (0, "first\nlast\n"), "other", "it is last; the lesson asks for 213 rows"),
        ("command", (0, "213 rows, sum 22791\n"), "", "a new server read 213 rows, sum 22791"),
        ("row", (0, "426 rows\n"), "other-count", "426 rows instead of 213"),
        ("row", (1, "Table 'x' doesn't exist"), "no-table", "the table is gone"),
        ("row", (1, "Access denied"), "refused", "the database of web1 refuses: Access denied"),
        ("row", (0, "a\tb\n"), "other", "it is a b; the lesson asks for 213 rows"),
        ("row", (0, "213 rows, sum 22791\n"), "", "a new server read 213 rows, sum 22791"),
    ],
)
def test_an_answer_has_the_sentence_of_its_cause(kind: str, answer: tuple[int, str], reason: str, says: str) -> None:
    told = {
        "node": "web1",
        "prints": r"^213 rows, sum (?P<sum>\d+)$",
        "causes": CAUSES,
        "reason": "other",
        "says": "it is {figure}",
        "good": "a new server read 213 rows, sum {sum}",
        "wants": "213 rows",
        **({"run": "count"} if kind == "command" else {"statement": "SELECT 1"}),
    }
    outcome = _ask(kind, told, sh=answer, mariadb=answer)
    assert (outcome.reason, outcome.says, outcome.formula) == (reason, says, "")


def test_no_answer_shows_a_regular_expression() -> None:
    for kind, told in (("row", {"statement": "SELECT 1"}), ("command", {"run": "x"})):
        outcome = _ask(kind, {"node": "web1", "prints": r"^\d+$", **told}, sh=(0, "b\n"), mariadb=(0, "b\n"))
        assert (outcome.green, outcome.figure, outcome.formula) == (False, "b", "")
        assert r"\d" not in outcome.says


def test_an_exit_code_alone_is_no_figure() -> None:
    told = {"node": "web1", "run": "test -e /x", "prints": "^there$", "says": "there is no /x"}
    assert (_ask("command", told, sh=(1, "")).says, _ask("command", told, sh=(1, "")).figure) == ("there is no /x", "")
    assert _ask("command", {**told, "says": "no /x: {figure}"}, sh=(1, "")).says == "no /x: exit code 1"


def test_a_good_page_says_what_was_seen() -> None:
    told = {"url": "http://web1/", "headers": {"x-served-by": "^web1$"}, "has": "^hello$"}
    outcome = _ask("page", told, curl=(0, HEAD.format("web1") + "hello\n"))
    assert outcome.says == "http://web1/ answers 200, with x-served-by: web1 and `hello`"


def test_steady_is_green_for_that_long() -> None:
    told = {"node": "web1", "run": "status", "prints": "^yes$"}
    ends = [(0, "yes\n"), (0, "yes\n"), (0, "no\n"), (0, "yes\n")]
    assert _ask("command", told, sh=ends.copy()).green
    assert _ask("command", {**told, "steady": 10}, sh=ends.copy()).reason == "failed"
    began = time.monotonic()
    assert _ask("command", {**told, "steady": 0.3}, sh=(0, "yes\n")).green
    assert time.monotonic() - began >= 0.3
    with pytest.raises(SpecError, match="is made once"):
        question("outage", {"steady": 1})


def test_the_rows_of_two_nodes() -> None:
    table = {"among": ["mysql1", "mysql2"], "table": "guestbook.posts"}
    same, fewer, changed = ((0, f"{rows}\nguestbook.posts\t{mark}\n") for rows, mark in ((7, 99), (6, 98), (7, 97)))
    assert _ask("rows", table, mariadb=[same, same]).figure == "mysql1 7, mysql2 7"
    assert _ask("rows", table, mariadb=[same, fewer]).reason == "other-rows"
    assert _ask("rows", table, mariadb=[same, changed]).reason == "other-rows"
    assert _ask("rows", table, mariadb=[same, (1, "Can't connect to local")]).reason == "no-database"
    assert _ask("rows", table, mariadb=[same, (1, "no such table")]).reason == "refused"
    assert set(question("rows", table).kind.model(**table).nodes) == {"mysql1", "mysql2"}


def test_who_answers() -> None:
    told = {"url": "http://web/", "nodes-that-answer": ["web1", "web2"], "times": 2}
    one, two, three = ((0, HEAD.format(name)) for name in ("web1", "web2", "web3"))
    assert _ask("spread", told, curl=[one, two]).green
    assert _ask("spread", told, curl=[one, one]).reason == "one-node"
    assert _ask("spread", {**told, "nodes-that-answer": ["web1"]}, curl=[one, three]).reason == "other-node"
    assert _ask("spread", told, curl=[one, (7, "refused")]).reason == "refused"
    assert _ask("spread", told, curl=[one, (28, "timed out")]).reason == "no-answer"
    down = _ask("spread", told, curl=[one, (0, "HTTP/1.1 503 Service Unavailable\r\n\r\n")])
    assert (down.reason, down.figure) == ("status", "503"), "an error of the balancer's own is no answer of one node"


def test_values_are_read_as_they_were_written() -> None:
    backend = MemoryBackend("golden")
    text = "  # inter 9s\n  server web1 1.2.3.4:80 check inter 500ms fall 3\n  timeout check 2\n"
    backend.put("http-lb1", {"/h": (text.encode(), 0o644)})
    place = {"node": "http-lb1", "path": "/h"}
    found = written.read(
        backend,
        {
            "inter": WrittenValue(**place, pattern=r"inter\s+(\d+)(ms|s)?"),
            "check": WrittenValue(**place, pattern=r"timeout check\s+(\d+)(ms|s)?", unit="ms"),
            "fall": WrittenValue(**place, pattern=r"fall\s+(\d+)"),
            "rise": WrittenValue(**place, pattern=r"rise\s+(\d+)", default=2),
            "none": WrittenValue(**place, pattern=r"none\s+(\d+)"),
        },
    )
    assert found == {"inter": 0.5, "check": 0.002, "fall": 3, "rise": 2}
    assert written.allowed("inter * fall", found) == 1.5
    assert written.allowed("inter * none", found) is None


def test_the_largest_of_several_nodes_values_counts() -> None:
    backend = MemoryBackend("golden")
    backend.put("tcp-lb1", {KEEPALIVED: (b"advert_int 0.25\n", 0o644)})
    place = {"path": KEEPALIVED, "pattern": r"advert_int\s+([\d.]+)", "default": 1}
    for node, also, seconds in (("tcp-lb1", [], 0.25), ("tcp-lb1", ["tcp-lb2"], 1), ("tcp-lb2", ["tcp-lb1"], 1)):
        assert written.read(backend, {"advert_int": WrittenValue(node=node, also=also, **place)}) == {
            "advert_int": seconds
        }
    backend.put("tcp-lb2", {KEEPALIVED: (b"advert_int 0.5\n", 0o644)})
    both = WrittenValue(node="tcp-lb1", also=("tcp-lb2",), **place)
    assert written.read(backend, {"advert_int": both}) == {"advert_int": 0.5}


def _promise(
    monkeypatch: pytest.MonkeyPatch, advert: str, verdict: PromiseVerdict, seconds: float, broken_by: str = ""
) -> CheckOutcome:
    scene = _scene({"ip": [(0, "inet 10.90.0.100/24"), (0, "")]})
    scene.backend.put("tcp-lb2", {KEEPALIVED: (f"    advert_int {advert}\n".encode(), 0o644)})
    result = PromiseResult("vip-moves", verdict, f"{seconds:.2f} s", seconds=seconds, broken_by=broken_by)
    monkeypatch.setattr(trials, "_measured", lambda *_: result)
    monkeypatch.setattr(trials, "vip_holders", lambda *_: ["tcp-lb1"])
    reads = {"advert_int": {"node": "tcp-lb2", "path": KEEPALIVED, "pattern": r"advert_int\s+([\d.]+)"}}
    told = {"promise": "vip-moves", "target": "vip-holder", "asks": 1, "reads": reads, "noun": "the VIP moved"}
    return question("promise", told).ask(scene)


def test_a_promise_is_judged_by_the_persons_own_value(monkeypatch: pytest.MonkeyPatch) -> None:
    late = _promise(monkeypatch, "1", PromiseVerdict.HOLDS, 3.19)
    assert late.reason == "late"
    assert late.says == (
        "the VIP moved in 3.19 s; your `advert_int` of 1 s allows 3.22 s, the lesson asks for under 1 s"
    )
    assert late.formula.endswith("= 3.22 s")
    assert _promise(monkeypatch, "0.2", PromiseVerdict.HOLDS, 0.6).green
    for cause in ("never", "above-bound"):
        assert _promise(monkeypatch, "0.2", PromiseVerdict.BROKEN, 4.2, cause).reason == cause
    hidden = _promise(monkeypatch, "0.2", PromiseVerdict.UNKNOWN, 0.9)
    assert (hidden.colour, hidden.green) == (Colour.UNKNOWN, False)
    assert _promise(monkeypatch, "", PromiseVerdict.HOLDS, 0.6).reason == "no-value"


def _rows(*bad: float) -> list[Row]:
    return [
        Row(n, n / 20, 0.01, 0 if n / 20 in bad else 200, "web1", "refused" if n / 20 in bad else "") for n in range(60)
    ]


def test_an_outage_has_its_figure_and_its_formula() -> None:
    scene = _scene({})
    scene.backend.put("http-lb1", {"/h": (b"inter 1s fall 2", 0o644)})
    injected = Injected(scene.backend, fault({"kind": "kill", "nodes": ["web1"]}), "12345678", 1.0)
    reads = {
        "inter": {"node": "http-lb1", "path": "/h", "pattern": r"inter (\d+)s"},
        "fall": {"node": "http-lb1", "path": "/h", "pattern": r"fall (\d+)"},
    }
    told = OutageCheck.model_validate(
        {"url": "http://x/", "target": "web1", "asks": 2, "formula": "inter * fall", "reads": reads, "returns": "web1"}
    )
    outcome = judged_outage(scene, told, _rows(1.0, 1.05), injected, back=True)
    assert outcome.green
    assert "your values (inter = 1, fall = 2) allow 2.00 s" in outcome.says
    assert outcome.formula.startswith("inter * fall = 2.00 s")
    short = told.model_copy(update={"asks": 1})
    lucky = judged_outage(scene, short, _rows(1.0, 1.05), injected, back=True)
    assert (lucky.colour, lucky.reason) == (Colour.RED, "slow"), "it was quick, and may last for 2 s"
    long = _rows(*(n / 20 for n in range(20, 50)))
    assert judged_outage(scene, short, long, injected, back=True).reason == "slow"
    assert judged_outage(scene, short, long, injected, back=False).reason == "never-returns"
    strict = told.model_copy(update={"failed": 0})
    assert judged_outage(scene, strict, _rows(1.0), injected, back=True).reason == "failed-requests"
    assert judged_outage(scene, told, [], injected, back=True).colour is Colour.UNKNOWN


@pytest.mark.parametrize(
    ("figures", "sums", "patience", "reason"),
    [
        (WriteFigures(15.0, 0, 20), 0, 6, "slow"),
        (WriteFigures(3.0, 1, 20), 0, 6, "failed-writes"),
        (WriteFigures(3.0, 0, 0), 0, 6, "unknown"),
        (WriteFigures(3.0, 0, 20), 1, 6, "lost"),
        (WriteFigures(3.0, 0, 20), 0, 7, "slow"),
        (WriteFigures(3.0, 0, 20), 0, 6, ""),
    ],
)
def test_files_that_were_written_while_a_node_hung(
    monkeypatch: pytest.MonkeyPatch, figures: WriteFigures, sums: int, patience: int, reason: str
) -> None:
    monkeypatch.setattr(file_writes, "COPY_SECONDS", 0)
    scene = _scene({"sh": (sums, "")})
    scene.backend.put("web2", {"/options": (f"network.ping-timeout={patience}\n".encode(), 0o644)})
    timeout = WrittenValue(node="web2", path="/options", pattern=r"ping-timeout=(\d+)")
    check = file_writes.FileWritesCheck(
        node="web1", folder="/srv", target="web2", asks=12, copies=["web2"], formula="2 * t", reads={"t": timeout}
    )
    outcome = file_writes.judged_writes(scene, check, file_writes.FileWriter(scene, "web1", "/srv"), figures)
    assert outcome.reason == reason, outcome
    assert outcome.formula == ("" if reason == "unknown" else f"2 * t = {2 * patience} s, with t = {patience}")


@pytest.mark.parametrize(
    ("kind", "told", "named"),
    [
        ("pge", {}, "there is no kind of check 'pge'; did you mean 'page'?"),
        ("page", {}, "'page.url': 'url' is missing here"),
        ("port", {"node": "web1", "port": "x"}, "'port.port'"),
        ("port", {"node": "web1", "port": 80, "prot": 1}, "'port.prot'"),
    ],
)
def test_a_check_that_is_told_wrong_is_refused(kind: str, told: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError) as caught:
        question(kind, told)
    assert named in caught.value.what
