"""A line to another node: one question at a time, over a connection that is kept."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from .http1 import END, Messages

if TYPE_CHECKING:
    import ssl

ANSWER_BYTES = 1 << 20


class Line:
    """Connects for the first question, and for the next one after any error; `seconds`: for each step of that."""

    def __init__(self, address: str, port: int, tls: ssl.SSLContext, seconds: float) -> None:
        self._address, self._tls, self._seconds = (address, port), tls, seconds
        self._connection: ssl.SSLSocket | None = None
        self._messages: Messages | None = None

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The code and the body of the answer.

        Raises:
            OSError: there is none.
            ValueError: it can't be understood.
            http1.Refused: it is too long, or of unknown length.
        """
        whole = False
        try:
            if self._connection is None or self._messages is None:
                self._connection = self._connected()
                self._messages = Messages(self._connection, ANSWER_BYTES)
            fields = {"Host": self._address[0], "Content-Length": str(len(body)), **headers}
            lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
            self._connection.settimeout(self._seconds)
            self._connection.sendall("\r\n".join(lines).encode() + END + body)
            answer = self._messages.head(self._seconds, self._seconds)
            _, status, *_ = answer.words
            content = int(status), self._messages.body(answer)
            whole = answer.stays and not self._messages.ahead
            return content
        finally:
            if not whole:
                self.close()

    def close(self) -> None:
        """The next question connects again."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = self._messages = None

    def _connected(self) -> ssl.SSLSocket:
        connection = socket.create_connection(self._address, timeout=self._seconds)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(connection, server_hostname=self._address[0])
        except BaseException:
            connection.close()
            raise
