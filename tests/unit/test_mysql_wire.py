"""What a keeper asks: by one connection that is kept, of which nothing that is wrong, slow or cut off is believed."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.keeper import http1, line, wire
from lab_node.keeper.settings import Settings
from tests.unit.mysql_tls import HOST, SECONDS, Authority, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 1.0
NODES = {"mysql1": "10.0.0.1", "mysql2": HOST}
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"one": 1}'
SLOW = [b"HTTP/1.1 200 OK\r\nX: ", *[0.05, b"a"] * 40]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    made.names("mysql2")
    made.used_by_keepers(monkeypatch)
    return made


@contextlib.contextmanager
def _line(node: Scripted, authority: Authority, seconds: float = SECONDS) -> Iterator[line.Line]:
    made = line.Line(HOST, node.port, authority.asking(), seconds)
    try:
        yield made
    finally:
        made.close()
        node.close()


def test_questions_go_by_one_connection(authority: Authority) -> None:
    node = Scripted(authority.answering(), [GOOD], [GOOD[:42], 0.05, GOOD[42:]], [GOOD])
    with _line(node, authority) as asked:
        for _ in range(3):
            assert asked.ask("/state", b'{"leads": 1}', {"X": "1"}) == (200, b'{"one": 1}')
    assert node.connections == 1
    assert node.asked[2] == b'POST /state HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12\r\nX: 1\r\n\r\n{"leads": 1}'


@pytest.mark.parametrize(
    "wrong",
    [
        [b"HTTP/1.1 200 OK\r\nX: " + 5000 * b"a"],
        SLOW,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *[0.05, b"a"] * 40],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 10\r\n\r\n{}"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
        [b"\r\n\r\n"],
        [b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"],
        [GOOD[:45], b""],
        [GOOD[:9], b""],
        [b""],
    ],
)
def test_a_wrong_answer_ends_the_connection_and_the_next_question_makes_another(
    authority: Authority, wrong: list[bytes | float]
) -> None:
    node = Scripted(authority.answering(), [GOOD], wrong, [GOOD])
    with _line(node, authority, 0.4) as asked:
        asked.ask("/state", b"{}", {})
        began = time.monotonic()
        with pytest.raises((OSError, ValueError, http1.Refused)):
            asked.ask("/state", b"{}", {})
        assert time.monotonic() < began + 4 * 0.4
        _answered_again(asked)
    assert node.connections == 2


def _answered_again(asked: line.Line) -> None:
    """A node that was talking still when the connection ended may need a moment."""
    for _ in range(20):
        try:
            assert asked.ask("/state", b"{}", {}) == (200, b'{"one": 1}')
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("it does not connect again")


@pytest.mark.parametrize("last", [GOOD + b"x", GOOD.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)])
def test_after_an_answer_that_ends_the_connection_the_next_question_makes_another(
    authority: Authority, last: bytes
) -> None:
    """What comes after an answer is no answer to the next question."""
    node = Scripted(authority.answering(), [last], [GOOD])
    with _line(node, authority) as asked:
        assert [asked.ask("/state", b"{}", {}) for _ in range(2)] == 2 * [(200, b'{"one": 1}')]
    assert node.connections == 2


def test_who_is_not_at_that_address_by_its_certificate_is_not_asked(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    other.names("mysql2")
    node = Scripted(other.answering(), [GOOD])
    with _line(node, authority) as asked, pytest.raises(OSError, match="certificate verify failed"):
        asked.ask("/state", b"{}", {})
    assert node.asked == []


# -- the states of the others --


def _peers(monkeypatch: pytest.MonkeyPatch, port: int, view: Callable[[dict[str, Any]], Any]) -> wire.Peers:
    monkeypatch.setattr(wire, "QUESTION_PORT", port)
    checks = {"inter": 0.5, "fastinter": 0.1, "timeout": 0.5, "fall": 2}
    settings = Settings("replication", "mysql1", 1, NODES, PATIENCE, 5.0, "", {}, checks)
    return wire.Peers(settings, {"mysql2": HOST}, view, lambda: {"leads": 7, "released": 0})


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_equal_state_is_read_once_and_counts_from_when_it_was_asked_for(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GOOD.replace(b"1}", b"2}")
    node = Scripted(authority.answering(), [GOOD], [GOOD], [0.3, GOOD], [0.3, other], [other])
    read: list[int] = []

    def view(state: dict[str, Any]) -> SimpleNamespace:
        read.append(state["one"])
        return SimpleNamespace(**state)

    peers = _peers(monkeypatch, node.port, view)
    peers.listen()
    _until(lambda: len(node.asked) == 3)
    asked_by = time.monotonic()
    _until(lambda: len(node.asked) == 4)
    ((moment, state),) = peers.answered(7)
    assert moment < asked_by, "the answer took 0.3 s, and counts from before the question"
    assert [state.one, read] == [1, [1]]
    assert peers.answered(8) == []
    _until(lambda: peers.last("mysql2")[1].one == 2)
    assert read == [1, 2]
    assert [one.one for one in peers.states()] == [2]
    _until(lambda: not peers.states())  # it has gone: believed for half a patience
    assert peers.last("mysql2")[1].one == 2
    node.close()


def test_a_node_tells_how_long_it_may_be_read_from(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Scripted(authority.answering(), [GOOD], [GOOD])
    _peers(monkeypatch, node.port, lambda state: SimpleNamespace(**state)).listen()
    _until(lambda: node.asked)
    lines = node.asked[0].decode().split("\r\n")
    silence = max(0.75 * PATIENCE + 0.5 + 0.1, 0.5 + 0.1 + 2 * 0.5) + 2 * 0.1
    assert [float(line.split()[1]) for line in lines if line.startswith("Lab-Silence")] == [pytest.approx(silence)]
    assert json.loads(lines[-1]) == {"leads": 7, "released": 0}, "an older node refuses a value that it does not know"
    node.close()


class OlderNode(BaseHTTPRequestHandler):
    """Answers as keepers did by `http.server`, and refuses a value that it does not know."""

    protocol_version = "HTTP/1.1"
    heard: list[tuple[int, int]]

    def do_POST(self) -> None:
        """A question."""
        values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self._told(**values)
            status = 200
        except TypeError:
            status = 400
        body = json.dumps({"one": len(self.heard)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _told(self, leads: int = 0, released: int = 0) -> None:
        self.heard.append((leads, released))

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_an_older_node_is_asked_on_one_connection(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, int]] = []
    node = ThreadingHTTPServer((HOST, 0), type("Older", (OlderNode,), {"heard": heard}))
    node.daemon_threads = True
    node.socket = cast("Any", authority.answering().wrap_socket(node.socket, server_side=True))
    threading.Thread(target=node.serve_forever, daemon=True).start()
    peers = _peers(monkeypatch, node.server_port, lambda state: SimpleNamespace(**state))
    peers.listen()
    _until(lambda: len(heard) >= 3)
    _until(lambda: peers.last("mysql2")[1].one >= 3)
    assert set(heard) == {(7, 0)}
    node.shutdown()
    node.server_close()
