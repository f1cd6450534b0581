"""The door that balancers knock at, dozens of times a second: HTTP GET, answered by one thread that never waits.

`http.server` takes some 0.6 ms of processor for such a question, which for three nodes and two balancers was most of
what the keepers took at rest.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .http1 import END, HEAD_BYTES, Answers, Refused, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[str, str], "tuple[int, dict[str, Any]]"]

IDLE_SECONDS = 15.0  # until the first byte of a question
REQUEST_SECONDS = 5.0  # from the first byte to the last
FROM_ONE_ADDRESS, AT_ONCE = 32, 512  # connections
SWEEP_SECONDS = 1.0


class Visitor:
    """One connection, and what it has sent so far."""

    def __init__(self, connection: socket.socket, address: str) -> None:
        self.connection, self.address = connection, address
        self.sent = b""
        self.awaited = False  # whether the selector has it: most go without ever being waited for
        self.until = time.monotonic() + IDLE_SECONDS


class Status:
    """Answers questions by a function of their path and the asker's address, which must not wait; port 0 is any."""

    def __init__(self, port: int, answer: Answer) -> None:
        self._answer, self._answers = answer, Answers()
        self._door = socket.create_server(("", port), backlog=128)
        self._door.setblocking(False)
        self.port = self._door.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._inside: set[Visitor] = set()
        self._from: Counter[str] = Counter()

    def serve_forever(self) -> None:
        """Does."""
        swept = time.monotonic()
        while True:
            for key, _ in self._selector.select(SWEEP_SECONDS):
                if key.data is None:
                    self._welcome()
                elif key.data in self._inside:
                    self._hear(key.data)
            now = time.monotonic()
            if now > swept + SWEEP_SECONDS:
                swept = now
                for visitor in [one for one in self._inside if one.until < now]:
                    self._leave(visitor)

    def _welcome(self) -> None:
        try:
            connection, (address, *_) = self._door.accept()
        except OSError:
            return  # gone again
        if self._from[address] >= FROM_ONE_ADDRESS or len(self._inside) >= AT_ONCE:
            connection.close()
            return
        connection.setblocking(False)
        visitor = Visitor(connection, address)
        self._inside.add(visitor)
        self._from[address] += 1
        self._hear(visitor)  # most send their question at once
        if visitor in self._inside:
            visitor.awaited = True
            self._selector.register(connection, selectors.EVENT_READ, visitor)

    def _leave(self, visitor: Visitor) -> None:
        if visitor.awaited:
            self._selector.unregister(visitor.connection)
        visitor.connection.close()
        self._inside.discard(visitor)
        self._from[visitor.address] -= 1
        if not self._from[visitor.address]:
            del self._from[visitor.address]

    def _hear(self, visitor: Visitor) -> None:
        try:
            more = visitor.connection.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self._leave(visitor)
            return
        if not visitor.sent:
            visitor.until = time.monotonic() + REQUEST_SECONDS
        visitor.sent += more
        while END in visitor.sent or len(visitor.sent) > HEAD_BYTES:
            head, _, visitor.sent = visitor.sent.partition(END)
            try:
                status, body, stays = self._replied(head, visitor.address)
            except Exception as error:  # noqa: BLE001  an error of one answer must not end the listener
                print(f"status: {type(error).__name__}: {error}", flush=True)
                status, body, stays = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal"}, False
            if not (self._sent_whole(visitor, status, body, stays=stays) and stays):
                self._leave(visitor)
                return
            visitor.until = time.monotonic() + (REQUEST_SECONDS if visitor.sent else IDLE_SECONDS)

    def _replied(self, head: bytes, address: str) -> tuple[int, dict[str, Any], bool]:
        """The code, the body, and whether the connection stays."""
        try:
            question = parsed(head)
            target = question.target("GET")
            question.length(0)
        except Refused as refused:
            return refused.status, {"error": str(refused)}, False
        status, body = self._answer(target.partition("?")[0], address)
        return status, body, question.stays

    def _sent_whole(self, visitor: Visitor, status: int, content: dict[str, Any], *, stays: bool) -> bool:
        """Whether all of the answer was sent at once; a client that does not read gets none."""
        answer = self._answers.encoded(status, content, stays=stays)
        try:
            # The last one goes with the end of the connection, in one packet.
            return visitor.connection.send(answer, 0 if stays else socket.MSG_MORE) == len(answer)
        except OSError:
            return False
