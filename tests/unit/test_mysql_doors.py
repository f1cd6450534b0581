"""The keeper's door for nodes: who may ask, and what wrong, slow and broken questions cost."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab_node.keeper import doors
from tests.unit.mysql_tls import HOST, Authority, all_of, connected

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

STATE = b'POST /state HTTP/1.1\r\nContent-Length: 12\r\n\r\n{"leads": 3}'
HEAD_BYTES = 4096


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    made.names("mysql1")
    made.used_by_keepers(monkeypatch)
    return made


@pytest.fixture
def door(authority: Authority) -> Iterator[doors.Listener]:
    """Of mysql1, for mysql2; whoever asks from now on is mysql2."""

    def answer(path: str, values: dict[str, Any]) -> doors.Answer:
        if path == "/clone":
            return 200, (piece for piece in (b"one", b"", b"two"))
        return 200, {"path": path, "heard": _heard(**values)}

    made = doors.Listener(0, doors.handler(answer, "POST"), {"mysql2": "10.90.0.52", "mysql3": "10.90.0.53"})
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    authority.names("mysql2")
    yield made
    made.shutdown()
    made.server_close()


def _heard(leads: int = 0, released: int = 0, silence: float = 0) -> list[float]:
    return [leads, released, silence] if silence else [leads, released]


def _said(door: doors.Listener, authority: Authority, *sent: bytes) -> bytes:
    """All that is said to pieces, after which nothing more is sent."""
    with connected(door.server_address[1], authority.asking()) as connection:
        for piece in sent:
            connection.sendall(piece)
        return all_of(connection)


def _goes_on(door: doors.Listener, authority: Authority) -> bool:
    asked = STATE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    return b'"heard": [3, 0]' in _said(door, authority, asked)


def test_an_older_node_asks_by_http_client_on_one_connection(door: doors.Listener, authority: Authority) -> None:
    connection = http.client.HTTPSConnection(HOST, door.server_address[1], timeout=5, context=authority.asking())
    kept = None
    for leads in (1, 1, 2):
        connection.request("POST", "/state", json.dumps({"leads": leads, "released": 0}))
        response = connection.getresponse()
        assert json.loads(response.read()) == {"path": "/state", "heard": [leads, 0]}
        assert kept in (None, connection.sock)
        kept = connection.sock
    connection.request("POST", "/clone", "{}")
    assert connection.getresponse().read() == b"onetwo"
    connection.close()


def test_questions_that_come_together_are_answered_in_order(door: doors.Listener, authority: Authority) -> None:
    other = STATE.replace(b"3", b"4").replace(b"HTTP/1.1", b"HTTP/1.0")
    said = _said(door, authority, STATE + STATE[:30], STATE[30:] + other)
    assert [line for line in said.split(b"\n") if b"heard" in line] == [
        b'{"path": "/state", "heard": [%d, 0]}' % leads for leads in (3, 3, 4)
    ]
    assert said.count(b"Connection: keep-alive") == 2


def test_how_long_an_asker_may_be_read_from_is_told_beside_the_question(
    door: doors.Listener, authority: Authority
) -> None:
    told = STATE.replace(b"\r\n", b"\r\nlab-silence: 20.5\r\nConnection: close\r\n", 1)
    assert b'"heard": [3, 0, 20.5]' in _said(door, authority, told)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET /state HTTP/1.1\r\n\r\n", 405),
        (b"BREW /state HTTP/1.1\r\nContent-Length: x\r\n\r\n", 405),
        (b"POST /state\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"POST /state HTTP/1.1\r\nX: " + HEAD_BYTES * b"a", 431),
        (b"POST /state HTTP/1.1\r\nX: " + HEAD_BYTES * b"a" + b"\r\n\r\n", 431),
        (b"POST /state HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
        (b"POST /state HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /state HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", 400),
        (b"POST /state HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
        (b"POST /state HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST /state HTTP/1.1\r\nContent-Length: " + 99 * b"9" + b"\r\n\r\n", 413),
        (b"POST /state HTTP/1.1\r\nContent-Length: 2\r\n\r\n{]", 400),
        (b'POST /state HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"x": 12}', 400),
        (b"POST /state?x=1 HTTP/1.1\r\n\r\n", 400),
        (b"POST /state HTTP/1.1\r\nLab-Silence: long\r\n\r\n", 400),
        # What is longer than its length is read as another question, and ends the connection.
        (b"POST /state HTTP/1.1\r\nContent-Length: 0\r\n\r\n{}\r\n\r\n", 200),
    ],
)
def test_what_is_wrong_is_refused_and_not_read_on(
    door: doors.Listener, authority: Authority, sent: bytes, code: int
) -> None:
    said = _said(door, authority, sent)
    assert said.startswith(b"HTTP/1.1 %d " % code)
    assert b"Connection: close" in said
    assert _goes_on(door, authority)


def test_a_slow_question_is_not_waited_for(
    door: doors.Listener, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then does not keep the connection, neither in the head nor in the body."""
    monkeypatch.setattr(doors, "REQUEST_SECONDS", 0.4)
    for begin in (b"POST /state HTTP/1.1\r\nX: ", b"POST /state HTTP/1.1\r\nContent-Length: 999\r\n\r\n{"):
        with connected(door.server_address[1], authority.asking()) as connection:
            connection.sendall(begin)
            ended = threading.Event()
            feeding = threading.Thread(target=_feed, args=(connection, ended), daemon=True)
            feeding.start()
            assert all_of(connection) == b""
            ended.set()
            feeding.join()
        assert _goes_on(door, authority)


def _feed(connection: socket.socket, ended: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not ended.wait(0.02):
            connection.sendall(b"a")


@pytest.mark.parametrize("sent", [b"", b"POST /sta", STATE[:-1]])
def test_who_goes_in_the_middle_costs_nothing(door: doors.Listener, authority: Authority, sent: bytes) -> None:
    with connected(door.server_address[1], authority.asking()) as connection:
        connection.sendall(sent)
    assert _goes_on(door, authority)


@pytest.mark.parametrize("node", ["web1", "mysql1", "mysql22"])
def test_a_certificate_of_the_ca_with_another_name_is_not_listened_to(
    door: doors.Listener, authority: Authority, node: str
) -> None:
    authority.names(node)
    assert _said(door, authority, STATE) == b""


def test_a_certificate_of_another_ca_is_refused(door: doors.Listener, tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    other.names("mysql2")
    tls = authority.asking()
    tls.load_cert_chain(other.own)
    said = b""
    with contextlib.suppress(OSError), connected(door.server_address[1], tls) as connection:
        connection.sendall(STATE)
        said = all_of(connection)
    assert said == b""


def test_a_new_certificate_is_shown_and_open_connections_stay(door: doors.Listener, authority: Authority) -> None:
    with connected(door.server_address[1], authority.asking()) as kept:
        kept.sendall(STATE)
        assert b" 200 " in kept.recv(1 << 16)
        authority.names("renewed")
        door.renew()
        authority.names("mysql3")
        with connected(door.server_address[1], authority.asking()) as connection:
            assert "renewed" in doors.names(connection.getpeercert())
        kept.sendall(STATE)
        assert b" 200 " in kept.recv(1 << 16)
