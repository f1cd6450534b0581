"""From a cluster to a plan: addresses, files, endpoints, pictures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import SpecError
from lab.export.graph import FORMATS, svg
from lab.lifecycle.resolve import offline
from lab.plan import MANIFEST, plan
from lab.plan.addresses import addresses
from lab.plan.model import Fixed
from lab.topology import Cluster, find, load, parse
from tests.unit.conftest import FULL

if TYPE_CHECKING:
    from ipaddress import IPv4Network


def test_nodes_addresses_and_the_vip(full: Cluster) -> None:
    made = plan(full, "debian")
    assert {node.name: node.address for node in made.nodes} == {
        "web1": "10.90.0.101",
        "web2": "10.90.0.102",
        "web3": "10.90.0.103",
        "http-lb1": "10.90.0.21",
        "http-lb2": "10.90.0.22",
        "tcp-lb1": "10.90.0.11",
        "tcp-lb2": "10.90.0.12",
        "client": "10.90.0.81",
    }
    assert made.vip == made.entry == "10.90.0.100"
    assert made.endpoints[0].url == "https://localhost:8443/"


@given(web=st.integers(1, 150), http=st.integers(1, 9), tcp=st.integers(1, 9))
def test_addresses_are_different_inside_and_stay_when_the_cluster_grows(web: int, http: int, tcp: int) -> None:
    text = f"network: 10.90.0.0/24\nweb: {{count: {web}}}\nhttp-lb: {{count: {http}}}\ntcp-lb: {{count: {tcp}}}"
    found = addresses(parse(text))
    assert len(set(found.values())) == len(found) == web + http + tcp + 1
    smaller = addresses(parse("network: 10.90.0.0/24\nweb: {count: 1}\nhttp-lb: {count: 1}\ntcp-lb: {count: 1}"))
    assert smaller.items() <= found.items()


REFUSED = {
    "too many": ("web: {count: 151}", "151 nodes are more than the 150 addresses"),
    "too small a network": ("network: 10.90.0.0/26\nweb:", "the network 10.90.0.0/26 is too small"),
    "used twice": ("web:\nnodes: {web1: {address: 10.90.0.102}}", "10.90.0.102 is used twice: by web1 and by web2"),
    "the VIP's": ("web:\nhttp-lb:\ntcp-lb:\nnodes: {web1: {address: 10.90.0.100}}", "by the VIP and by web1"),
    "the engine's": ("web:\nnodes: {web1: {address: 10.90.0.1}}", "by the engine's gateway and by web1"),
    "outside": ("web:\nnodes: {web1: {address: 10.1.1.1}}", "web1: 10.1.1.1 is outside the network"),
    "the broadcast address": ("web:\nnodes: {web1: {address: 10.90.0.255}}", "is not an address for a node"),
    "no such node": ("web:\nnodes: {wbe1: {address: 10.90.0.9}}", "'wbe1' under 'nodes' is no node"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_addresses_that_do_not_work_out(text: str, said: str) -> None:
    text = text if "network:" in text else f"network: 10.90.0.0/24\n{text}"
    with pytest.raises(SpecError, match=said):
        addresses(parse(text))


def test_an_address_of_ones_own(full: Cluster) -> None:
    made = parse(FULL + "nodes: {web2: {address: 10.90.0.200}}")
    assert plan(made, "debian").node("web2").address == "10.90.0.200"
    assert "10.90.0.200:80" in _file(made, "http-lb1", "haproxy.cfg")
    assert plan(full, "debian").node("web2").address == "10.90.0.102"


def _file(cluster: Cluster, node: str, name: str) -> str:
    return next(file.masked for file in plan(cluster, "debian").node(node).files if file.path.endswith(name))


def test_without_tcp_balancers_nobody_speaks_the_proxy_protocol() -> None:
    one = parse("network: 10.90.0.0/24\nweb:\nhttp-lb:")
    assert "expect-proxy" not in _file(one, "http-lb1", "haproxy.cfg")
    assert plan(one, "debian").entry == "10.90.0.21"
    assert "expect-proxy layer4 if { src 10.90.0.11 10.90.0.12 }" in _file(parse(FULL), "http-lb1", "haproxy.cfg")


def test_ipvs_configures_keepalived_and_takes_haproxy_out_of_the_way() -> None:
    ipvs = parse(FULL.replace("tcp-lb: {count: 2}", "tcp-lb: {count: 2, engine: ipvs}"))
    assert plan(ipvs, "debian").needs == ("ip_vs",)
    said = _file(ipvs, "tcp-lb1", "keepalived.conf")
    assert "virtual_server 10.90.0.100 443" in said
    assert "lb_kind DR" in said
    assert "listen https" not in _file(ipvs, "tcp-lb1", "haproxy.cfg")
    assert _file(ipvs, "http-lb1", "direct-routing").strip() == "10.90.0.100"
    assert _file(ipvs, "http-lb1", "haproxy.cfg") == _file(parse(FULL), "http-lb1", "haproxy.cfg")


def test_secrets_stay_markers_until_they_are_revealed(full: Cluster) -> None:
    node = plan(full, "debian").node("http-lb1")
    closed = next(file for file in node.files if file.path.endswith("site.pem"))
    assert closed.mode == 0o600
    assert closed.masked.strip() == "<secret site-certificate>"
    files = node.reveal({"site-certificate": "PEM", "stats-password": "pw"})
    assert files["/etc/lab/site.pem"] == (b"PEM\n", 0o600)
    manifest = json.loads(files[MANIFEST][0])
    assert set(manifest) == set(files) - {MANIFEST}


def test_what_is_fixed_does_not_depend_on_files(full: Cluster) -> None:
    sticky = parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}"))
    before, after = plan(full, "debian"), plan(sticky, "debian")
    assert [node.fixed for node in before.nodes] == [node.fixed for node in after.nodes]
    assert before.node("http-lb1").files != after.node("http-lb1").files


def test_what_is_fixed_is_read_as_it_was_written(full: Cluster) -> None:
    for node in plan(full, "debian").nodes:
        assert Fixed.read(json.loads(node.fixed.text)) == node.fixed


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("publish", [{"name": "site", "host_port": 8443, "port": 443, "protocol": "tcp"}]),
        ("limits", {"memory": 1, "processes": 2, "processors": 3, "files": 4}),
        ("former", "x"),
    ],
)
def test_what_another_version_fixed_is_read_and_differs(full: Cluster, key: str, changed: object) -> None:
    own = plan(full, "debian").node("client").fixed
    kept = json.loads(own.text) | {key: changed}
    read = Fixed.read(kept)
    assert json.loads(read.text) == kept
    assert own.unlike(read) == [key]


@pytest.mark.parametrize("topology", ["full", "stage7"])
@pytest.mark.parametrize("form", FORMATS)
def test_pictures_name_every_node(form: str, topology: str) -> None:
    made = plan(*offline(load(find(topology))))
    text = FORMATS[form](made)
    for node in made.nodes:
        assert node.name in text
        assert node.address in text
    if form == "svg":
        ET.fromstring(text)  # noqa: S314  our own text


def test_the_picture_in_the_readme_is_fresh() -> None:
    """Else run: lab graph --file full --format svg > docs/cluster.svg."""
    drawn = svg(plan(*offline(load(find("full")))))
    assert (Path(__file__).parents[2] / "docs" / "cluster.svg").read_text(encoding="utf-8") == drawn + "\n"


def test_the_network_knows_its_gateway(full: Cluster) -> None:
    network: IPv4Network = plan(full, "debian").network.cidr
    assert str(plan(full, "debian").network.gateway) == str(network[1])


@pytest.mark.parametrize(
    ("topology", "node"),
    [
        ("web:\nhttp-lb:\nmysql:", "http-lb1"),
        ("mysql:\nstorage:\nweb:", "web1"),
        ("mysql:\nstorage:", "mysql1"),
        ("mysql:\nstorage:\nshell:", "mysql1"),
        ("storage:\nshell:", "shell1"),
        ("storage:", "storage1"),
    ],
)
def test_without_a_vip_the_site_is_at_the_role_that_is_nearest_to_visitors(topology: str, node: str) -> None:
    made = plan(*offline(parse(topology)))
    assert made.entry == made.node(node).address
