"""Subnets, ports and names: free ones are chosen, taken ones are named."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities, Existing, Observed, State
from lab.backends.memory import MemoryBackend
from lab.errors import HostError, Taken
from lab.lifecycle import resolve
from lab.lifecycle.reconcile import Kind
from lab.lifecycle.up import up
from lab.plan import plan
from lab.plan.model import Fixed, Publish
from lab.progress import Silent
from lab.topology import Cluster, parse
from tests.unit import conftest
from tests.unit.backends import Stepped
from tests.unit.conftest import TAKEN

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from lab.plan import NodePlan, Plan


def test_a_free_subnet_is_found_and_a_taken_one_refused() -> None:
    taken = Capabilities("memory", subnets={"10.90.0.0/23": "the Docker network other"})
    cluster = parse("web:\n")
    made = resolve.places(cluster, MemoryBackend("x").observe(), taken)
    assert str(made.network) == "10.90.2.0/24"
    with pytest.raises(HostError, match=r"10.90.1.0/24 collides with 10.90.0.0/23, the Docker network other"):
        resolve.places(parse("network: 10.90.1.0/24\nweb:"), MemoryBackend("x").observe(), taken)
    all_taken = Capabilities("memory", subnets={"10.90.0.0/16": "a route"})
    with pytest.raises(HostError, match="no subnet"):
        resolve.places(cluster, MemoryBackend("x").observe(), all_taken)


def test_a_subnet_of_which_a_part_was_taken_is_left_and_a_wider_route_does_no_harm() -> None:
    existing, chosen, tunnel = Existing(network="10.90.1.0/24"), parse("web:\n"), "a route of this machine (tun0)"
    vpn = Capabilities("memory", subnets={"10.90.1.128/25": tunnel})
    wide = Capabilities("memory", subnets={"10.0.0.0/8": tunnel})
    network = Capabilities("memory", subnets={"10.90.0.0/16": "the Docker network other"})
    assert str(resolve.places(chosen, existing, vpn).network) == "10.90.0.0/24"
    assert resolve.subnet_conflict(existing, vpn) == f"10.90.1.0/24 collides with 10.90.1.128/25, {tunnel}"
    assert str(resolve.places(chosen, existing, wide).network) == "10.90.1.0/24"
    assert not resolve.subnet_conflict(existing, wide)
    own = parse("network: 10.90.1.0/24\nweb:")
    assert str(resolve.places(own, existing, wide).network) == "10.90.1.0/24"
    with pytest.raises(HostError, match="the Docker network other"):
        resolve.places(own, existing, network)
    with pytest.raises(HostError, match=r"collides with 10\.90\.1\.128/25"):
        resolve.places(own, existing, vpn)


def test_ports_are_kept_usual_or_free_and_a_taken_one_is_named(full: Cluster, memory: MemoryBackend) -> None:
    nowhere = Capabilities("memory")
    made = resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()
    assert made["site"] == 8443
    assert isinstance(made["site-http"], int)
    assert made["site-http"] not in TAKEN, "the usual one is taken"
    up(full, memory, Silent())
    assert resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()["site-http"] == 8081, (
        "it stays"
    )
    memory.kill("client")
    TAKEN.add(8081)
    try:
        moved = resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()["site-http"]
    finally:
        TAKEN.remove(8081)
    assert moved not in (8080, 8081), "somebody else took it while the client was down"
    with pytest.raises(HostError, match=r"port 9999 of 127.0.0.1, requested for 'site', is in use") as caught:
        resolve.places(parse("web:\nports: {site: 9999}"), memory.observe(), nowhere)
    assert "--port site=NUMBER" in caught.value.next_step
    assert (
        resolve.places(parse("web:\nports: {site: 'off'}"), memory.observe(), nowhere).ports.by_name()["site"] == "off"
    )


def test_ports_of_an_engine_elsewhere_are_those_that_it_publishes() -> None:
    elsewhere = Capabilities("far", published=frozenset({8443, 9000}))
    made = resolve.places(parse("web:\nhttp-lb:"), Existing(), elsewhere).ports.by_name()
    assert made["site-http"] == 8080, "what this machine has taken is in nobody's way there"
    assert isinstance(made["site"], int)
    assert made["site"] not in (8443, 9000)
    with pytest.raises(HostError, match="port 9000 of the engine's machine, requested for 'site', is in use"):
        resolve.places(parse("web:\nports: {site: 9000}"), Existing(), elsewhere)


def test_no_two_names_get_one_port() -> None:
    """One that was asked for may be the usual one of another."""
    nowhere = Capabilities("memory")
    made = resolve.places(parse("web:\nhttp-lb:\nports: {stats: 8443}"), Existing(), nowhere).ports.by_name()
    assert made["stats"] == 8443
    assert made["site"] != 8443
    client = Fixed("client", "client", "image", "10.90.0.81", publish=(Publish("site", 8443, 443),))
    held = Existing((Observed(client, State.STOPPED),))
    moved = resolve.places(parse("web:\nhttp-lb:\nports: {stats: 8443}"), held, nowhere).ports.by_name()
    assert (moved["stats"], moved["site"] == 8443) == (8443, False)
    with pytest.raises(HostError, match="port 9443 is requested for 'stats' and for another name"):
        resolve.places(parse("web:\nhttp-lb:\nports: {site: 9443, stats: 9443}"), Existing(), nowhere)


def test_what_has_the_clusters_names_and_is_not_the_labs_is_named(full: Cluster) -> None:
    made = plan(full, "debian")
    for name, what in {"": "the network lab-golden", "web1": "the container golden-web1"}.items():
        with pytest.raises(HostError, match=f"{what} already exists and is not the lab's") as caught:
            resolve.admit(made, Capabilities("memory", foreign={name: what}))
        assert "--name" in caught.value.next_step
    resolve.admit(made, Capabilities("memory", foreign={"web99": "the container golden-web99"}))


def test_a_port_that_the_engine_can_not_publish_is_refused_and_one_that_this_user_can_not_bind_is_not() -> None:
    rootless = Capabilities("Docker without root", least_port=1024)
    with pytest.raises(HostError, match="Docker without root cannot publish port 81, requested for 'site'") as caught:
        resolve.places(parse("web:\nports: {site: 81}"), Existing(), rootless)
    assert "from 1024 on" in caught.value.next_step
    assert (
        resolve.places(parse("web:\nports: {site: 81}"), Existing(), Capabilities("Docker")).ports.by_name()["site"]
        == 81
    )


@pytest.mark.parametrize(("number", "there"), [(errno.EADDRINUSE, False), (errno.EACCES, True), (errno.EPERM, True)])
def test_a_port_that_somebody_has_is_not_free_and_one_that_only_the_engine_may_bind_is(
    monkeypatch: pytest.MonkeyPatch, number: int, *, there: bool
) -> None:
    def refuse(_: socket.socket, __: object) -> None:
        raise OSError(number, os.strerror(number))

    assert conftest.REAL_FREE(0)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert conftest.REAL_FREE(443) is there
    assert conftest.REAL_FREE(443, {443}) is False
    assert conftest.REAL_FREE(443, {80}) is True


class Held(MemoryBackend):
    """An engine that refuses ports that nobody is seen to have, as for a moment after a container that had them."""

    def __init__(self, held: Container[int]) -> None:
        super().__init__("golden")
        self.held = held
        self.refused = 0

    def start(self, node: str) -> None:
        ports = [entry.host_port for made in self.observe().nodes if made.name == node for entry in made.fixed.publish]
        if any(port in self.held for port in ports):
            self.refused += 1
            raise Taken(f"starting {node}: a port is in use", where=node, next_step="--port NAME=NUMBER")
        super().start(node)


def test_a_port_that_the_engine_refuses_is_chosen_anew_though_it_looks_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "free", lambda *_: True)
    backend, heard = Held({8080}), Stepped()
    prepared = up(parse("name: golden\nweb: {count: 1}\n"), backend, heard)
    assert backend.refused == 1
    assert "refused: starting client: a port is in use" in heard.steps["client"]
    assert not [text for steps in heard.steps.values() for text in steps if "failed" in text], "the command succeeds"
    assert all(entry.host_port != 8080 for node in prepared.plan.nodes for entry in node.publish)
    assert up(parse("name: golden\nweb: {count: 1}\n"), backend, Silent()).changes == [], "it keeps what it got"


def test_requested_ports_that_the_engine_refuses_are_no_choice() -> None:
    names = parse("web:").ports.by_name()
    asked = ", ".join(f"{name}: {8100 + place}" for place, name in enumerate(names))
    backend = Held(range(8100, 8200))
    with pytest.raises(Taken):
        up(parse(f"name: golden\nweb: {{count: 1}}\nports: {{{asked}}}\n"), backend, Silent())
    assert backend.refused == 1


def test_what_the_engine_can_not_do_is_refused_by_name(full: Cluster) -> None:
    made = replace(plan(full, "debian"), needs=("ip_vs",))
    with pytest.raises(HostError, match="no 'ip_vs'"):
        resolve.admit(made, Capabilities("memory"))
    resolve.admit(made, Capabilities("memory", kernel=frozenset({"ip_vs"})))


class Raced(MemoryBackend):
    """An engine on which others are quicker, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__("golden")
        self.times = times

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        if self.times:
            self.times -= 1
            raise Taken(f"creating {node.name}: another network has the subnet", where="network")
        super().create(plan, node, files)


