"""A WebSocket client (RFC 6455) for short texts, by a site's published port, as a browser of this machine."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from lab.evidence.visitor import Visitor

SECONDS = 10.0


class WebSocket:
    """A connection; a context manager."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        where = urlsplit(visitor.base)
        context = ssl.create_default_context(cafile=str(visitor.verify))
        raw = socket.create_connection(("127.0.0.1", where.port or 443), SECONDS)
        self.door = context.wrap_socket(raw, server_hostname=where.hostname)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {where.netloc}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
        self.door.sendall("\r\n".join(lines).encode())
        self.answer = b""
        while not self.answer.endswith(b"\r\n\r\n"):
            got = self.door.recv(1)
            if not got:
                break
            self.answer += got

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.door.close()

    def ask(self, text: str) -> str:
        """Sends a text of at most 125 bytes and returns the one that comes back; empty where the connection ended."""
        sent, mask = text.encode(), os.urandom(4)
        masked = bytes(one ^ mask[at % 4] for at, one in enumerate(sent))
        try:
            self.door.sendall(struct.pack("!BB", 0x81, 0x80 | len(sent)) + mask + masked)
            head = self._exactly(2)
            return self._exactly(head[1]).decode() if head else ""
        except OSError:
            return ""

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.door.recv(count - len(found))
            if not more:
                return b""
            found += more
        return found
