"""The live page as it is served, on an engine of plain values: the stream, access, start and end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.backends.base import State
from lab.clock import EMULATED
from lab.errors import HostError, SpecError
from lab.faults import present
from lab.page.collector import STALE_SECONDS
from lab.page.security import Guard, Right, Tokens
from lab.page.server import listening
from tests.durations import at_most
from tests.pages import TOKENS, served
from tests.unit.live_page import Engine, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lab.backends.base import Existing
    from lab.page.watch import Look
    from lab.topology import Cluster
    from tests.pages import Served

pytestmark = pytest.mark.slow("a page is served and asked as a browser does, in its own times")


def test_the_state_is_that_of_the_engine(page: Served, engine: Engine) -> None:
    told = page.get("/state").json()
    assert told["cluster"]["name"] == "golden"
    assert set(told["node"]) == {node.name for node in engine.observe().nodes}
    engine.kill("web1")  # how soon it is shown is held by tests/cluster/test_page.py, less the machine's own stalls
    until("web1 to be dead", lambda: page.get("/state").json()["node"]["web1"]["state"] == "dead")


def test_the_stream_begins_with_a_snapshot_and_goes_on_with_deltas(page: Served, engine: Engine) -> None:
    with requests.get(
        f"{page.base}/events", headers={"Authorization": f"Bearer {TOKENS.read}"}, stream=True, timeout=5
    ) as answer:
        blocks = _blocks(answer)
        first = next(block for block in blocks if block["event"] == "snapshot")
        seq = json.loads(first["data"])["seq"]
        engine.kill("web2")
        for block in blocks:
            told = json.loads(block["data"])
            seq += 1
            assert (block["event"], told["seq"]) == ("delta", seq)
            if told.get("set", {}).get("node/web2", {}).get("state") == "dead":
                break
    resumed = {"Authorization": f"Bearer {TOKENS.read}", "Last-Event-ID": first["id"]}
    with requests.get(f"{page.base}/events", headers=resumed, stream=True, timeout=5) as answer:
        again = next(_blocks(answer))
        assert again["event"] == "delta"
        assert json.loads(again["data"])["seq"] == json.loads(first["data"])["seq"] + 1


def _blocks(answer: requests.Response) -> Iterator[dict[str, str]]:
    found: dict[str, str] = {}
    for raw in answer.iter_lines():
        line = raw.decode()
        name, _, text = line.partition(": ")
        if line and name:
            found[name] = text
        elif found.get("data"):
            yield found
            found = {}


def test_a_lost_engine_is_said_within_two_seconds_and_found_again(page: Served, engine: Engine) -> None:
    assert page.get("/state").json()["source"]["engine"] is True
    engine.lost = "cannot connect"
    with at_most(2):
        told = until("it to be lost", lambda: (t := page.get("/state").json()) and not t["source"]["engine"] and t)
    assert told["source"]["engineWhy"] == "cannot connect"
    assert {node["state"] for node in told["node"].values()} == {"unknown"}
    engine.lost = ""
    until("it to be found", lambda: page.get("/state").json()["source"]["engine"])


def test_an_emulated_engine_that_takes_seconds_to_answer_is_shown(
    engine: Engine, full: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ages are by the nodes' clock: 'stale' for nodes of this machine is an ordinary answer of an emulated one."""
    observe = engine.observe

    def slowly() -> Existing:
        if threading.current_thread().name == "page engine":
            time.sleep(STALE_SECONDS + 0.3)
        return observe()

    monkeypatch.setattr(engine, "observe", slowly)
    monkeypatch.setattr(engine, "clock", EMULATED)
    with served(engine, full, folder=tmp_path, visitors=False) as made:

        def state() -> object:
            return made.get("/state").json().get("node", {}).get("web1", {}).get("state")

        until("web1 to be ready", lambda: state() == "ready", 20)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_collector_that_ended_is_started_again(page: Served) -> None:
    assert page.get("/state").json()["seq"]
    collector = page.page.collector

    def broken() -> None:
        raise SystemExit

    turn, collector.turn = collector.turn, broken  # type: ignore[method-assign]
    thread = collector.thread
    assert thread
    thread.join(3)
    assert not thread.is_alive()
    collector.turn = turn  # type: ignore[method-assign]
    until("another one", lambda: collector.thread is not thread and page.get("/state").json()["at"] > time.time() - 1)
    assert "started again" in str(page.get("/state").json()["events"])


