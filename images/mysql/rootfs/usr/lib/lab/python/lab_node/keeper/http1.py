"""HTTP/1.1 as far as keepers need it: messages of a kept connection, bounded in bytes and in time.

`http.client` and `http.server` parse heads as electronic mail, which for ten questions a second in each direction was
most of what a keeper took at rest.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

HEAD_BYTES = 4096
PIECE_BYTES = 1 << 14
HEADS = 64  # that are known, each without being parsed again
END = b"\r\n\r\n"
SILENCE = "Lab-Silence"  # of a node that asks, in seconds: a header, since an older node refuses a value unknown to it


class Refused(Exception):
    """A message that is not read on, and the code by which its sender is told."""

    def __init__(self, status: int, because: str = "") -> None:
        super().__init__(because or HTTPStatus(status).phrase.lower())
        self.status = status


@dataclass(frozen=True)
class Head:
    """The words of the first line, and the headers by their names in lower case."""

    words: list[str]
    headers: dict[str, str]
    twice: bool
    """Whether it has two lengths."""

    def length(self, most: int) -> int:
        """Bytes of the body.

        Raises:
            Refused: they are not told, or are too many.
        """
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "a body comes with its length")
        if self.twice or not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        if len(length.lstrip("0")) > len(str(most)) or int(length) > most:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long")
        return int(length)

    def target(self, *methods: str) -> str:
        """What a question with one of these methods is for.

        Raises:
            Refused: it is no question, or has another method.
        """
        if len(self.words) != 3 or not self.words[2].startswith("HTTP/1."):
            raise Refused(HTTPStatus.BAD_REQUEST)
        if self.words[0] not in methods:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{self.words[0]} is not served here")
        return self.words[1]

    @property
    def stays(self) -> bool:
        """Whether its sender keeps the connection."""
        return "HTTP/1.0" not in self.words and self.headers.get("connection", "").lower() != "close"


def parsed(sent: bytes) -> Head:
    """A head, of what stands before the empty line.

    Raises:
        Refused: it is too long.
    """
    if len(sent) > HEAD_BYTES:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return _parsed(sent)


@lru_cache(maxsize=HEADS)
def _parsed(sent: bytes) -> Head:
    first, *rest = sent.decode("latin-1").split("\r\n")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    lengths = [value for name, value in pairs if name == "content-length"]
    return Head(first.split(" "), dict(pairs), twice=len(lengths) > 1)


class Messages:
    """What comes on a connection, message after message; no body is longer than `most` bytes."""

    def __init__(self, connection: socket.socket, most: int) -> None:
        self._connection, self._most = connection, most
        self._received = bytearray()
        self._until = 0.0

    @property
    def ahead(self) -> bool:
        """Whether something came after the last message."""
        return bool(self._received)

    def head(self, wait: float, whole: float) -> Head:
        """The next one: its first byte within `wait` seconds, all of the message within `whole` seconds from then on.

        Raises:
            OSError: nothing more came, or too slowly.
            Refused: it is too long.
        """
        self._connection.settimeout(wait)
        if not self._received:
            self._receive()
        self._until = time.monotonic() + whole
        while END not in self._received and len(self._received) <= HEAD_BYTES:
            self._more()
        sent = bytes(self._received.partition(END)[0])
        del self._received[: len(sent + END)]
        return parsed(sent)

    def body(self, head: Head) -> bytes:
        """What follows a head.

        Raises:
            OSError: it did not come, or too slowly.
            Refused: its length is not told, or is too long.
        """
        length = head.length(self._most)
        while len(self._received) < length:
            self._more()
        body = bytes(self._received[:length])
        del self._received[:length]
        return body

    def _more(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise socket.timeout("too slow")
        self._connection.settimeout(left)
        self._receive()

    def _receive(self) -> None:
        piece = self._connection.recv(PIECE_BYTES)
        if not piece:
            raise ConnectionError("closed")
        self._received += piece


class Answers:
    """Answers in JSON; one that is equal to the last one with its code is not encoded again."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, bool], tuple[dict[str, Any], bytes]] = {}

    def encoded(self, status: int, content: dict[str, Any], *, stays: bool) -> bytes:
        """Head and body."""
        last = self._last.get((status, stays))
        if last is None or last[0] != content:
            body = json.dumps(content).encode() + b"\n"
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if stays else 'close'}\r\n\r\n"
            )
            last = self._last[status, stays] = content, head.encode() + body
        return last[1]
