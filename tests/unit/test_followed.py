"""A followed log ends when it is told to, and leaves no connection to the engine open."""

from __future__ import annotations

import contextlib
import gc
import http.server
import socketserver
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from docker.types.daemon import CancellableStream

from lab import engine
from lab.backends.docker.backend import DockerBackend
from lab.backends.followed import Followed
from lab.errors import BackendError
from lab.page.listening import LogFollower
from tests.descriptors import sockets
from tests.unit.live_page import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow("logs are followed in their own times, and cycles searched for")

LINE = b"haproxy | 10.90.0.81:4000 site site/web1 0/0/0/1/1 200 120\n"
OWN = "followed"  # nodes of these tests alone: pages of others may follow logs in this process
FRAME = struct.pack(">BxxxL", 1, len(LINE)) + LINE


class Engine(http.server.BaseHTTPRequestHandler):
    """As much of an engine as a followed log asks for: its log has one line, and goes on without another."""

    protocol_version = "HTTP/1.1"
    following, followed = 0, False
    lock = threading.Lock()

    def address_string(self) -> str:
        """A socket of a file has no address."""
        return ""

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        if "golden-gone/json" in self.path:
            self._answer(404, b'{"message": "No such container"}')
            return
        if "/logs?" not in self.path:
            self._answer(200, b'{"ApiVersion": "1.41", "Config": {"Tty": false}}')
            return
        self.followed = True
        self._follow(1)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(FRAME), FRAME))
        self.connection.recv(1)  # until the other side has gone
        self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # the other side has gone
            super().finish()
        self.connection.close()
        if self.followed:
            self._follow(-1)

    @classmethod
    def _follow(cls, more: int) -> None:
        with cls.lock:
            cls.following += more


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """On a socket of a file, as the engine's."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Says nothing of a reader that has gone."""


@contextmanager
def _served(path: Path) -> Iterator[None]:
    with Server(str(path), Engine) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield
        server.shutdown()


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerBackend]:
    """A cluster on that engine."""
    monkeypatch.setattr(Engine, "following", 0)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'engine.sock'}")
    with _served(tmp_path / "engine.sock"):
        made = DockerBackend("golden")
        yield made
        made.api.close()


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """What only a search for cycles would close stays open."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _settled() -> int:
    """The sockets of this process, the engine's own side included, once the engine has seen all logs end."""
    until("the logs to end", lambda: not Engine.following)
    return sockets()


def _end(lines: Iterator[str]) -> None:
    """Reads on until the end."""
    for _ in lines:
        pass


@pytest.mark.usefixtures("_uncollected")
def test_a_followed_log_ends_while_another_thread_waits_for_its_next_line(backend: DockerBackend) -> None:
    opened = []
    for _ in range(4):
        lines = backend.logs("web1", follow=True)
        assert isinstance(lines, Followed)
        assert next(lines) == LINE.decode().rstrip()
        reader = threading.Thread(target=_end, args=(lines,))
        reader.start()
        time.sleep(0.1)
        assert reader.is_alive(), "it waits for a second line"
        lines.close()
        reader.join(5)
        assert not reader.is_alive()
        lines.close()  # once more
        opened.append(_settled())
    assert opened[-1] <= opened[0], opened


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("read", [0, 1])
def test_a_followed_log_that_nobody_reads_on_is_closed(backend: DockerBackend, read: int) -> None:
    opened = []
    for _ in range(4):
        lines = backend.logs("web1", follow=True)
        for _ in range(read):
            next(lines)
        del lines
        opened.append(_settled())
    assert opened[-1] <= opened[0], opened


@pytest.mark.usefixtures("_uncollected")
def test_a_log_of_a_node_that_has_just_gone_leaves_nothing_open(backend: DockerBackend) -> None:
    """As while a cluster is removed under its live page."""
    opened = []
    for _ in range(6):
        with pytest.raises(BackendError, match="No such container"):
            next(backend.logs("gone", follow=True))
        opened.append(_settled())
    assert opened[-1] <= opened[1], opened


@pytest.mark.usefixtures("_uncollected")
def test_followers_of_logs_end_at_once_and_hear_no_line_twice(backend: DockerBackend) -> None:
    listener, opened = LogFollower(backend), []
    for _ in range(4):
        listener.want([f"{OWN}1", f"{OWN}2"])
        until("both to be followed", lambda: Engine.following == 2)
        listener.want([f"{OWN}1"])
        until("one of them", lambda: Engine.following == 1)
        listener.want([])
        until("none", lambda: not Engine.following and not _followers())
        opened.append(_settled())
    assert opened[-1] <= opened[1], opened  # the second time is the first at which connections are kept
    assert listener.requests() == {f"{OWN}1": {"web1": 1}, f"{OWN}2": {"web1": 1}}
    listener.want([f"{OWN}1", f"{OWN}2"])
    listener.end()
    assert not _followers()


@pytest.mark.usefixtures("_uncollected")
def test_many_threads_may_say_what_is_followed(backend: DockerBackend) -> None:
    """Those of the page's buttons do, beside its collector."""
    listener, nodes = LogFollower(backend), [f"{OWN}{number}" for number in range(8)]

    def say() -> None:
        for number in range(30):
            listener.want(nodes[: (number * 5) % 9])

    threads = [threading.Thread(target=say) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listener.want(nodes)
    until("one follower of each", lambda: sorted(one.name for one in _followers()) == [f"page log {n}" for n in nodes])
    listener.end()
    assert not _followers()


def _followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"page log {OWN}")]


if TYPE_CHECKING:
    Stream = CancellableStream[bytes]
else:
    Stream = CancellableStream  # which has no parameters when it runs


class Pipe(Stream):
    """By ssh a stream is a pipe, in which docker-py finds no socket."""

    def close(self) -> None:
        raise UnboundLocalError("sock")


def test_a_stream_that_has_no_socket_ends_with_its_next_line() -> None:
    stream = Pipe(iter([b"the next line"]), None)  # type: ignore[arg-type]
    assert engine.ended(stream) is False
    engine.released(stream)
    assert list(stream) == [b"the next line"], "it was not waited for"
