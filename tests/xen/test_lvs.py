"""Real LVS: `engine: ipvs` of tcp-lb, by keepalived's virtual servers in the domain's kernel, direct routing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.topology import TcpLb
from tests.markers import LVS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster, Rounds

pytestmark = pytest.mark.xen_smoke("IPVS is in the domains' kernel, not in this machine's", topology=LVS)
SEEN_SECONDS = 30.0
RATE = 20  # requests a second


@pytest.fixture
def lvs(cluster: LabCluster) -> Iterator[LabCluster]:
    """The cluster with IPVS in front, where the nodes' kernel has it."""
    if "ip_vs" not in cluster.backend.capabilities().kernel:
        pytest.skip("the nodes' kernel has no ip_vs")
    cluster.require("tcp-lb", 2)
    own = cluster.options(TcpLb)
    if own.engine == "ipvs":
        yield cluster
        return
    engine = own.model_copy(update={"engine": "ipvs"})
    with cluster.changed(cluster.spec.model_copy(update={"tcp_lb": engine})):
        yield cluster


def _table(cluster: LabCluster, node: str) -> str:
    """The kernel's own table of virtual servers."""
    return cluster.run(node, "cat /proc/net/ip_vs").stdout


def _hexadecimal(address: str, port: int) -> str:
    return "".join(f"{int(part):02X}" for part in address.split(".")) + f":{port:04X}"


def test_lvs_leads_to_the_site_and_its_failover_is_like_the_others(lvs: LabCluster, rounds: Rounds) -> None:
    (old,) = lvs.until("one holder", SEEN_SECONDS, lvs.vip_holders, lambda found: len(found) == 1)
    assert lvs.plan.vip
    service = f"TCP  {_hexadecimal(lvs.plan.vip, 443)} wlc"
    real = _hexadecimal(lvs.plan.role("http-lb")[0].address, 443)
    table = lvs.until(
        "the real servers in the kernel's table", SEEN_SECONDS, lambda: _table(lvs, old), lambda t: real in t
    )
    print(table)
    assert service in table
    assert re.search(rf"-> {real} +Route +1", table), "direct routing"
    assert "haproxy" not in lvs.run(old, "ss -Hltnp 'sport = :443'").stdout, "nothing but the kernel serves the site"
    client = lvs.plan.node("client").address
    assert f'"{client}"' in lvs.ask("/whoami"), "the client's address arrives with no PROXY protocol"
    patience = lvs.clock.option(1)
    for round_ in rounds("vip-moves"):
        (old,) = lvs.vip_holders()
        with round_, lvs.load(RATE) as load:
            lvs.backend.kill(old)
            # With IPVS no HAProxy on the holder tells the probes who it is: the nodes are asked themselves.
            moved = lambda now: len(now) == 1 and now != [old]  # noqa: E731, B023  asked in this round
            round_.watch("vip-moves", lvs.clock.now(), "the VIP on the other node", lvs.vip_holders, moved)
            lvs.until("the site to answer", SEEN_SECONDS, lambda: lvs.ask("/whoami", "--max-time", patience))
            load.more(5)
        assert load.answers[-1].status == 200
