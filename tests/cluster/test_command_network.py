"""The command and the network: ports and subnets that are taken, and a network that was removed."""

from __future__ import annotations

import os
import socket
import subprocess
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from tests import free
from tests.cluster.person import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.testing import LabCluster
    from tests.cluster.person import Person

POSTS = "http://web1/api/posts"


def test_a_taken_port_is_named_and_nothing_is_made(person: Person) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = person.lab("up", "--port", f"site={port}", code=2)
    assert f"port {port}" in said
    assert "--port site=NUMBER" in said
    assert not person.nodes()


def test_a_subnet_in_use_is_refused_and_nothing_is_made(person: Person, cluster: LabCluster) -> None:
    taken = cluster.plan.network.cidr
    (person.folder / "cluster.yaml").write_text(f"network: {taken}\n{SMALL}", encoding="utf-8")
    said = person.lab("up", code=2)
    assert f"collides with {taken}" in said
    assert not person.nodes()


@pytest.mark.nightly("two changes of a cluster; at every change the unit suite, and a subnet that a VPN took")
def test_a_subnet_of_ones_own_is_kept(person: Person) -> None:
    """The second time the subnet is in use: by the cluster itself, as a network and as a route."""
    first, second = free.networks(person.backend, 2)
    (person.folder / "cluster.yaml").write_text(f"network: {first}\n{SMALL}", encoding="utf-8")
    person.lab("up")
    assert "nothing to change" in person.lab("up")
    assert str(first[101]) in person.lab("status")
    (person.folder / "cluster.yaml").write_text(f"network: {second}\n{SMALL}", encoding="utf-8")
    assert "3 recreated" in person.lab("up")
    assert str(second[101]) in person.lab("status")


def test_ipvs_is_refused_by_name_where_the_kernel_has_none(person: Person) -> None:
    if "ip_vs" in person.backend.capabilities().kernel:
        pytest.skip("this kernel has ip_vs")
    (person.folder / "cluster.yaml").write_text(f"{SMALL}tcp-lb: {{engine: ipvs}}\n", encoding="utf-8")
    assert "has no 'ip_vs'" in person.lab("up", code=2)
    assert not person.nodes()


def test_a_network_that_was_removed_is_made_again_and_data_stays(person: Person) -> None:
    """As after a restart of the machine, with everything stopped, and a prune of what nobody used then."""
    if person.backend.name != "docker":
        pytest.skip("on Xen a bridge is no object that others prune")
    person.lab("up")
    person.ask(POSTS, "--form-string", "message=kept")
    person.lab("kill", *person.nodes())
    subprocess.run(["docker", "network", "rm", f"lab-{person.backend.cluster}"], check=True, capture_output=True)
    assert "its network was removed" in person.lab("plan")
    person.lab("up")
    assert "kept" in person.ask(POSTS)
    assert "nothing to change" in person.lab("up")


@pytest.fixture
def vpn(request: pytest.FixtureRequest) -> Iterator[Callable[[IPv4Network], str]]:
    """Routes a network into a tunnel of this machine; returns the tunnel's name."""
    if request.config.getoption("--backend") != "docker":
        pytest.skip("the network's routes are this machine's")
    if os.geteuid() != 0:
        pytest.skip("a route is made by root")
    name = f"labvpn{os.getpid()}"

    def take(network: IPv4Network) -> str:
        for argv in (["tuntap", "add", "dev", name, "mode", "tun"], ["link", "set", name, "up"]):
            subprocess.run(["ip", *argv], check=True)
        subprocess.run(["ip", "route", "add", str(network), "dev", name], check=True)
        return name

    yield take
    subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


def test_a_subnet_that_a_vpn_took_is_left_and_data_stays(person: Person, vpn: Callable[[IPv4Network], str]) -> None:
    person.lab("up")
    person.ask(POSTS, "--form-string", "message=kept")
    before = person.backend.observe().network
    assert before
    taken = next(IPv4Network(before).subnets(prefixlen_diff=1))
    name = vpn(taken)
    moved = f"({before} collides with {taken}, a route of this machine ({name}))"
    assert moved in person.lab("plan")
    assert moved in person.lab("up")
    assert person.backend.observe().network != before
    assert "kept" in person.ask(POSTS)
    assert "nothing to change" in person.lab("up")
