"""How an HTTP balancer leaves: the order of what it says and asks, against servers that answer as HAProxy does."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab_node import drain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRICS = """\
haproxy_server_status{{proxy="http",server="http-lb1",state="DOWN"}} {down}
haproxy_server_status{{proxy="http",server="http-lb1",state="UP"}} {up}
haproxy_server_status{{proxy="http",server="http-lb2",state="UP"}} 1
"""
STAT = "# pxname,svname,qcur,qmax,scur,smax\nsite,FRONTEND,,,9,9\nweb,web1,0,0,{0},1\nweb,BACKEND,0,0,{0},1\n"


class Haproxy:
    """The admin socket of this balancer: what it was told, and how many questions are being answered."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.answering = [2, 1, 0]
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._door.accept()
            with connection:
                command = connection.recv(4096).decode().strip()
                self.told.append(command)
                if command == "show stat":
                    now = self.answering.pop(0) if len(self.answering) > 1 else self.answering[0]
                    connection.sendall(STAT.format(now).encode())


@pytest.fixture
def haproxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Haproxy:
    monkeypatch.setattr(drain, "ADMIN", str(tmp_path / "admin.sock"))
    return Haproxy(tmp_path / "admin.sock")


@pytest.fixture
def balancer(haproxy: Haproxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A TCP balancer that leads here for two questions more."""
    asked = [1, 1, 0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            up = asked.pop(0) if len(asked) > 1 else asked[0]
            haproxy.told.append(f"leads here: {up}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(METRICS.format(up=up, down=1 - up).encode())

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setattr(drain, "STATUS_PORT", server.server_port)
    monkeypatch.setattr(drain, "ASKING_SECONDS", 5.0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "127.0.0.1"
    server.shutdown()
    server.server_close()


def _plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *balancers: str) -> None:
    path = tmp_path / "drain.json"
    path.write_text(json.dumps({"name": "http-lb1", "balancers": balancers, "seconds": 20}))
    monkeypatch.setattr(drain, "PLAN", path)


def test_nobody_is_led_here_before_the_door_is_closed_and_all_is_answered_before_the_end(
    haproxy: Haproxy, balancer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plan(tmp_path, monkeypatch, balancer)
    drain.main()
    assert haproxy.told == [
        "disable server staying/here",
        *("leads here: 1", "leads here: 1", "leads here: 0"),
        "shutdown frontend site",
        *("show stat", "show stat", "show stat"),
    ]


def test_a_balancer_that_does_not_answer_leads_nobody_here(
    haproxy: Haproxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        monkeypatch.setattr(drain, "STATUS_PORT", gone.getsockname()[1])
    _plan(tmp_path, monkeypatch, "127.0.0.1")
    drain.main()
    assert haproxy.told[:2] == ["disable server staying/here", "shutdown frontend site"]


def test_where_haproxy_has_ended_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drain, "ADMIN", str(tmp_path / "nothing.sock"))
    _plan(tmp_path, monkeypatch, "127.0.0.1")
    drain.main()
    assert "HAProxy does not answer" in capsys.readouterr().out


def test_a_wait_ends_with_its_time() -> None:
    asked: list[float] = []

    def never() -> bool:
        asked.append(time.monotonic())
        return False

    drain.until(never, 0.1)
    assert len(asked) > 1
    assert asked[-2] - asked[0] <= 0.1
