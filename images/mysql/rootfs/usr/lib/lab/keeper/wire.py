"""What the nodes say to each other: a state that anybody may read, and questions behind TLS and the cluster's token."""

from __future__ import annotations

import hmac
import http.client
import json
import socketserver
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import rules
from server import CA, TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settings import Settings

STATE_PORT, QUESTION_PORT = 9104, 9105
CONTROL = "/run/lab/keeper.sock"
QUESTION_SECONDS = 15.0
IDLE_SECONDS = 150.0  # of a kept connection; twice the longest interval between two questions
CHUNK = 1 << 18


def view(said: dict[str, Any]) -> rules.View:
    """A node's state, as it says it."""
    wanted = {key: said[key] for key in ("name", "promised", "position", "member", "epoch")}
    history = tuple((epoch, after) for epoch, after in said["history"])
    return rules.View(**wanted, role=rules.Role(said["role"]), history=history)


class Peers:
    """The other nodes: what each said last, and questions to them."""

    def __init__(self, settings: Settings, view: Callable[[dict[str, Any]], Any]) -> None:
        self._view = view
        self._others, self._token = settings.others, settings.token
        self._interval = settings.interval
        self._seconds = settings.patience / 2  # for an answer, and how long what was said is believed
        self._pool = ThreadPoolExecutor(max(1, 2 * len(self._others)))
        self._tls = ssl.create_default_context(cafile=CA)
        self._said: dict[str, tuple[Any, float]] = {}
        for name, address in self._others.items():
            threading.Thread(target=self._listen, args=(name, address), daemon=True).start()

    def _listen(self, name: str, address: str) -> None:
        connection = http.client.HTTPConnection(address, STATE_PORT, timeout=self._seconds)
        while True:
            self._said[name] = (self._state(connection), time.monotonic())
            time.sleep(self._interval)

    def states(self) -> list[Any]:
        """What those said just now who could be asked; waits until each was asked once."""
        while len(self._said) < len(self._others):
            time.sleep(0.05)
        oldest = time.monotonic() - self._seconds
        return [said for said, when in list(self._said.values()) if said and when > oldest]

    def _state(self, connection: http.client.HTTPConnection) -> Any:
        try:
            connection.request("GET", "/state")
            return self._view(json.loads(connection.getresponse().read()))
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            connection.close()  # the next question makes it anew
            return None

    def ask_all(
        self, path: str, enough: Callable[[list[dict[str, Any]]], bool], **values: object
    ) -> list[dict[str, Any]]:
        """The answers of the others, until they are enough: one that hangs holds nobody up."""
        answers: list[dict[str, Any]] = []
        for one in as_completed([self._pool.submit(self.ask, name, path, **values) for name in self._others]):
            answer = one.result()
            if answer is not None:
                answers.append(answer)
            if enough(answers):
                break
        return answers

    def ask(self, name: str, path: str, **values: object) -> dict[str, Any] | None:
        """One node's answer, or None."""
        try:
            response = self._question(name, path, values)
            return dict(json.loads(response.read())) if response.status == http.client.OK else None
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def stream(self, name: str, path: str) -> Iterator[bytes]:
        """A long answer in pieces.

        Raises:
            OSError: there is none, or it broke off.
        """
        try:
            response = self._question(name, path, {})
            if response.status != http.client.OK:
                raise OSError(response.read().decode(errors="replace") or f"{name} says {response.status}")
            while piece := response.read(CHUNK):
                yield piece
        except http.client.HTTPException as error:
            raise OSError(f"{name} broke off: {error}") from None

    def _question(self, name: str, path: str, values: dict[str, object]) -> http.client.HTTPResponse:
        # By its name, which is what its certificate is for.
        connection = http.client.HTTPSConnection(name, QUESTION_PORT, timeout=self._seconds, context=self._tls)
        connection.connect()
        connection.sock.settimeout(QUESTION_SECONDS)
        connection.request("POST", path, json.dumps(values), {"Authorization": self._token})
        return connection.getresponse()


Answer = tuple[int, "dict[str, Any] | Iterator[bytes]"]


class Handler(BaseHTTPRequestHandler):
    """Reads a question, has it answered, and writes the answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet: two would wait for each other on a kept connection
    answer: Callable[[str, dict[str, Any]], Answer]
    token = ""

    def do_GET(self) -> None:
        """A question whose values are in its address."""
        parts = urlsplit(self.path)
        self._respond(parts.path, {key: value[0] for key, value in parse_qs(parts.query).items()})

    def do_POST(self) -> None:
        """A question of a node, or of the person at this one."""
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not hmac.compare_digest(self.headers.get("Authorization") or "", self.token):
            self._write(403, {"error": "the token is not this cluster's"})
            return
        parts = urlsplit(self.path)
        given = {key: value[0] for key, value in parse_qs(parts.query).items()}
        self._respond(parts.path, given | (json.loads(sent) if sent.startswith(b"{") else {}))

    def _respond(self, path: str, values: dict[str, Any]) -> None:
        status, answer = type(self).answer(path, values)
        if isinstance(answer, dict):
            self._write(status, answer)
            return
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

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
    """HTTP on a port, with TLS where a certificate is named."""

    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the question's own thread: a slow handshake holds nobody up."""
        request.settimeout(IDLE_SECONDS)
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up in the middle is of no interest."""


class LocalListener(socketserver.ThreadingUnixStreamServer):
    """The same on a socket that only root can open."""

    daemon_threads = True
    handle_error = Listener.handle_error


def handler(answer: Callable[[str, dict[str, Any]], Answer], token: str = "") -> type[Handler]:
    """A handler that has questions answered by a function of their path and values."""
    return type("Bound", (Handler,), {"answer": staticmethod(answer), "token": token})


def tls() -> ssl.SSLContext:
    """This node's certificate, for those who ask it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS)
    return context
