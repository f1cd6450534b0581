"""The keeper's doors for nodes and for root: HTTP that reads no more, and waits no longer, than a question needs."""

from __future__ import annotations

import io
import json
import socket
import socketserver
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .server import CA, TLS
from .status import FROM_ONE_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDLE_SECONDS = 150.0  # of a kept connection; twice the longest interval between two questions
REQUEST_SECONDS = 5.0  # for a handshake, and for a whole question from its first byte on
BODY_BYTES = 1 << 16

Answer = tuple[int, "dict[str, Any] | Iterator[bytes]"]


class Timed(io.RawIOBase):
    """What a connection sends, each read up to a deadline: a byte now and then does not keep it open."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as is there."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("too slow")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """Reads a question, has it answered, and writes the answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet: two would wait for each other on a kept connection
    answer: Callable[[str, dict[str, Any]], Answer]
    methods: tuple[str, ...] = ()

    def setup(self) -> None:
        """Every read has a deadline."""
        super().setup()
        self._timed = Timed(self.connection)
        self.rfile = self._sent = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        """The first byte may take its time, the rest of a question not."""
        self._timed.deadline = time.monotonic() + IDLE_SECONDS
        try:
            self._sent.peek(1)
            self._timed.deadline = time.monotonic() + REQUEST_SECONDS
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def do_GET(self) -> None:
        """Refused, unless it is one of `methods`."""
        self._ask()

    def do_POST(self) -> None:
        """A question of a node, or of the person at this one."""
        self._ask()

    def _ask(self) -> None:
        length = self.headers.get("Content-Length", "0")
        parts = urlsplit(self.path)
        if self.command not in self.methods:
            self._refuse(405, f"{self.command} is not served here")
        elif "Transfer-Encoding" in self.headers:
            self._refuse(411, "a body comes with its length")
        elif not (length.isascii() and length.isdigit()):
            self._refuse(400, "Content-Length is no number")
        elif len(length) > len(str(BODY_BYTES)) or int(length) > (BODY_BYTES if self.command == "POST" else 0):
            self._refuse(413, "the body is too long")
        else:
            try:
                sent = self.rfile.read(int(length))
                values: dict[str, Any] = {key: value[0] for key, value in parse_qs(parts.query).items()}
                values.update(json.loads(sent) if sent.startswith(b"{") else {})
                self.connection.settimeout(IDLE_SECONDS)  # for what is written
                status, answer = type(self).answer(parts.path, values)
            except (TypeError, ValueError) as error:  # values that the question does not have
                self._refuse(400, str(error))
                return
            self._respond(status, answer)

    def _respond(self, status: int, answer: dict[str, Any] | Iterator[bytes]) -> None:
        if isinstance(answer, dict):
            self._write(status, answer)
            return
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, because: str) -> None:
        self.close_connection = True  # what else was sent is not read
        self._write(status, {"error": because})

    def _write(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Balancers ask several times a second."""

    def address_string(self) -> str:
        """No name is looked up."""
        return ""


class Listener(ThreadingHTTPServer):
    """HTTP over TLS on a port, for nodes that show a certificate with one of these names."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, bound: type[Handler], nodes: tuple[str, ...]) -> None:
        self._nodes = set(nodes)
        self.renew()
        self._open: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__(("", port), bound)

    def renew(self) -> None:
        """Takes this node's certificate and those that it trusts as they are now; connections that are open stay."""
        self._tls = _tls()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Not more than a few connections from one address."""
        with self._counting:
            self._open[client_address[0]] += 1
            many = self._open[client_address[0]] > FROM_ONE_ADDRESS
        if many:
            self._left(client_address)
            self.shutdown_request(request)
        else:
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # no thread could be begun
                self._left(client_address)
                raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._left(client_address)

    def _left(self, client_address: Any) -> None:
        with self._counting:
            self._open[client_address[0]] -= 1
            if not self._open[client_address[0]]:
                del self._open[client_address[0]]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """A handshake is of this connection's own thread; who is no node of this role is not listened to."""
        request.settimeout(REQUEST_SECONDS)  # for the handshake as a whole
        request = self._tls.wrap_socket(request, server_side=True)
        if not self._nodes & names(request.getpeercert()):
            request.close()
            return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a connection that ends within a request."""


class LocalListener(socketserver.ThreadingUnixStreamServer):
    """The same on a socket that only root can open."""

    daemon_threads = True
    handle_error = Listener.handle_error


def names(certificate: Any) -> set[str]:
    """The nodes that a certificate is for, without the cluster's domain; all that its CA may sign are of that."""
    alternatives = (certificate or {}).get("subjectAltName", ())
    return {value.partition(".")[0] for kind, value in alternatives if kind == "DNS"}


def handler(answer: Callable[[str, dict[str, Any]], Answer], *methods: str) -> type[Handler]:
    """A handler that has questions answered by a function of their path and their values."""
    return type("Bound", (Handler,), {"answer": staticmethod(answer), "methods": methods})


def _tls() -> ssl.SSLContext:
    """This node's certificate, for those who show one of the cluster's own CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    context.load_verify_locations(CA)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