def test_without_viewers_nothing_is_asked(page: Served, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.page.collector.IDLE_SECONDS", 0.3)
    page.get("/state")
    until("it to idle", lambda: page.page.collector.idle)
    time.sleep(1.5)
    engine.done.clear()
    at = page.page.collector.engine.look.at
    time.sleep(1.5)
    assert engine.done == []
    assert page.page.collector.engine.look.at == at


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("without a token", {}, ""),
    ("with a wrong token", {}, "wrong"),
    ("with the read-only token", {}, TOKENS.read),
    ("with a foreign Host", {"Host": "evil.example"}, TOKENS.change),
    ("with a foreign Origin", {"Origin": "http://evil.example"}, TOKENS.change),
    ("with a null Origin", {"Origin": "null"}, TOKENS.change),
    ("from another port", {"Origin": "http://127.0.0.1:1"}, TOKENS.change),
    ("without the header", {"X-Lab-Page": ""}, TOKENS.change),
    ("from another site", {"Sec-Fetch-Site": "cross-site"}, TOKENS.change),
]


def test_changes_are_refused(page: Served, engine: Engine) -> None:
    taken = []
    body = {"do": "kill", "target": "web1", "on": True, "name": "web-node-dies"}
    for how, headers, token in REFUSED:
        for path in ("/do", "/heal", "/scenario", "/recording", "/visitors", "/lesson"):
            answer = page.post(path, body, token, **headers)
            if answer.status_code != 403 or "refused" not in answer.text:
                taken.append(f"{how}, {path}: {answer.status_code} {answer.text}")
    assert not taken, "\n".join(taken)
    time.sleep(0.05)
    assert present(engine) == []
    assert {node.state for node in engine.observe().nodes} == {State.RUNNING}
    assert page.page.actions.works == {}


def test_nothing_is_changed_by_get(page: Served, engine: Engine) -> None:
    for path in ("/do?do=kill&target=web1", "/heal", "/scenario", "/recording", "/visitors"):
        assert page.get(path, **{"X-Lab-Page": "1"}).status_code == 405
    assert page.page.actions.works == {}
    assert present(engine) == []


def test_nothing_is_read_without_a_token_or_by_a_foreign_name(page: Served) -> None:
    foreign = {"Host": f"evil.example:{page.port}"}
    for path in ("/", "/state", "/events", "/picture.svg", "/offers", "/static/page.js", "/lesson"):
        for token, headers in (("", {}), ("wrong", {}), (TOKENS.change, foreign)):
            answer = page.get(path, token, **headers)
            assert answer.status_code == 403
            assert "golden" not in answer.text


def test_the_printed_address_becomes_a_cookie(page: Served) -> None:
    session = requests.Session()
    answer = session.get(page.address, timeout=5)
    said = answer.headers["Set-Cookie"]
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    assert session.get(f"{page.base}/state", timeout=5).status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert session.get(f"{page.base}/static/../server.py", timeout=5).status_code in (403, 404)
    assert session.get(f"{page.base}/static/%2e%2e%2fserver.py", timeout=5).status_code == 404


def test_tokens_are_kept_for_the_next_start_and_a_read_only_page_has_one(full: Cluster) -> None:
    first, second = Tokens.of(full.name, read_only=False), Tokens.of(full.name, read_only=False)
    assert first == second
    assert first.change != first.read
    assert len(first.change) >= 32
    shown = Tokens.of(full.name, read_only=True)
    assert shown.right("") is Right.NONE
    assert shown.right(first.change) is Right.NONE
    assert shown.right(first.read) is Right.READ


def test_a_cookie_of_another_page_is_none_here() -> None:
    guard = Guard(TOKENS, 8710)
    name, _, value = guard.set_cookie(TOKENS.change).partition(";")[0].partition("=")
    assert name == "lab-page-8710"
    assert guard.right({}, {name: value}) is Right.CHANGE
    assert guard.right({}, {"lab-page-8711": value}) is Right.NONE


def test_a_cookie_is_no_token_and_is_of_one_run() -> None:
    guard, later = Guard(TOKENS, 8710), Guard(TOKENS, 8710)
    for token, right in ((TOKENS.change, Right.CHANGE), (TOKENS.read, Right.READ)):
        name, _, value = guard.set_cookie(token).partition(";")[0].partition("=")
        assert token not in value
        assert guard.right({}, {name: value}) is right
        assert guard.right({}, {name: token}) is Right.NONE
        assert guard.right({"authorization": f"Bearer {value}"}, {}, value) is Right.NONE
        assert later.right({}, {name: value}) is Right.NONE
    shown = Guard(Tokens("", TOKENS.read), 8710)
    empty = shown.set_cookie("").partition(";")[0].partition("=")[2]
    assert shown.right({}, {shown.cookie: empty}) is Right.NONE


