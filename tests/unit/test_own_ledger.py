"""A ledger of the user's own against a real small application that keeps, forgets or repeats; files with mistakes."""

from __future__ import annotations

import inspect
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.memory import MemoryBackend
from lab.clock import REAL
from lab.errors import SpecError
from lab.evidence import own
from lab.evidence.ledger import ENOUGH, Outcome, Verdict
from lab.evidence.own import OwnLedger
from lab.evidence.writers import instance, load
from lab.services.entrances import Entrance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDERS = """
class Orders:
    def write(self, http, id):
        return http.post("/orders", data=id)

    def read(self, http):
        return http.get("/orders").json()
"""


class Orders:
    """As a person writes it."""

    def write(self, http: Any, id: str) -> object:  # noqa: A002, ANN401
        return http.post("/orders", data=id)

    def read(self, http: Any) -> object:  # noqa: ANN401
        return http.get("/orders").json()


class App(ThreadingHTTPServer):
    """A program that takes orders; `node` is who it says that it is, in turn."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.kept: list[object] = []
        self.status = 201
        self.nodes, self.turn, self.behind = ["a1"], 0, ""


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: App

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.server.status < 400:
            self.server.kept.append(said)
        self._end(self.server.status, b"")

    def do_GET(self) -> None:
        self.server.turn += 1
        node = self.server.nodes[self.server.turn % len(self.server.nodes)]
        kept = [one for one in self.server.kept if node != self.server.behind or not str(one).endswith("-3")]
        self._end(200, json.dumps(kept).encode(), node)

    def _end(self, status: int, body: bytes, node: str = "") -> None:
        self.send_response(status)
        if node:
            self.send_header("X-Served-By", node)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@pytest.fixture
def app() -> Iterator[App]:
    """It runs."""
    with App() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.shutdown()


def _ledger(app: App, kind: type = Orders, rate: float = 100, nodes: tuple[str, ...] = ("a1",)) -> OwnLedger:
    entrance = Entrance(f"http://orders.localhost:{app.server_address[1]}", "", nodes)
    return OwnLedger(MemoryBackend("x"), instance(kind), entrance, rate)


def test_what_is_kept_holds(app: App) -> None:
    with _ledger(app) as book:
        book.more(ENOUGH + 5)
    (judged,) = book.judge()
    assert (judged.service, judged.verdict) == ("Orders", Verdict.HOLDS), judged.why
    assert judged.counts[Outcome.ACKNOWLEDGED] >= ENOUGH
    assert all(one.answer == "201" for one in book.operations["Orders"])


def test_what_is_forgotten_is_lost_by_its_ids(app: App) -> None:
    with _ledger(app) as book:
        book.more(ENOUGH)
        forgotten = [one for one in app.kept if str(one).startswith(book.run)]
        app.kept.clear()  # as a program does that keeps it in memory, when it is started again
        book.more(ENOUGH)
    (judged,) = book.judge()
    assert judged.verdict is Verdict.LOST
    assert set(forgotten) <= set(judged.ids)


def test_what_is_repeated_is_duplicated_and_what_one_node_lacks_is_stale(app: App) -> None:
    with _ledger(app, nodes=("a1", "a2")) as book:
        app.nodes = ["a1", "a2"]
        book.more(ENOUGH)
    third = f"{book.run}-3"
    app.behind = "a2"
    (judged,) = book.judge()
    assert (judged.verdict, judged.ids) == (Verdict.STALE, (third,))
    app.behind = ""
    app.kept.append(third)
    (judged,) = book.judge()
    assert (judged.verdict, judged.ids) == (Verdict.DUPLICATED, (third,))


def test_a_node_that_answers_late_is_read_all_the_same(app: App) -> None:
    """As one that has just returned: balancers send it few visitors."""
    with _ledger(app, nodes=("a1", "a2")) as book:
        book.more(ENOUGH)
    app.nodes = [*["a1"] * 29, "a2"]
    (judged,) = book.judge()
    assert judged.verdict is Verdict.HOLDS, judged.why
    assert "a2" in judged.replicas


def test_a_node_that_was_not_read_makes_it_unknown(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "REACH_SECONDS", 0.5)
    with _ledger(app, nodes=("a1", "a2")) as book:
        book.more(ENOUGH)
    (judged,) = book.judge()
    assert judged.verdict is Verdict.UNKNOWN
    assert "a2 answered none" in judged.why


def test_what_is_refused_or_fails_is_no_acknowledgement(app: App) -> None:
    with _ledger(app) as book:
        for app.status, wanted in ((409, Outcome.FAILED), (500, Outcome.UNKNOWN)):
            time.sleep(0)
            begun = time.time()

            def later(since: float = begun + 0.05) -> list[Outcome]:
                return [one.outcome for one in book._done if one.invoked > since]  # noqa: SLF001

            said = REAL.until("ten writes that begin since then", 30, later, lambda now: len(now) >= 10)
            assert set(said) == {wanted}


class Unwritten(Orders):
    """It has no luck with its writes."""

    def write(self, http: Any, id: str) -> object:  # noqa: A002, ANN401
        del http
        raise KeyError(id)


class Numbers(Orders):
    """Its ids are numbers."""

    def read(self, http: Any) -> object:  # noqa: ANN401
        del http
        return [1, 2]


class Text(Orders):
    """It gives one text."""

    def read(self, http: Any) -> object:  # noqa: ANN401
        return http.get("/orders").text


class Wrong(Orders):
    """It reads what is not there."""

    def read(self, http: Any) -> object:  # noqa: ANN401
        return http.get("/orders").json()["orders"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Unwritten, "KeyError"),
        (Numbers, "the id 1 of the type int, which is no text"),
        (Text, "a str, no list of ids"),
        (Wrong, "TypeError"),
    ],
)
def test_a_class_with_a_mistake_is_refused_before_anything_is_broken(app: App, kind: type, says: str) -> None:
    with pytest.raises(SpecError, match=says) as refused, _ledger(app, kind):
        pass
    assert "test_own_ledger.py" in str(refused.value)


class Endless(Orders):
    """It reads, and reads."""

    def read(self, http: Any) -> object:  # noqa: ANN401
        while http:
            threading.Event().wait(0.01)
        return []


class Unending(Orders):
    """It writes, and writes."""

    def write(self, http: Any, id: str) -> object:  # noqa: A002, ANN401
        del id
        while http:
            threading.Event().wait(0.01)
        return True


@pytest.mark.parametrize(("kind", "method"), [(Endless, "read"), (Unending, "write")])
def test_a_method_that_never_returns_is_refused_with_its_line(
    app: App, kind: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("READ_SECONDS", 0.3), ("WRITE_PATIENCE", 0.3), ("END_SECONDS", 0.2)):
        monkeypatch.setattr(own, name, seconds)
    with pytest.raises(SpecError, match=f"'{kind.__name__}.{method}' did not return within") as refused:
        _ledger(app, kind).__enter__()
    file, _, line = refused.value.where.partition(", line ")
    assert file == __file__
    begins = inspect.getsourcelines(kind)[1]
    assert begins < int(line) < begins + 10


def test_a_read_that_never_returns_at_the_end_makes_it_unknown(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with _ledger(app) as book:
        book.more(ENOUGH)
    monkeypatch.setattr(own, "READ_SECONDS", 0.3)
    monkeypatch.setattr(own, "END_SECONDS", 0.2)
    monkeypatch.setattr(book, "_writer", Endless())
    (judged,) = book.judge()
    assert judged.verdict is Verdict.UNKNOWN
    assert "did not return within" in judged.why


def test_a_class_is_loaded_from_its_file_and_nothing_is_left_beside_it(tmp_path: Path, app: App) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'x'\n", encoding="utf-8")
    path = tmp_path / "my_orders.py"
    path.write_text(f"import dataclasses\nimport beside\n@dataclasses.dataclass\n{ORDERS.strip()}\n", encoding="utf-8")
    made = load(f"{path}:Orders")
    with _ledger(app, type(made)) as book:
        book.more(1)
    assert {one.name for one in tmp_path.iterdir()} <= {"beside.py", "my_orders.py", "__pycache__"}


@pytest.mark.parametrize(
    ("text", "name", "says", "line"),
    [
        ("class Orders\n    pass", "Orders", "no valid Python: expected ':'", "line 1"),
        ("x = 1\nraise ValueError('no')", "Orders", "ValueError: no", "line 2"),
        ("import nothing_of_this_name", "Orders", "nothing_of_this_name", "line 1"),
        (ORDERS, "Oders", "did you mean 'Orders'?", ""),
        ("class Orders:\n    pass", "Orders", "no method 'write'", ""),
        ("class Orders:\n    def write(self, http, id): pass", "Orders", "no method 'read'", ""),
        (ORDERS.replace("http, id", "id"), "Orders", r"does not take \(self, http, id\)", "line 3"),
        (ORDERS + "    def __init__(self):\n        1 / 0", "Orders", "ZeroDivisionError", "line 9"),
    ],
)
def test_a_file_with_a_mistake(tmp_path: Path, text: str, name: str, says: str, line: str) -> None:
    path = tmp_path / "my_orders.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=says) as refused:
        load(f"{path}:{name}")
    assert refused.value.where.startswith(str(path))
    assert line in refused.value.where


@pytest.mark.parametrize("said", ["my_orders.py", "my_orders.py:", ":Orders", "nowhere.py:Orders"])
def test_no_such_file_or_class(said: str) -> None:
    with pytest.raises(SpecError, match=r"names no class|can't be read") as refused:
        load(said)
    assert "my_orders.py:Orders" in refused.value.next_step
