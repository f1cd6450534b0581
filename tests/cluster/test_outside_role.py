"""A role that is a folder alone (docs/examples/cache): up, balanced, killed and back, changed; on any backend."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends import backend
from lab.lifecycle.down import down
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.testing.plugin import place
from lab.topology import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend
    from lab.topology import Cluster

EXAMPLE = Path(__file__).parents[2] / "docs/examples/cache"
TOPOLOGY = "tcp-lb: {count: 2}\nmemcached: {count: 2, items: 32, connections: %d}\n"  # five domains fit a Xen host
ROLE = "memcached"
OUT_SECONDS = 10


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """A cluster of its own, removed at the end with the role."""
    made = backend(place(request.config), f"labtest-{os.getpid()}-o")
    yield made
    down(made, Silent(), volumes=True)
    assets.use_roles(None)


def _topology(folder: Path, name: str, connections: int = 100) -> Cluster:
    if not folder.exists():
        shutil.copytree(EXAMPLE, folder)
    path = folder / "cluster.yaml"
    path.write_text(TOPOLOGY % connections, encoding="utf-8")
    return load(path, name=name)


def _said(address: str, port: int, request: str) -> str:
    """What memcached answers, by the published port of this machine; nothing where the connection hangs or breaks.

    A domain that was destroyed resets no connection: until the balancer's check is down, one may be led to it.
    """
    try:
        with socket.create_connection((address, port), timeout=5) as asked:
            asked.sendall(f"{request}\r\nquit\r\n".encode())
            answer = b""
            while more := asked.recv(4096):
                answer += more
    except OSError:
        return ""
    return answer.decode()


def _published(engine: Backend) -> tuple[str, int]:
    url = next(entry["url"] for entry in status(engine).endpoints if entry["name"] == ROLE)
    host, _, port = url.removeprefix("memcached://").partition(":")
    return host, int(port)


def test_a_folder_is_a_role(engine: Backend, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    first = up(_topology(folder, engine.cluster), engine, Silent())
    assert {change.node for change in first.changes} >= {"memcached1", "memcached2", "tcp-lb1", "client"}
    seen = status(engine)
    assert seen.ready, [node for node in seen.nodes if not node.ready]
    where = _published(engine)
    assert _said(*where, "set a 0 0 3\r\nabc\r\nget a").startswith("STORED\r\nVALUE a 0 3\r\nabc")

    engine.kill("memcached1")
    engine.clock.until(
        "the balancers to lead to the other node alone",
        OUT_SECONDS,
        lambda: all("STORED" in _said(*where, "set b 0 0 1\r\nx") for _ in range(4)),
    )
    assert not next(node for node in status(engine).nodes if node.name == "memcached1").ready
    again = up(_topology(folder, engine.cluster), engine, Silent())
    assert [(change.kind.value, change.node) for change in again.changes] == [("start", "memcached1")]
    assert status(engine).ready

    changed = up(_topology(folder, engine.cluster, 200), engine, Silent())
    assert {(change.kind.value, change.node) for change in changed.changes} == {
        ("update", "memcached1"),
        ("update", "memcached2"),
    }
    for node in ("memcached1", "memcached2"):
        said = engine.run(node, ["sh", "-c", "tr '\\0' ' ' < /proc/$(pidof memcached)/cmdline"]).stdout
        assert "-c 200" in said, "it was taken into use without a new node"
    assert not up(_topology(folder, engine.cluster, 200), engine, Silent()).changes
