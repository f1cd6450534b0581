"""Certificates of a cluster's own CA for keepers, and raw conversations over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

HOST = "127.0.0.1"
SECONDS = 5.0


class Authority:
    """A CA, and the certificate of one node at a time in the place where keepers look for theirs."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.root, self.own = folder / "ca.crt", folder / "mysql.pem"
        self._ca.cert_pem.write_to_path(str(self.root))

    def names(self, node: str) -> None:
        """From now on the certificate is of this node."""
        self._ca.issue_cert(f"{node}.example.test", HOST).private_key_and_cert_chain_pem.write_to_path(str(self.own))

    def used_by_keepers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both sides read it."""
        for module in ("doors", "wire"):
            monkeypatch.setattr(f"lab_node.keeper.{module}.CA", self.root)
            monkeypatch.setattr(f"lab_node.keeper.{module}.TLS", self.own)

    def asking(self) -> ssl.SSLContext:
        """Of who asks with the present certificate."""
        context = ssl.create_default_context(cafile=str(self.root))
        context.load_cert_chain(self.own)
        return context

    def answering(self) -> ssl.SSLContext:
        """Of who answers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.own)
        return context


@contextlib.contextmanager
def connected(port: int, tls: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection to a keeper."""
    with (
        socket.create_connection((HOST, port), timeout=SECONDS) as plain,
        tls.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        yield connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    said = b""
    with contextlib.suppress(OSError):
        while more := connection.recv(1 << 16):
            said += more
    return said


class Scripted:
    """A node that gives to each question the next of some answers, in pieces, whatever is asked; then closes.

    A float among the pieces is a pause in seconds; after an empty piece the connection ends.
    """

    def __init__(self, tls: ssl.SSLContext, *answers: list[bytes | float]) -> None:
        self._tls, self._answers = tls, list(answers)
        self.asked: list[bytes] = []
        self.connections = 0
        self._ended = threading.Event()
        self._door = socket.create_server((HOST, 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._door:
            while self._answers:
                plain, _ = self._door.accept()
                self.connections += 1
                with contextlib.suppress(OSError), plain, self._tls.wrap_socket(plain, server_side=True) as connection:
                    self._converse(connection)

    def _converse(self, connection: ssl.SSLSocket) -> None:
        while (question := connection.recv(1 << 16)) and self._answers:
            self.asked.append(question)
            if not self._said(connection, self._answers.pop(0)):
                return

    def close(self) -> None:
        """Ends it, also where not all was asked."""
        self._answers.clear()
        self._ended.set()
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, self.port), timeout=SECONDS).close()
        self._thread.join(SECONDS)

    def _said(self, connection: ssl.SSLSocket, pieces: list[bytes | float]) -> bool:
        for piece in pieces:
            if isinstance(piece, float):
                self._ended.wait(piece)
            elif piece:
                connection.sendall(piece)
            else:
                return False
        return True