class Late(MemoryBackend):
    """The port of the client, which is started last, was taken meanwhile."""

    taken = True

    def start(self, node: str) -> None:
        if self.taken and node == "client":
            self.taken = False
            raise Taken("starting client: a port is taken")
        super().start(node)


def test_what_several_attempts_did_is_told_as_one() -> None:
    """The first one made nodes, the second one found them."""
    backend = Late("golden")
    changes = up(parse("name: golden\nweb: {count: 2}\n"), backend, Silent()).changes
    assert {(change.kind, change.node) for change in changes} == {(Kind.CREATE, n) for n in ("web1", "web2", "client")}


def test_what_an_earlier_attempt_started_or_created_again_is_told_too() -> None:
    """As far as it came: the last one keeps these nodes."""
    backend, cluster = Late("golden"), parse("name: golden\nweb: {count: 3}\n")
    up(cluster, backend, Silent())
    backend.kill("web1")
    for node in ("web2", "client"):
        backend.forget(node)
    backend.done.clear()
    backend.taken = True
    changes = {change.node: change.kind for change in up(cluster, backend, Silent()).changes}
    assert [backend.done.count(f"start {node}") for node in ("web1", "web2", "web3", "client")] == [1, 1, 0, 1]
    assert changes == {"web1": Kind.START, "web2": Kind.RECREATE, "client": Kind.RECREATE}


def test_random_ports_differ_from_those_that_were_asked_for() -> None:
    far = Capabilities("far", published=frozenset({8080}))
    taken = parse("web:\nhttp-lb:\nports: {site: 20000, stats: 20001}")
    for _ in range(20):
        ports = [
            port for port in resolve.places(taken, Existing(), far).ports.by_name().values() if isinstance(port, int)
        ]
        assert len(ports) == len(set(ports))


def test_what_was_taken_meanwhile_is_chosen_again_and_not_for_ever() -> None:
    one = parse("name: golden\nweb: {count: 1}\n")
    assert {node.name for node in up(one, Raced(3), Silent()).plan.nodes} == {"client", "web1"}
    with pytest.raises(Taken, match="another network has the subnet"):
        up(one, Raced(1000), Silent())
