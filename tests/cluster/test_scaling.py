"""Scaling under load, and cold starts in any order."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.lifecycle import ready
from lab.topology import NodeOverride, Web
from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import LabCluster

RATE = 50  # requests a second
SEED = 7


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
def test_scaling_three_six_two_costs_no_request(cluster: LabCluster) -> None:
    def web(count: int) -> None:
        spec = cluster.spec.model_copy(update={"web": cluster.options(Web).model_copy(update={"count": count})})
        cluster.apply(spec)

    balancers = cluster.require("http-lb", 1)
    cluster.room(len(cluster.plan.nodes) - cluster.options(Web).count + 6)
    with cluster.load(RATE) as load:
        web(6)
        cluster.until(
            "all six to be in every pool",
            10,
            lambda: all(len(cluster.pool(lb)) == 6 for lb in balancers),
        )
        load.more(2 * RATE)
        web(2)
        assert {node.name for node in cluster.backend.observe().nodes if node.role == "web"} == {"web1", "web2"}
        cluster.until("answers from the two", 5, lambda: cluster.ask("/whoami"))
    assert not load.failed
    assert {"web4", "web5", "web6"} <= load.served()


@pytest.mark.nightly(
    "half a minute: at every change scaling changes all pools under load, and an application's nodes are replaced"
)
def test_replacing_nodes_and_reloading_the_rest_costs_no_request(cluster: LabCluster) -> None:
    """Other addresses: two nodes are made anew, everything that leads to them is told, while visitors go on asking."""
    cluster.require("web", 2)
    cluster.require("http-lb", 2)
    free = cluster.plan.network.cidr
    moved = {"web2": NodeOverride(address=free[250]), "http-lb2": NodeOverride(address=free[29])}
    with cluster.load(RATE) as load:
        with cluster.changed(cluster.spec.model_copy(update={"nodes": moved})):
            assert cluster.plan.node("web2").address == str(free[250])
            load.more(RATE)
        load.more(RATE)
    assert not load.failed


_STOP = pytest.param(
    "stop", marks=pytest.mark.nightly("a minute: eighteen clean stops one after the other; 'kill' is the harder ending")
)


@pytest.mark.parametrize("ending", ["kill", _STOP])
def test_all_nodes_off_and_on_in_any_order(cluster: LabCluster, ending: str) -> None:
    """Principle 1: nobody steers the nodes, they find each other."""
    names = [node.name for node in cluster.plan.nodes]
    order = random.Random(f"{SEED} {ending}")
    for name in order.sample(names, len(names)):
        getattr(cluster.backend, ending)(name)
    for name in order.sample(names, len(names)):
        cluster.backend.start(name)
    ready.nodes(cluster.backend, names, 60)
    cluster.until("a ready cluster", 20, cluster.status, lambda found: found.ready)
    assert cluster.ask("/healthz") == "ok\n"


SLEPT_SECONDS = 45.0  # longer than any election, health check or ping of GlusterFS takes


@pytest.mark.nightly(
    "most of a minute: at every change all nodes are killed and started in any order, and single nodes are paused by"
    " the suites of their roles"
)
def test_nodes_that_slept_wake_to_a_whole_cluster(cluster: LabCluster) -> None:
    """As on a laptop whose lid was closed: nothing ran meanwhile, and nobody has to do anything afterwards."""
    storage = [node.name for node in cluster.plan.role("storage")]
    others = [node.name for node in cluster.plan.nodes if node.name not in storage]
    with ThreadPoolExecutor(len(others)) as pool:
        try:
            for names in (others, storage):  # what waits for a filesystem can't be paused
                list(pool.map(cluster.backend.pause, names))
            time.sleep(cluster.clock.limit(SLEPT_SECONDS))  # what is tried, no wait for something
        finally:
            list(pool.map(cluster.backend.start, [*storage, *others]))
    cluster.until("a ready cluster", 60, cluster.status, lambda found: found.ready)
    if cluster.plan.vip:
        cluster.until("one holder of the VIP", 20, cluster.vip_holders, lambda found: len(found) == 1)
    assert cluster.ask("/healthz") == "ok\n"
