"""Requests that are wrong in every way, at each listener whose program is the lab's own: all go on serving."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attack import fuzz

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.read_only

FIT = {"501", "505"}  # what is said of an unknown method and version
PROGRAM = "/var/tmp/fuzz.py"
SECONDS = 1800.0
PATIENCE = 15.0  # seconds for an answer: longer than any listener waits for a request to be whole
AT_ONCE = 8  # under TLS, where a question that has no end is waited for; a keeper takes 32 connections of one address
ROOM = 40 * 1024  # KiB that a keeper may have grown by afterwards
MANY = pytest.param(3000, marks=pytest.mark.nightly("thousands of requests: five minutes"))
AMOUNT = pytest.mark.parametrize("count", [150, MANY])


def _fuzzed(cluster: LabCluster, node: str, count: int, address: str, port: int, **more: Any) -> dict[str, int]:
    """The answers by status."""
    told: dict[str, Any] = {
        "seed": count,
        "count": count,
        "address": address,
        "port": port,
        "server": address,
        "ca": "",
        "own": "",
        "patience": cluster.clock.limit(PATIENCE),
        "at_once": 1,
    }
    cluster.backend.put(node, {PROGRAM: (Path(fuzz.__file__).read_bytes(), 0o644)})
    done = cluster.backend.run(node, ["python3", PROGRAM, json.dumps(told | more)], seconds=SECONDS)
    assert done.ok, done.last_line
    said: dict[str, int] = json.loads(done.stdout)
    assert sum(said.values()) == count
    assert not said.get("waiting"), f"no answer within {told['patience']:.0f} s: {said}"
    return said


@AMOUNT
def test_the_guest_book(cluster: LabCluster, count: int) -> None:
    """Asked on a web node itself: what HAProxy refuses never comes so far."""
    web = cluster.plan.node(cluster.require("web", 1)[0])
    before = sum(1 for _ in cluster.logs(web.name))
    paths = ["/", "/api/posts", "/whoami", "/healthz", "/uploads/x", "/slow", "/api/posts/1"]
    said = _fuzzed(
        cluster, "client", count, web.address, 80, paths=paths, methods=["GET", "POST", "HEAD", "PUT", "DELETE"]
    )
    assert not [status for status in said if status.startswith("5") and status not in FIT], said
    since = islice(cluster.logs(web.name), before, None)
    errors = [line for line in since if "PHP Fatal" in line or "PHP Warning" in line]
    assert errors == []
    assert cluster.run("client", f"curl -sf http://{web.address}/healthz").ok


@AMOUNT
@pytest.mark.parametrize("inside", [False, True], ids=["stranger", "node"])
def test_a_keeper(cluster: LabCluster, count: int, *, inside: bool) -> None:
    """Its port for the balancers, from anywhere; and that of the nodes, with a node's own certificate."""
    first, second, *_ = cluster.require("mysql", 2)
    asked = cluster.plan.node(first)
    process = "pgrep -of lab_node.keeper"
    size = f"awk '/VmRSS/ {{ print $2 }}' /proc/$({process})/status"
    before = cluster.run(first, f"{process}; {size}").stdout.split()
    paths = ["/role", "/primary", "/replica", "/state", "/vote", "/nothing"]
    own: dict[str, Any] = {"ca": "/etc/lab/ca.crt", "own": "/etc/lab/mysql.pem", "at_once": AT_ONCE} if inside else {}
    node, port = (second, 9105) if inside else ("client", 9104)
    said = _fuzzed(cluster, node, count, asked.address, port, paths=paths, methods=["GET", "POST"], **own)
    assert not [status for status in said if status.startswith("5") and status not in FIT], said
    after = cluster.run(first, f"{process}; {size}").stdout.split()
    assert after[0] == before[0], "the keeper was started anew"
    assert int(after[1]) - int(before[1]) < ROOM, f"{before[1]} KiB before, {after[1]} KiB after"
    assert cluster.run("client", f"curl -sf http://{asked.address}:9104/role").ok
