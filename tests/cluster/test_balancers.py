"""Balancers die, hang, lose their HAProxy: the VIP moves, one holder remains, the site goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.topology import TcpLb
from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster, Rounds
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

RATE = 50  # requests a second
SEEN_SECONDS = 30.0  # until a look shows a change; how long it took is judged by the probes
SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"


def _holder(cluster: LabCluster) -> str:
    cluster.require("tcp-lb", 2)
    (holder,) = cluster.vip_holders()
    return holder


def _moved(cluster: LabCluster, old: str) -> str:
    """Waits until another node has the VIP and the site answers there; one that hangs still thinks that it has it."""
    others = {node.name for node in cluster.plan.role("tcp-lb")} - {old}
    (new,) = cluster.until("the VIP on another node", SEEN_SECONDS, lambda: others & {*cluster.vip_holders()})
    cluster.until("the site to answer on the VIP", SEEN_SECONDS, lambda: cluster.ask("/whoami", *_patience(cluster)))
    return new


def _patience(cluster: LabCluster) -> tuple[str, str]:
    """For curl: how long one question may take."""
    return "--max-time", cluster.clock.option(1)


def test_killing_the_active_tcp_balancer_moves_the_vip(cluster: LabCluster, faults: Faults, rounds: Rounds) -> None:
    """And the one that returns does not take it back: there is no second interruption."""
    for round_ in rounds("vip-moves", "vip-has-one-holder"):
        old = _holder(cluster)
        with round_, cluster.load(RATE) as load:
            killed = cluster.clock.now()
            with faults.kill(old):
                new = _moved(cluster, old)
                moved = cluster.clock.now()
                load.more(cluster.clock.requests(RATE))
            load.more(cluster.clock.requests(3 * RATE))
        # Requests in flight on the dead node are lost with it; nothing from before, nothing after the move.
        late = [answer for answer in load.failed if answer.sent > moved or answer.sent + answer.seconds < killed]
        assert not late
        assert load.served(since=moved), "nothing was asked after the move"
        assert _holder(cluster) == new


_STOPPED = pytest.param("stop", marks=pytest.mark.nightly("six seconds; at every change one that hangs"))


@pytest.mark.parametrize("fault", [_STOPPED, "freeze"])
def test_a_dead_haproxy_gives_the_vip_up(cluster: LabCluster, faults: Faults, rounds: Rounds, fault: str) -> None:
    for round_ in rounds("vip-leaves-a-dead-haproxy"):
        old = _holder(cluster)
        with round_:
            if fault == "freeze":
                with faults.freeze(old, "haproxy"):
                    _moved(cluster, old)
                continue
            with round_.broken("freeze", old, partial(cluster.run, old, f"{SUPERVISOR} start haproxy")):
                assert cluster.run(old, f"{SUPERVISOR} stop haproxy").ok
                _moved(cluster, old)


def test_a_paused_tcp_balancer_loses_the_vip_and_wakes_to_one_holder(
    cluster: LabCluster, faults: Faults, rounds: Rounds
) -> None:
    for round_ in rounds("vip-moves", "vip-has-one-holder"):
        old = _holder(cluster)
        with round_:
            with cluster.load(RATE) as load:  # what hangs with the node is answered, or ended, when it wakes
                with faults.pause(old):
                    _moved(cluster, old)
                    # One that wakes within a probe's patience would not have been seen hanging.
                    load.more(cluster.clock.requests(2 * RATE))
                # It wakes believing that it holds the VIP: two holders, for a moment.
                cluster.until("one holder", SEEN_SECONDS, cluster.vip_holders, lambda now: len(now) == 1)
                cluster.until("the site to answer", SEEN_SECONDS, lambda: cluster.ask("/whoami", *_patience(cluster)))
            # No lasting split brain: it stays one holder while visitors go on asking.
            with cluster.load(RATE) as load:
                for _ in range(5):
                    load.more(cluster.clock.requests(RATE // 2))
                    assert len(cluster.vip_holders()) == 1
        assert not load.failed


def test_killing_an_http_balancer_loses_only_what_was_in_flight_on_it(
    cluster: LabCluster, faults: Faults, rounds: Rounds
) -> None:
    cluster.require("http-lb", 2)
    for round_ in rounds("http-lb-dies", "http-lb-leaves", "http-lb-returns"):
        holder = _holder(cluster)
        with round_, cluster.load(RATE) as load:
            with faults.kill("http-lb1"):
                _in_pool(cluster, holder, "http-lb1", member=False)
                load.more(RATE)
                out = cluster.clock.now()
                load.more(RATE)
            _in_pool(cluster, holder, "http-lb1", member=True)
        assert load.served(since=out), "nothing was asked afterwards"


def _in_pool(cluster: LabCluster, holder: str, node: str, *, member: bool) -> None:
    what = f"{node} to be {'back in' if member else 'out of'} the TCP balancer's pool"
    cluster.until(what, SEEN_SECONDS, lambda: cluster.pool(holder, "https"), lambda pool: (node in pool) is member)


def test_stopping_an_http_balancer_costs_no_request(cluster: LabCluster) -> None:
    """It takes leave: visitors that are new go elsewhere, and what it is answering is finished."""
    cluster.require("http-lb", 2)
    answer_ms = 3000  # longer than the TCP balancers need to see that it's gone
    asking = f"ss -Htn state established '( dport = :80 and dst {cluster.plan.node('web1').address} )'"
    url = f"{cluster.scheme}://{cluster.host}/slow?ms={answer_ms}"
    slow = f"curl -sS --max-time {cluster.clock.option(60)} --cacert /etc/lab/ca.crt '{url}'"
    with ThreadPoolExecutor(8) as pool, cluster.load(RATE), cluster.load(RATE, keep=False) as visitors:
        answers = [pool.submit(cluster.run, "client", slow, seconds=60) for _ in range(4)]
        cluster.until("http-lb2 to be asking", 5, lambda: cluster.run("http-lb2", asking).stdout)
        visitors.more(RATE)
        cluster.backend.stop("http-lb2")
        visitors.more(RATE)
    assert [answer.result().last_line for answer in answers if not answer.result().ok] == []
    assert [answer for load in cluster.loads for answer in load.failed] == []


def test_a_changed_vrrp_is_taken_into_use_where_it_runs(cluster: LabCluster) -> None:
    old = _holder(cluster)
    options = cluster.options(TcpLb)
    changed = options.model_copy(update={"advert_int": options.advert_int + 0.1})
    with cluster.changed(cluster.spec.model_copy(update={"tcp_lb": changed})):
        assert f"advert_int {round(changed.advert_int, 2)}" in cluster.run(old, "cat /etc/lab/keepalived.conf").stdout
        log = "\n".join(cluster.logs(old))
        assert "Reloading" in log.rpartition("Starting Keepalived")[2] or "reload" in log.lower()
        assert _holder(cluster) == old


# A neighbour that sends what it likes: adverts of VRRP 3 (RFC 5798, 5.2) in the name of another balancer.
FORGED = """
import socket, struct, sys, time
vip, router, *balancers = sys.argv[1:]
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
door = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
end = time.monotonic() + 4
while time.monotonic() < end:
    for to in balancers:
        for name in balancers:
            if name == to:
                continue
            ends = socket.inet_aton(name) + socket.inet_aton(to)
            said = lambda check: struct.pack("!BBBBHH4s", 0x31, int(router), 255, 1, 10, check, socket.inet_aton(vip))
            advert = said(checksum(ends + struct.pack("!BBH", 0, 112, 12) + said(0)))
            head = struct.pack("!BBHHHBBH", 0x45, 0xC0, 32, 0, 0, 255, 112, 0) + ends
            door.sendto(head + advert, (to, 0))
    time.sleep(0.1)
"""


def test_adverts_of_a_neighbour_do_not_move_the_vip(cluster: LabCluster) -> None:
    old = _holder(cluster)
    addresses = [node.address for node in cluster.plan.role("tcp-lb")]
    neighbour = cluster.require("web", 1)[0]
    router = str(cluster.options(TcpLb).router_id)
    forge = ["python3", "-c", FORGED, str(cluster.plan.vip), router, *addresses]
    with cluster.load(RATE) as load:
        done = cluster.run_in_network(neighbour, forge)
        load.more(cluster.clock.requests(RATE))
    assert done.ok, done.last_line
    assert _holder(cluster) == old
    assert not load.failed
    for node in cluster.plan.role("tcp-lb"):
        said = cluster.run_in_network(node.name, ["nft", "list", "table", "inet", "vrrp"]).stdout
        assert int(said.partition("counter packets ")[2].partition(" ")[0]) > 0, f"{node.name} saw none of them"
