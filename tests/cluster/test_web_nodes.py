"""A web node dies, hangs, is drained: the series' own criterion, out of the pool and back, with no failed request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.topology import Web
from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster, Rounds
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

RATE = 60  # requests a second
RELOAD_SECONDS = 10.0  # the old workers finish what they are at
POOL_SECONDS = 30.0  # until a look at all pools shows a change; how long it took is judged by the probes


def _webs(cluster: LabCluster) -> set[str]:
    return {node.name for node in cluster.plan.role("web")}


def _all_pools(cluster: LabCluster) -> list[set[str]]:
    return [cluster.pool(balancer.name) for balancer in cluster.plan.role("http-lb")]


def _gone(cluster: LabCluster, node: str) -> None:
    cluster.until(
        f"{node} to leave every pool", POOL_SECONDS, lambda: all(node not in pool for pool in _all_pools(cluster))
    )


def _back(cluster: LabCluster, node: str) -> None:
    cluster.until(
        f"{node} to be back in every pool", POOL_SECONDS, lambda: all(node in pool for pool in _all_pools(cluster))
    )


@pytest.mark.read_only
def test_round_robin_reaches_every_web_node(cluster: LabCluster) -> None:
    cluster.require("http-lb", 1)
    with cluster.load(RATE) as load:
        load.more(20 * len(_webs(cluster)))
    assert not load.failed
    assert load.served() == _webs(cluster)


PROMISES = ("web-node-dies", "web-node-leaves", "web-node-returns")
_KILL = pytest.param("kill", PROMISES, id="kill")
_PAUSE = pytest.param("pause", (*PROMISES, "web-node-hangs"), id="pause")


@pytest.mark.parametrize(("fault", "promises"), [_KILL, _PAUSE])
def test_a_dead_web_node_costs_no_request_and_comes_back(
    cluster: LabCluster, faults: Faults, rounds: Rounds, fault: str, promises: tuple[str, ...]
) -> None:
    cluster.require("web", 2)
    for round_ in rounds(*promises):
        with round_, cluster.load(RATE) as load:
            with faults.do(fault, "web1"):
                _gone(cluster, "web1")
                out = cluster.clock.now()
                # Something must be asked while it is out, or the claim is empty.
                load.more(RATE)
                returning = cluster.clock.now()
            _back(cluster, "web1")
            back = cluster.clock.now()
            load.more(3 * RATE)
        assert load.served(out, returning) == _webs(cluster) - {"web1"}
        assert load.served(since=back) == _webs(cluster)


@pytest.mark.nightly("a quarter of a minute; at every change a node that was killed comes back")
def test_a_node_that_was_paused_serves_with_what_was_changed_meanwhile(cluster: LabCluster) -> None:
    """Its daemons stood still, and read no file by themselves: PHP is asked what it runs with."""
    cluster.require("web", 2)
    limit = cluster.options(Web).upload + 1
    page = "/srv/guestbook/public/limit.php"
    cluster.backend.put("web1", {page: (b"<?php echo ini_get('upload_max_filesize');", 0o644)})
    cluster.backend.pause("web1")
    asked = f"curl -sS --max-time {cluster.clock.option(5)} http://web1/limit.php"
    changed = cluster.options(Web).model_copy(update={"upload": limit})
    with cluster.changed(cluster.spec.model_copy(update={"web": changed})):
        cluster.until(
            "PHP to have the new limit",
            RELOAD_SECONDS,
            lambda: cluster.run("client", asked).stdout,
            lambda answer: answer == f"{limit}M",
        )
    cluster.run("web1", f"rm {page}")


def test_stopping_a_web_node_finishes_what_it_is_answering(cluster: LabCluster) -> None:
    cluster.require("web", 2)
    with ThreadPoolExecutor(1) as pool, cluster.load(RATE) as load:
        # Asked of the node itself, so that it is certain which one is answering.
        request = f"curl -sS --max-time {cluster.clock.option(60)} 'http://web2/slow?ms=2500'"
        slow = pool.submit(cluster.run, "client", request)
        client = cluster.plan.node("client").address
        asking = f"ss -Htn state established '( sport = :80 and dst {client} )'"
        cluster.until("web2 to be answering", 5, lambda: cluster.run("web2", asking).stdout)
        cluster.backend.stop("web2")
        answer = slow.result()
    assert answer.ok, answer.last_line
    assert '"web2"' in answer.stdout
    assert not load.failed


def test_a_web_node_without_php_leaves_the_pool(cluster: LabCluster, rounds: Rounds) -> None:
    """Httpd still answers; the health check asks further."""
    cluster.require("web", 3)
    php = "supervisorctl -c /etc/lab/supervisord.conf {} php-fpm"
    begin = partial(cluster.run, "web3", php.format("start"))
    for round_ in rounds("web-node-leaves", "web-node-returns"):
        with round_:
            with round_.broken("freeze", "web3", begin):
                cluster.run("web3", php.format("stop"))
                _gone(cluster, "web3")
                cluster.ask("/whoami")
            _back(cluster, "web3")


def test_sticky_sessions_keep_a_visitor_on_one_node(cluster: LabCluster) -> None:
    cluster.require("web", 2)
    web = cluster.options(Web).model_copy(update={"sticky": True})
    jar = "/var/tmp/jar"
    with cluster.changed(cluster.spec.model_copy(update={"web": web})):
        cluster.run("client", f"rm -f {jar}")
        said = [cluster.ask("/whoami", "-c", jar, "-b", jar) for _ in range(6)]
        assert len(set(said)) == 1, said
    said = [cluster.ask("/whoami") for _ in range(6)]
    assert len(set(said)) > 1, "without 'sticky' a visitor goes round"
