"""A registry of the tests' own on this machine, from which an image is told and can't be had whole."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}}
).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": SCHEMA,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": _digest(CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": 1 << 20,
                "digest": f"sha256:{'1' * 64}",
            }
        ],
    }
).encode()


class _Registry(BaseHTTPRequestHandler):
    """Any image's manifest and configuration; its only layer is unknown, or never comes while `ended` is not set."""

    ended: threading.Event | None = None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/v2/":
            self._answer(200, b"{}", "application/json")
        elif "/manifests/" in self.path:
            self._answer(200, MANIFEST, SCHEMA)
        elif self.path.endswith(_digest(CONFIG)):
            self._answer(200, CONFIG, "application/octet-stream")
        elif self.ended:
            self.ended.wait()
        else:
            self._answer(404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}', "application/json")

    def _answer(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", _digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the engine tells what it was told."""


@contextmanager
def without_layers(*, stalls: bool = False) -> Iterator[str]:
    """The name of an image whose pull begins and can't end: it is refused midway, or stalls."""
    ended = threading.Event()
    kind = type("Registry", (_Registry,), {"ended": ended if stalls else None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}/base:9"  # an engine speaks HTTP to this machine
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
