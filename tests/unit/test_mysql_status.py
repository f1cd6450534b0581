"""The keeper's status door: what balancers ask is answered, and nobody can make it wait or hold anything."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from lab_node.keeper import status

GOOD = b"GET /primary HTTP/1.0\r\n\r\n"
LIMIT = 5.0


@pytest.fixture
def door() -> status.Status:
    def answer(path: str, address: str) -> tuple[int, dict[str, Any]]:
        return (200 if path == "/primary" else 503), {"path": path, "asker": address}

    made = status.Status(0, answer)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def _connected(door: status.Status) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=LIMIT)


def _asked(door: status.Status, *pieces: bytes) -> bytes:
    with _connected(door) as connection:
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        while more := connection.recv(4096):
            said += more
        return said


def test_a_balancers_question_is_answered_and_the_connection_ends(door: status.Status) -> None:
    head, _, body = _asked(door, GOOD).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body) == {"path": "/primary", "asker": "127.0.0.1"}
    assert _asked(door, b"GET /re", b"plica?x=1 HTTP/1.0\r", b"\n\r\n").startswith(b"HTTP/1.1 503 ")


def test_a_kept_connection_is_asked_again_also_before_the_first_answer(door: status.Status) -> None:
    kept = b"GET /primary HTTP/1.1\r\nHost: x\r\n\r\n"
    said = _asked(door, kept + kept, kept, GOOD)
    assert said.count(b"HTTP/1.1 200 OK") == 4
    assert said.count(b"keep-alive") == 3


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"POST /primary HTTP/1.1\r\n\r\n", 405),
        (b"HEAD /primary HTTP/1.1\r\n\r\n", 405),
        (b"GET /primary HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /primary HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", 400),
        (b"GET /primary HTTP/1.1\r\ncontent-length: 1\r\n\r\n", 413),
        (b"GET /primary HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200),
        (b"GET /primary HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /primary\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\xff\xfe\x00 / HTTP/1.1\r\n\r\n", 405),
        (b"GET /" + 5000 * b"a", 431),
    ],
)
def test_anything_else_is_refused_and_not_read_on(door: status.Status, sent: bytes, code: int) -> None:
    assert _asked(door, sent).startswith(b"HTTP/1.1 %d " % code)
    assert _asked(door, GOOD).startswith(b"HTTP/1.1 200 ")


def test_who_is_slow_or_silent_is_left_and_holds_nobody_up(
    door: status.Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(status, "IDLE_SECONDS", 0.6)
    monkeypatch.setattr(status, "SWEEP_SECONDS", 0.05)
    assert _asked(door, GOOD)  # it wakes, and looks as often as is said now
    begun = time.monotonic()
    with _connected(door) as slow, _connected(door) as silent:
        slow.sendall(b"GET /pri")
        assert _asked(door, GOOD).startswith(b"HTTP/1.1 200 ")
        assert slow.recv(1) == b""
        assert time.monotonic() > begun + 0.2
        assert silent.recv(1) == b""
        assert time.monotonic() > begun + 0.5


def test_one_address_gets_a_bounded_number_of_connections_and_they_become_free(door: status.Status) -> None:
    open_ones = [_connected(door) for _ in range(status.FROM_ONE_ADDRESS)]
    try:
        with _connected(door) as one_more:
            one_more.settimeout(LIMIT)
            assert one_more.recv(1) == b"", "it is closed at once"
    finally:
        for one in open_ones:
            one.close()
    deadline = time.monotonic() + LIMIT
    while b" 200 " not in _asked_or_refused(door):
        assert time.monotonic() < deadline, "closed connections are counted still"


def _asked_or_refused(door: status.Status) -> bytes:
    try:
        return _asked(door, GOOD)
    except ConnectionError:
        return b""