def test_localhost_is_refused_with_the_address_that_is_answered(page: Served) -> None:
    for path in ("/", "/state"):
        answer = page.get(path, Host=f"localhost:{page.port}")
        assert answer.status_code == 403
        assert f"its own address only: {page.base}/" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_kept_token_becomes_the_cookie_of_another_run(page: Served) -> None:
    session = requests.Session()
    stale = {page.page.guard.cookie: "of another run"}
    assert session.get(f"{page.base}/state", cookies=stale, timeout=5).status_code == 403
    assert session.get(page.base, headers={"Authorization": f"Bearer {TOKENS.read}"}, timeout=5).status_code == 200
    assert session.get(f"{page.base}/state", timeout=5).status_code == 200


def test_it_listens_on_this_machine_alone() -> None:
    with listening(None) as opened:
        assert opened.getsockname()[0] == "127.0.0.1"
        with pytest.raises(HostError, match="in use"):
            listening(opened.getsockname()[1])


def test_ending_the_page_ends_streams_at_once_and_reverts_its_faults(engine: Engine, full: Cluster) -> None:
    with served(engine, full) as page:
        page.post("/do", {"do": "kill", "target": "web1", "settings": {"for": "60s"}})
        until("the fault", lambda: present(engine) and present(engine)[0].proof)
        ended = threading.Event()

        def listen() -> None:
            with requests.get(
                f"{page.base}/events", headers={"Authorization": f"Bearer {TOKENS.read}"}, stream=True, timeout=30
            ) as answer:
                for _ in answer.iter_lines():
                    pass
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        until("a viewer", lambda: page.page.collector.store.viewers)
        with at_most(4):
            page.end()
        assert ended.wait(2)
    assert present(engine) == []
    assert {node.state for node in engine.observe().nodes} == {State.RUNNING}


SERVING = """
from lab.backends.memory import MemoryBackend
from lab.lifecycle.up import up
from lab.page.server import serve
from lab.progress import Silent
from lab.topology import parse
spec = parse("name: golden\\nweb: {count: 1}")
backend = MemoryBackend("golden")
up(spec, backend, Silent())
serve(backend, spec, say=lambda line: print(line, flush=True))
"""


def test_it_prints_its_addresses_and_ends_by_an_interrupt() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    change, read = (process.stdout.readline().split()[0] for _ in range(2))
    session = requests.Session()
    until("an answer", lambda: _answers(session, change))
    base = change.partition("?")[0]
    assert session.get(f"{base}offers", timeout=5).json()["mayChange"] is True
    shown = requests.Session()
    assert _answers(shown, read)
    assert shown.get(f"{base}offers", timeout=5).json()["mayChange"] is False
    with session.get(f"{base}events", stream=True, timeout=5) as stream:
        next(stream.iter_lines())
        with at_most(5):
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=30)
    assert complaints == ""


def _answers(session: requests.Session, address: str) -> bool:
    try:
        return session.get(address, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_a_panel_is_shown_and_its_actions_are_done(engine: Engine, full: Cluster) -> None:
    class Lesson:
        """As of a lesson."""

        def __init__(self) -> None:
            self.done: list[tuple[str, dict[str, str]]] = []

        def lesson(self, look: Look) -> Mapping[str, Any]:
            assert look.existing.nodes
            return {"title": "Build a balancer", "tasks": [{"id": "a", "says": "two nodes", "state": "open"}]}

        def again(self) -> str:
            return "lab learn start 3"

        def act(self, verb: str, values: Mapping[str, str]) -> str:
            if verb != "check":
                raise SpecError("no such action")
            self.done.append((verb, dict(values)))
            return "checked"

    lesson = Lesson()
    with served(engine, full, panel=lesson) as page:
        assert page.get("/lesson").json()["title"] == "Build a balancer"
        until("the panel", lambda: page.get("/state").json().get("lesson", {}).get("title"))
        assert page.post("/lesson", {"verb": "check", "values": {"task": "a"}}).json() == {"said": "checked"}
        assert page.post("/lesson", {"verb": "explode"}).status_code == 400
    assert lesson.done == [("check", {"task": "a"})]


def test_files_of_runs_are_shown_and_no_others(page: Served, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>report</p>", encoding="utf-8")
    (folder / "secret").write_text("x", encoding="utf-8")
    answer = page.get("/runs/one/report.html")
    assert answer.text == "<p>report</p>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    for path in ("/runs/one/secret", "/runs/../pyproject.toml", "/runs/%2e%2e/report.html", "/runs/two/report.html"):
        assert page.get(path).status_code in (403, 404)
