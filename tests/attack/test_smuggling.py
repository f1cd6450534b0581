"""Requests of which two servers might see different ends: what was hidden in one is never taken for another."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attack import h2
from tests.markers import WEB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.testing import LabCluster

PROGRAM = "/var/tmp/speak.py"
SECONDS = 120.0
SILENT_SECONDS = 3.0  # after which no more of an answer comes
PLAIN = "a request as it should be"

END = "0\r\n\r\n"


def _told(*headers: str, line: str = "POST /whoami HTTP/1.1", body: str = "") -> str:
    return "\r\n".join([line, "Host: {host}", *headers]) + "\r\n\r\n" + body + "{hidden}"


# By name: what is sent; {host} is the site, {hidden} the request that nobody may see, {all} its length.
CHUNKED = "Transfer-Encoding: chunked"
FRAMED = {
    "length and chunks": _told("Content-Length: 5", CHUNKED, body=END),
    "chunks and a length of all": _told(CHUNKED, "Content-Length: {all}", body=END),
    "two lengths": _told("Content-Length: 0", "Content-Length: {all}"),
    "a list of lengths": _told("Content-Length: 0, {all}"),
    "a signed length": _told("Content-Length: +0"),
    "chunks, spelt with a tab": _told("Transfer-Encoding:\tchunked", "Content-Length: 5", body=END),
    "chunks, spelt with a space": _told("Transfer-Encoding : chunked", "Content-Length: 5", body=END),
    "chunks of another kind": _told("Transfer-Encoding: xchunked", "Content-Length: 5", body=END),
    "chunks twice": _told(CHUNKED, "Transfer-Encoding: identity", "Content-Length: 5", body=END),
    "a folded header": _told("X: y", f" {CHUNKED}", "Content-Length: {all}"),
    "bare line feeds": "GET /whoami HTTP/1.1\nHost: {host}\nContent-Length: 0\n\n{hidden}",
    "a bare carriage return": _told("X: y\rContent-Length: {all}", line="GET /whoami HTTP/1.1"),
    "a chunk's size with a sign": _told(CHUNKED, body="-0\r\n\r\n"),
    "a chunk's size that overflows": _told(CHUNKED, body="10000000000000000\r\n"),
    "a chunk's end of line feeds": _told(CHUNKED, body="0\n\n"),
    "a body with GET": _told("Content-Length: {all}", line="GET /whoami HTTP/1.1"),
    "chunks in HTTP/1.0": _told(CHUNKED, "Content-Length: 5", line="POST /whoami HTTP/1.0", body=END),
    "a tunnel": _told(line="CONNECT {host}:80 HTTP/1.1"),
    "an upgrade to HTTP/2": _told(
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
        "Connection: Upgrade, HTTP2-Settings",
        line="GET /whoami HTTP/1.1",
    ),
}

# What follows a request on a kept connection is one of the same client's: HAProxy sees it, logs it, and sends it by its
# rules. Smuggled is what a web node answers and HAProxy has not seen.
SPEAK = """
import json, socket, ssl, sys
from concurrent.futures import ThreadPoolExecutor
address, port, seconds, texts = json.loads(sys.argv[1])
trusted = ssl.create_default_context(cafile="/etc/lab/ca.crt")
def heard(text):
    said = b""
    try:
        with socket.create_connection((address, port), 2 * seconds) as door:
            with trusted.wrap_socket(door, server_hostname=address) as inner:
                inner.settimeout(seconds)
                inner.sendall(text.encode("latin-1"))
                while part := inner.recv(65536):
                    said += part
    except OSError:
        pass
    return said.decode("latin-1")
with ThreadPoolExecutor(len(texts)) as pool:
    print(json.dumps(dict(zip(texts, pool.map(heard, texts.values())))))
