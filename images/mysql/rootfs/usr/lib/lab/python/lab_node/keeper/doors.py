"""The keeper's doors for nodes and for root: HTTP that reads no more, and waits no longer, than a question needs."""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socketserver
import ssl
import threading
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .http1 import SILENCE, Answers, Head, Messages, Refused
from .server import CA, TLS
from .status import FROM_ONE_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

IDLE_SECONDS = 150.0  # of a kept connection; twice the longest interval between two questions
REQUEST_SECONDS = 5.0  # for a handshake, and for a whole question from its first byte on
BODY_BYTES = 1 << 16
STRANGERS = 64  # connections at once from addresses that are no node's; with the nodes' far below the process limit
STOP_POLL_SECONDS = 600.0  # `socketserver` looks so often whether it is to end, which is never asked for here

Answer = tuple[int, "dict[str, Any] | Generator[bytes, None, None]"]
"""A code, and JSON or pieces; an empty piece says that nothing has come for a while."""


class Handler(socketserver.BaseRequestHandler):
    """Reads questions, has them answered, and writes the answers.

    Attributes:
        stalled: seconds after which a node that takes no more of an answer is given up.
    """

    answer: Callable[[str, dict[str, Any]], Answer]
    methods: tuple[str, ...] = ()
    stalled = REQUEST_SECONDS

    def setup(self) -> None:
        """Every read has a deadline."""
        self._messages = Messages(self.request, BODY_BYTES)
        self._answers = Answers()

    def handle(self) -> None:
        """Question after question. The first byte of one may take its time, the rest not."""
        try:
            while self._served():
                pass
        except (OSError, ValueError):
            return  # it has gone, or is too slow

    def _served(self) -> bool:
        """Whether the connection stays."""
        try:
            head = self._messages.head(IDLE_SECONDS, REQUEST_SECONDS)
            path, values = self._question(head)
            self.request.settimeout(self.stalled)  # for what is written
            status, answer = type(self).answer(path, values)
            first = b"" if isinstance(answer, dict) else self._first(answer)
        except Refused as refused:
            return self._refuse(refused.status, str(refused))
        except (TypeError, ValueError) as error:  # values that the question does not have
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        if isinstance(answer, dict):
            self.request.sendall(self._answers.encoded(status, answer, stays=head.stays))
        else:
            self._stream(status, first, answer)
        return head.stays

    def _question(self, head: Head) -> tuple[str, dict[str, Any]]:
        parts = urlsplit(head.target(*self.methods))
        sent = self._messages.body(head)
        values: dict[str, Any] = {key: value[0] for key, value in parse_qs(parts.query).items()}
        values.update(json.loads(sent) if sent.startswith(b"{") else {})
        if (silence := head.headers.get(SILENCE.lower())) is not None:
            values["silence"] = float(silence)
        return parts.path, values

    @staticmethod
    def _first(pieces: Generator[bytes, None, None]) -> bytes:
        """The first piece; nothing has been sent yet, so that an error can still be told.

        Raises:
            Refused: the answer broke off before it.
        """
        try:
            return next(pieces, b"")
        except OSError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error

    def _stream(self, status: int, first: bytes, rest: Generator[bytes, None, None]) -> None:
        with contextlib.closing(rest):
            self.request.sendall(b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
            for piece in itertools.chain([first], rest):
                if piece:
                    self.request.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                elif self._readable():  # a client sends nothing during an answer: it has closed the connection
                    raise ConnectionError("the node that asked has gone")
            self.request.sendall(b"0\r\n\r\n")

    def _readable(self) -> bool:
        readable = select.poll()
        readable.register(self.request, select.POLLIN)
        return bool(readable.poll(0))

    def _refuse(self, status: int, because: str) -> bool:
        """What else was sent is not read."""
        self.request.sendall(self._answers.encoded(status, {"error": because}, stays=False))
        return False


class Listener(socketserver.ThreadingTCPServer):
    """HTTP over TLS on a port, for nodes that show a certificate with one of some names.

    Each connection has a thread of its own. Their number is bounded for each address, and for all addresses that are no
    node's together: hosts without a certificate can't keep a node out.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, bound: type[Handler], nodes: Mapping[str, str]) -> None:
        """`nodes`: addresses by name."""
        self._nodes, self._addresses = set(nodes), set(nodes.values())
        self.renew()
        self._open: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__(("", port), bound)

    def renew(self) -> None:
        """Takes this node's certificate and those that it trusts as they are now; connections that are open stay."""
        self._tls = _tls()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Not more than a few connections from one address, and from all addresses that are no node's."""
        address = client_address[0]
        with self._counting:
            self._open[address] += 1
            strangers = sum(count for of, count in self._open.items() if of not in self._addresses)
            stranger = address not in self._addresses
            many = self._open[address] > FROM_ONE_ADDRESS or (stranger and strangers > STRANGERS)
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
        with self._tls.wrap_socket(request, server_side=True) as inside:
            if self._nodes & names(inside.getpeercert()):
                super().finish_request(inside, client_address)

    def serve_forever(self, poll_interval: float = STOP_POLL_SECONDS) -> None:
        """Accepts connections."""
        super().serve_forever(poll_interval)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a connection that ends within a request."""


class LocalListener(socketserver.ThreadingUnixStreamServer):
    """The same on a socket that only root can open."""

    daemon_threads = True

    def serve_forever(self, poll_interval: float = STOP_POLL_SECONDS) -> None:
        """Accepts connections."""
        super().serve_forever(poll_interval)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a connection that ends within a question."""


def names(certificate: Any) -> set[str]:
    """The nodes that a certificate is for, without the cluster's domain; all that its CA may sign are of that."""
    alternatives = (certificate or {}).get("subjectAltName", ())
    return {value.partition(".")[0] for kind, value in alternatives if kind == "DNS"}


def handler(
    answer: Callable[[str, dict[str, Any]], Answer], *methods: str, stalled: float = REQUEST_SECONDS
) -> type[Handler]:
    """A handler that has questions answered by a function of their path and their values."""
    return type("Bound", (Handler,), {"answer": staticmethod(answer), "methods": methods, "stalled": stalled})


def _tls() -> ssl.SSLContext:
    """This node's certificate, for those who show one of the cluster's own CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    context.load_verify_locations(CA)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
