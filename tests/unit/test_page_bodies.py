"""Bodies that a person's browser does not send: the live page answers each, and reads none further than it has to."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lab.page.routes import BODY_BYTES
from tests.pages import TOKENS

if TYPE_CHECKING:
    from tests.pages import Served

pytestmark = pytest.mark.slow("a page is served and asked until it gives up")

SECONDS = 10.0
HEAD = (
    "POST /heal HTTP/1.1\r\nHost: {host}\r\nX-Lab-Page: 1\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\n{framed}\r\n\r\n"
)


def _answer(page: Served, framed: str, body: bytes) -> str:
    """The first line of the answer to a request whose body does not end."""
    head = HEAD.format(host=f"127.0.0.1:{page.port}", token=TOKENS.change, framed=framed)
    with socket.create_connection(("127.0.0.1", page.port), SECONDS) as door:
        door.sendall(head.encode() + body)
        return door.recv(1000).decode().partition("\r\n")[0]


@pytest.mark.parametrize(
    ("framed", "body"),
    [
        ("Content-Length: 9000000000", b"x" * (BODY_BYTES + 1)),
        ("Transfer-Encoding: chunked", b"2711\r\n" + b"x" * 0x2711 + b"\r\n"),
    ],
    ids=["length", "chunks"],
)
def test_a_body_that_is_too_long_is_refused_before_its_end(page: Served, framed: str, body: bytes) -> None:
    assert _answer(page, framed, body) == "HTTP/1.1 413 Request Entity Too Large"


NO_OBJECTS = (b"{", b"[]", b"7", b'"x"', b"\xff\xfe", b"[" * 9000, b'{"a":' * 1500, b"null", b"\x00")


def test_bodies_that_are_no_objects_are_refused(page: Served) -> None:
    taken = []
    for body in NO_OBJECTS:
        answer, is_served = _answer(page, f"Content-Length: {len(body)}", body), page.get("/state").ok
        if answer != "HTTP/1.1 400 Bad Request" or not is_served:
            taken.append(f"{body[:9]!r}: {answer}; the page is served: {is_served}")
    assert not taken, "\n".join(taken)