"""


def _lines(cluster: LabCluster, role: str) -> list[str]:
    """The logs of the nodes of a role."""
    return [line for node in cluster.plan.role(role) for line in cluster.logs(node.name)]


def _seen(cluster: LabCluster, role: str, word: str) -> bool:
    return any(word in line for line in _lines(cluster, role))


def _words(names: Iterable[str]) -> dict[str, str]:
    """A word by name, which is in what is hidden, and in no other request."""
    return {name: f"hidden-{uuid.uuid4().hex[:12]}" for name in names}


def _spoken(cluster: LabCluster, program: str, asked: dict[str, Any]) -> dict[str, str]:
    """What each was answered; the client runs the program."""
    cluster.backend.put("client", {PROGRAM: (program.encode(), 0o644)})
    question = [cluster.host, 443, cluster.clock.limit(SILENT_SECONDS), asked]
    done = cluster.backend.run("client", ["python3", PROGRAM, json.dumps(question)], seconds=SECONDS)
    assert done.ok, done.last_line
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


def _none_smuggled(cluster: LabCluster, words: dict[str, str], answers: dict[str, str]) -> None:
    """What a web node served of the hidden requests, the balancer has seen."""
    last = f"last-{uuid.uuid4().hex[:12]}"
    cluster.ask(f"/whoami?{last}")
    for role in ("http-lb", "web"):
        cluster.until("the last request in the logs", 10, partial(_seen, cluster, role, last))
    logs = {role: _lines(cluster, role) for role in ("http-lb", "web")}
    for name, word in words.items():
        assert not answers[name].startswith("HTTP/1.1 5"), f"{name}: {answers[name]}"
        told, served = (sum(word in line for line in logs[role]) for role in ("http-lb", "web"))
        assert served <= told, f"{name}: a web node was asked {served} times for what the balancer saw {told} times"
        assert "203.0.113.9" not in answers[name], f"{name}: an address that a client claims was believed"


def _hidden(cluster: LabCluster, word: str) -> str:
    return f"GET /whoami?{word} HTTP/1.1\r\nHost: {cluster.host}\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
@pytest.mark.read_only
def test_no_request_is_smuggled_in_another(cluster: LabCluster) -> None:
    cluster.require("http-lb", 1)
    cluster.require("web", 1)
    texts, words = {}, _words(FRAMED)
    for name, framed in FRAMED.items():
        hidden = _hidden(cluster, words[name])
        texts[name] = framed.format(host=cluster.host, hidden=hidden, all=len(hidden))
    answers = _spoken(cluster, SPEAK, texts)
    _none_smuggled(cluster, words, answers)
    refused = [name for name, said in answers.items() if said.startswith("HTTP/1.1 400")]
    assert len(refused) >= len(FRAMED) // 3, f"only {refused} were refused as what they are"


# By name, for HTTP/2: headers beside those of every request, and the data; {hidden} and {all} as above.
OVER_H2: dict[str, tuple[list[tuple[str, str]], str]] = {
    "chunks": ([("transfer-encoding", "chunked")], f"{END}{{hidden}}"),
    "a length of nothing": ([("content-length", "0")], "{hidden}"),
    "a length that is too small": ([("content-length", "4")], "a=b&{hidden}"),
    "a length that is too large": ([("content-length", "9999")], "{hidden}"),
    "two lengths": ([("content-length", "0"), ("content-length", "{all}")], "{hidden}"),
    "a value of several lines": ([("x", "y\r\nTransfer-Encoding: chunked")], f"{END}{{hidden}}"),
    "a value that ends the head": ([("x", "y\r\n\r\n{hidden}")], ""),
    "a value with a line feed": ([("x", "y\nContent-Length: 0")], "{hidden}"),
    "a name of several lines": ([("x: y\r\ncontent-length", "0")], "{hidden}"),
    "a name with a colon": ([("transfer-encoding: chunked\r\nx", "y")], f"{END}{{hidden}}"),
    "a name in capitals": ([("Transfer-Encoding", "chunked")], f"{END}{{hidden}}"),
    "an upgrade": ([("connection", "Upgrade"), ("upgrade", "websocket")], "{hidden}"),
    "a path of several lines": ([(":path", "/whoami HTTP/1.1\r\nHost: {host}\r\n\r\n{hidden}")], ""),
    "a path with a space": ([(":path", "/whoami HTTP/1.1 x")], "{hidden}"),
    "a method of several lines": ([(":method", "GET /whoami?x HTTP/1.1\r\nHost: {host}\r\n\r\nGET")], "{hidden}"),
    "two paths": ([(":path", "/whoami"), (":path", "/healthz")], "{hidden}"),
    "another host": ([("host", "127.0.0.1")], "{hidden}"),
}


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
@pytest.mark.read_only
def test_no_request_is_smuggled_by_http_2(cluster: LabCluster) -> None:
    """Between HTTP/2 and a web node's HTTP/1.1 all framing is the balancer's own."""
    cluster.require("http-lb", 1)
    cluster.require("web", 1)
    asked, words = {}, _words([*OVER_H2, PLAIN])
    for name, word in words.items():
        more, data = OVER_H2.get(name, ([], ""))
        hidden = _hidden(cluster, word)
        own = {":method": "POST", ":scheme": "https", ":authority": cluster.host, ":path": "/whoami"}
        headers = [[key, own[key]] for key in own if key not in dict(more)]
        filled = {"host": cluster.host, "hidden": hidden, "all": len(hidden)}
        headers += [[key.format(**filled), value.format(**filled)] for key, value in more]
        asked[name] = {"headers": headers, "data": data.format(**filled)}
    answers = _spoken(cluster, Path(h2.__file__).read_text(encoding="utf-8"), asked)
    assert "web" in answers[PLAIN], answers[PLAIN]
    _none_smuggled(cluster, words, answers)
    refused = [name for name in OVER_H2 if any(frame in answers[name] for frame in h2.NAMES.values())]
    assert len(refused) >= len(OVER_H2) - 2, f"only {refused} were refused as what they are: {answers}"
