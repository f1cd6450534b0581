"""Balancers die, hang, lose their HAProxy: the VIP moves, one holder remains, the site goes on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.spec import TcpLb
from tests.cluster import bounds

if TYPE_CHECKING:
    from lab.evidence import Answer
    from lab.testing import LabCluster

RATE = 50  # requests a second
SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"


def _holder(cluster: LabCluster) -> str:
    cluster.require("tcp-lb", 2)
    (holder,) = cluster.vip_holders()
    return holder


def _moved(cluster: LabCluster, old: str, seconds: float) -> str:
    """Waits until another node alone holds the VIP and the site answers there."""
    (new,) = cluster.until(
        "the VIP on another node", seconds, cluster.vip_holders, lambda now: len(now) == 1 and now != [old]
    )
    cluster.until(
        "the site to answer on the VIP",
        bounds.slack(),
        lambda: cluster.ask("/whoami", "--max-time", bounds.patience(cluster)),
    )
    return new


@pytest.mark.xen_smoke("VRRP over the bridge: a destroyed domain loses the VIP", topology="five")
def test_killing_the_active_tcp_balancer_moves_the_vip(cluster: LabCluster) -> None:
    old = _holder(cluster)
    with cluster.load(RATE) as load:
        killed = time.time()
        cluster.backend.kill(old)
        _moved(cluster, old, bounds.vip_moved(cluster.options(TcpLb)))
        moved = time.time()
        load.more(RATE)
    # Requests in flight on the dead node are lost with it; nothing from before, nothing after the move.
    outage = killed - 1, moved
    late = [answer for answer in load.failed if not outage[0] <= answer.sent <= outage[1]]
    assert not late
    assert load.served(since=moved), "nothing was asked after the move"


def test_a_returning_tcp_balancer_does_not_take_the_vip_back(cluster: LabCluster) -> None:
    old = _holder(cluster)
    cluster.backend.kill(old)
    new = _moved(cluster, old, bounds.vip_moved(cluster.options(TcpLb)))
    with cluster.load(RATE) as load:
        cluster.heal()
    assert _holder(cluster) == new
    assert not load.failed


def test_a_dead_haproxy_gives_the_vip_up(cluster: LabCluster) -> None:
    old = _holder(cluster)
    try:
        assert cluster.run(old, f"{SUPERVISOR} stop haproxy").ok
        _moved(cluster, old, bounds.WATCH_INTERVAL + bounds.vip_moved(cluster.options(TcpLb)))
    finally:
        cluster.run(old, f"{SUPERVISOR} start haproxy")


@pytest.mark.xen_smoke("xl pause and unpause: no lasting second holder", topology="five")
def test_a_paused_tcp_balancer_loses_the_vip_and_wakes_to_one_holder(cluster: LabCluster) -> None:
    old = _holder(cluster)
    cluster.backend.pause(old)
    others = [node.name for node in cluster.plan.role("tcp-lb") if node.name != old]
    cluster.until(
        "the VIP on another node",
        bounds.vip_moved(cluster.options(TcpLb)),
        cluster.vip_holders,
        lambda now: now == others[:1],
    )
    cluster.until(
        "the site to answer",
        bounds.slack(),
        lambda: cluster.ask("/whoami", "--max-time", bounds.patience(cluster)),
    )
    cluster.backend.start(old)
    # It wakes believing that it holds the VIP: two holders, for at most two seconds.
    cluster.until("one holder", 2 + bounds.slack(), cluster.vip_holders, lambda now: len(now) == 1)
    cluster.until(
        "the site to answer",
        bounds.slack(),
        lambda: cluster.ask("/whoami", "--max-time", bounds.patience(cluster)),
    )
    # No lasting split brain: it stays one holder while visitors go on asking.
    with cluster.load(RATE) as load:
        for _ in range(5):
            load.more(RATE // 10)
            assert len(cluster.vip_holders()) == 1
    assert not load.failed


def test_killing_an_http_balancer_loses_only_what_was_in_flight_on_it(cluster: LabCluster) -> None:
    check = cluster.options(TcpLb).check
    cluster.require("http-lb", 2)
    holder = _holder(cluster)
    with cluster.load(RATE) as load:
        killed = time.time()
        cluster.backend.kill("http-lb1")
        cluster.until(
            "http-lb1 to leave the TCP balancer's pool",
            bounds.out_of_pool(check),
            lambda: cluster.pool(holder, "https"),
            lambda pool: "http-lb1" not in pool,
        )
        out = time.time()
        load.more(RATE)
        cluster.backend.start("http-lb1")
        cluster.until(
            "http-lb1 to be back",
            10 + bounds.back_in_pool(check),
            lambda: cluster.pool(holder, "https"),
            lambda pool: "http-lb1" in pool,
        )

    def was_on_it(answer: Answer) -> bool:
        """Or was just being led from it to the other one: what a server has is ended when it is taken out."""
        ended_with_it = answer.sent < out < answer.sent + answer.seconds + cluster.clock.limit(0.5)
        return killed - 1 <= answer.sent <= killed + 0.5 or ended_with_it

    unexplained = [answer for answer in load.failed if not was_on_it(answer)]
    assert not unexplained
    assert load.served(since=out), "nothing was asked afterwards"


def test_stopping_an_http_balancer_costs_no_request(cluster: LabCluster) -> None:
    """It takes leave: visitors that are new go elsewhere, and what it is answering is finished."""
    cluster.require("http-lb", 2)
    answer_ms = 3000  # longer than the TCP balancers need to see that it's gone
    asking = f"ss -Htn state established '( dport = :80 and dst {cluster.plan.node('web1').address} )'"
    slow = f"curl -sS --max-time 60 --cacert /etc/lab/ca.crt '{cluster.scheme}://{cluster.site}/slow?ms={answer_ms}'"
    with ThreadPoolExecutor(8) as pool, cluster.load(RATE), cluster.load(RATE, keep=False) as visitors:
        answers = [pool.submit(cluster.run, "client", slow, seconds=60) for _ in range(4)]
        cluster.until("http-lb2 to be asking", 5, lambda: cluster.run("http-lb2", asking).stdout)
        visitors.more(RATE)
        cluster.backend.stop("http-lb2")
        visitors.more(RATE)
    assert [answer.result().said for answer in answers if not answer.result().ok] == []
    assert [answer for load in cluster.loads for answer in load.failed] == []


def test_a_changed_vrrp_is_taken_into_use_where_it_runs(cluster: LabCluster) -> None:
    old = _holder(cluster)
    options = cluster.options(TcpLb)
    changed = options.model_copy(update={"advert_int": options.advert_int + 0.1})
    with cluster.changed(cluster.spec.model_copy(update={"tcp_lb": changed})):
        assert f"advert_int {round(changed.advert_int, 2)}" in cluster.run(old, "cat /etc/lab/keepalived.conf").stdout
        log = "\n".join(cluster.backend.logs(old))
        assert "Reloading" in log.rpartition("Starting Keepalived")[2] or "reload" in log.lower()
        assert _holder(cluster) == old
