"""The Xen backend from create to remove, on a host that only remembers, as xl and xenstore do by `xen/verbs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import State
from lab.backends.optional import consoles, endpoints, logs
from lab.backends.xen import domain, host
from lab.backends.xen.backend import XenBackend
from lab.backends.xen.settings import Xen
from lab.backends.xen.ssh import Completed, Link
from lab.clock import REAL
from lab.errors import BackendError, SpecError
from lab.plan import Plan, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.plan.model import Publish
    from lab.topology import Cluster

HEAD = "Name   ID   Mem VCPUs\tState\tTime(s)   UUID   Reason-Code\n"
PRINTED = b"Linux version 6.1\r\nsupervisor | started\r\nkernel: eth0 up\r\nhttpd | GET /\r\n"


class Remembering:
    """A host (dom0) that does nothing but remember."""

    store = "/store"
    cluster = "golden"

    def __init__(self) -> None:
        self.link = Link("ssh://dom0", ("root@dom0",), REAL)
        self.metadata: dict[str, str] = {}
        self.alive: dict[str, str] = {}
        self.asked: list[tuple[str, ...]] = []

    def do(self, verb: str, *arguments: str | int, **_: object) -> str:
        """A verb of the whole host."""
        self.asked.append((verb, *map(str, arguments)))
        if verb != "observe":
            return ""
        rows = [
            f"golden-{node}  3  256  1  {letters}  1.4 {domain.identity('golden', node)} -\n"
            for node, letters in self.alive.items()
        ]
        return HEAD + "".join(rows) + "data\n---\n" + "".join(f"{line}\n" for line in self.metadata.values())

    def ask(self, verb: str, *arguments: str | int, node: str = "", uuid: str = "", **_: object) -> Completed:
        """A verb on one node."""
        self.asked.append((verb, node))
        assert uuid == domain.identity("golden", node)
        if verb == "create":
            self.metadata[node] = str(arguments[1])
        elif verb == "start":
            self.metadata[node], self.alive[node] = str(arguments[4]), "-b----"
        elif verb == "pause":
            self.alive[node] = "--p---"
        elif verb in ("stop", "kill"):
            self.alive.pop(node, None)
        elif verb == "remove":
            self.alive.pop(node, None)
            self.metadata.pop(node)
        return Completed(0, PRINTED if verb == "console" else b"", b"")


@pytest.fixture
def dom0(monkeypatch: pytest.MonkeyPatch) -> Remembering:
    """The host, to which all ways lead."""
    made = Remembering()
    monkeypatch.setattr(host, "find", lambda *_: (made, REAL))
    facts = host.Facts("4.17", 2, 4096, 4096, keeps_consoles=True, routes=())
    monkeypatch.setattr(host, "facts", lambda _: facts)
    return made


@pytest.fixture
def forwarded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Publish]]]:
    """The ways that were made from ports of this machine."""
    found: list[tuple[str, Sequence[Publish]]] = []
    monkeypatch.setattr(host, "forward", lambda _, address, publish: found.append((address, publish)))
    return found


@pytest.fixture
def made(full: Cluster) -> Plan:
    """The plan of the web tier."""
    return plan(full, "debian")


@pytest.fixture
def xen(dom0: Remembering, made: Plan) -> XenBackend:
    """The backend, with `web1` and `client` created."""
    backend = XenBackend("golden", Xen(memory=300))
    backend._disks = {node.image: f"{node.role}-1.ext4" for node in made.nodes}  # noqa: SLF001  no engine made them
    for name in ("web1", "client"):
        backend.create(made, made.node(name), {"/etc/lab/x": (b"content", 0o644)})
    assert [verb for verb, *_ in dom0.asked].count("network") == 1
    return backend


def test_a_node_from_create_to_remove(
    xen: XenBackend, made: Plan, forwarded: list[tuple[str, Sequence[Publish]]]
) -> None:
    assert {node.name: node.state for node in xen.observe().nodes} == {"client": State.CREATED, "web1": State.CREATED}
    for name in ("web1", "client"):
        xen.start(name)
    assert [address for address, _ in forwarded] == [made.node("client").address], "of the node that has ports alone"
    seen = xen.observe()
    assert all(node.state is State.RUNNING for node in seen.nodes)
    web1 = seen.node("web1")
    assert web1
    assert web1.fixed == made.node("web1").fixed, "so that it is left alone"
    assert web1.limits
    assert web1.limits.memory == 300
    assert (seen.vip, seen.family, seen.network, seen.data) == ("10.90.0.100", "debian", "10.90.0.0/24", True)
    xen.pause("web1")
    assert xen.observe().node("web1").state is State.PAUSED  # type: ignore[union-attr]
    xen.stop("web1")
    assert xen.observe().node("web1").state is State.STOPPED  # type: ignore[union-attr]
    xen.remove("web1")
    assert xen.observe().node("web1") is None
    with pytest.raises(BackendError, match="web1"):
        xen.start("web1")


def test_published_ports_lead_to_the_node_that_has_them(
    xen: XenBackend, made: Plan, forwarded: list[tuple[str, Sequence[Publish]]]
) -> None:
    (site, *_) = made.node("client").publish
    with pytest.raises(BackendError, match="client, which holds the published ports, is not running"):
        endpoints(xen).endpoint(site.port)
    xen.start("client")
    assert endpoints(xen).endpoint(site.port) == f"127.0.0.1:{site.host_port}"
    assert forwarded[-1] == (made.node("client").address, made.node("client").publish)
    with pytest.raises(SpecError, match="port 4 is not published"):
        endpoints(xen).endpoint(4)


def test_the_log_is_what_of_the_console_the_services_printed(xen: XenBackend) -> None:
    assert list(logs(xen).logs("web1")) == ["supervisor | started", "httpd | GET /"]
    assert list(logs(xen).logs("web1", tail=1)) == ["httpd | GET /"]
    assert list(logs(xen).logs("web1", tail=0)) == []
    assert list(consoles(xen).console("web1", tail=2)) == ["kernel: eth0 up", "httpd | GET /"]
    assert len(list(consoles(xen).console("web1"))) == 4


def test_what_an_earlier_version_wrote_is_read(xen: XenBackend, dom0: Remembering) -> None:
    """Without limits, memory and the time of a stop; with a key that is not known any more."""
    kept = json.loads(dom0.metadata["web1"])
    del kept["fixed"]["limits"], kept["memory"], kept["stop"]
    kept["former"] = kept["fixed"]["former"] = "x"
    dom0.metadata["web1"] = json.dumps(kept)
    found = xen.observe().node("web1")
    assert found
    assert found.limits is None
    assert found.fixed.others == {"former": "x"}
    assert found.fixed.unlike(found.fixed) == []
    xen.stop("web1")
    assert ("stop", "web1") in dom0.asked
