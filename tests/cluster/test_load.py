"""Load as the command line gives it: each way of asking, honest response times, and what is refused."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.evidence import Load, Stream
from tests.cluster.commands import completed
from tests.cluster.pools import told
from tests.markers import WEB

if TYPE_CHECKING:
    import subprocess

    from lab.testing import Faults, LabCluster
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

LAB = str(Path(sys.executable).with_name("lab"))
STALL_SECONDS = 2.0
LOG_SECONDS = 30.0
LOAD_SECONDS, REFUSED_SECONDS = 120.0, 60.0


def _load(cluster: LabCluster, *options: str) -> subprocess.CompletedProcess[str]:
    which = ["--name", cluster.spec.name, "--backend", cluster.backend.name]
    return completed(cluster.clock, [LAB, "load", *options, *which], LOAD_SECONDS)


WAYS = {"kept": ((), "HTTP/1.1"), "HTTP/2": (("--http", "2"), "HTTP/2.0"), "not-kept": (("--no-keep",), "HTTP/1.1")}


@pytest.mark.nightly("half a minute; at every change kept connections, by the loads of other tests")
@pytest.mark.read_only
def test_each_way_of_asking(cluster: LabCluster) -> None:
    """All at the same time: each is recognized by its path."""
    balancers = cluster.require("http-lb", 1)
    asked = ("--rate", "30", "--for", "3s", "--path")
    with ThreadPoolExecutor(1 if cluster.clock.emulated else len(WAYS)) as pool:
        runs = {
            way: pool.submit(_load, cluster, *asked, f"/whoami?way={way}", *options)
            for way, (options, _) in WAYS.items()
        }
    for way, run in runs.items():
        done = run.result()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "99 % within" in done.stdout
        assert "slowest" in done.stdout

        def lines(path: str = f"way={way} ") -> list[str]:
            return [line for name in balancers for line in cluster.logs(name) if path in line]

        logged = cluster.until(f"all '{way}' in the balancers' logs", LOG_SECONDS, lines, lambda got: len(got) >= 88)
        assert len(logged) == pytest.approx(90, abs=2)
        assert all(WAYS[way][1] in line for line in logged)
        connections = {line.split(" | ")[1].split()[0] for line in logged}
        assert (len(connections) > 80) is (way == "not-kept")


def test_a_stall_is_seen_by_every_request_that_it_held_up(cluster: LabCluster, faults: Faults) -> None:
    """Open loop: with a closed one, each connection would have one slow answer, and the stall would hide."""
    rate = cluster.clock.rate(40)
    url = f"http://{cluster.plan.node('web1').address}/whoami"
    with Load(cluster.backend, Stream("load", url, rate)) as load:
        load.more(10)
        with faults.pause("web1"):
            threading.Event().wait(STALL_SECONDS)
        load.more(20)
    slow = sorted(answer.seconds for answer in load.answers if answer.seconds > STALL_SECONDS / 10)
    assert len(slow) >= rate * STALL_SECONDS * 0.8
    # The first waited for all of the stall, the last for hardly any: their times are spread over it evenly.
    assert slow[len(slow) // 2] == pytest.approx(slow[-1] / 2, rel=0.4)
    assert not load.failed


def test_a_client_that_stands_still_is_seen_by_its_stall_meter(cluster: LabCluster) -> None:
    url = f"http://{cluster.plan.node('web1').address}/whoami"
    with Load(cluster.backend, Stream("load", url, cluster.clock.rate(20))) as load:
        load.more(10)
        cluster.backend.pause("client")
        threading.Event().wait(STALL_SECONDS)
        cluster.backend.start("client")
        load.more(10)
    longest = max(stall.seconds for stall in load.load_run.stalls if stall.where == "client")
    assert longest >= STALL_SECONDS * 0.9


def test_kept_connections_that_a_balancer_ended_fail_no_question(cluster: LabCluster, faults: Faults) -> None:
    cluster.require("tcp-lb", 1)
    balancers = cluster.require("http-lb", 1)
    (holder,) = cluster.vip_holders()
    with cluster.load(40) as load:
        load.more(10)
        with faults.pause("web1"):
            threading.Event().wait(STALL_SECONDS)  # who waits holds a connection: the others open new ones
        load.more(10)
        for name in balancers:
            told(cluster, holder, f"shutdown sessions server https/{name}")
        load.more(40)
    assert load.failed == []


@pytest.mark.nightly("half a minute of full load; the search's rule is a unit test")
@pytest.mark.read_only
def test_a_search_ends_between_what_was_good_and_what_was_not(cluster: LabCluster) -> None:
    done = _load(cluster, "--rate", "20", "--for", "1s", "--search", "1ms")
    assert done.returncode == 0, done.stderr
    assert "too much" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("highest rate with a 99th percentile within 1 ms:")


ANOTHER = pytest.mark.nightly("four seconds each: another mistake; at every change three")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "0"), "a rate of 0"),
        pytest.param(("--rate", "-5"), "a rate of -5", marks=ANOTHER),
        pytest.param(("--for", "soon"), "'soon' can't be read", marks=ANOTHER),
        pytest.param(("--for", "0s"), "is not possible", marks=ANOTHER),
        (("--http", "3"), "HTTP/3 is not supported"),
        pytest.param(("--path", "whoami"), "does not start with /", marks=ANOTHER),
        (("--name", "nobody"), "there is no cluster 'nobody'"),
    ],
)
@pytest.mark.read_only
def test_what_can_not_be_asked_is_refused(cluster: LabCluster, options: tuple[str, ...], said: str) -> None:
    base = [LAB, "load", "--backend", cluster.backend.name, "--name", cluster.spec.name, *options]
    done = completed(cluster.clock, base, REFUSED_SECONDS)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.read_only
def test_nothing_goes_on_asking_afterwards(cluster: LabCluster) -> None:
    _load(cluster, "--rate", "10", "--for", "1s")
    cluster.until("the client to ask nothing", 10, lambda: not cluster.run("client", "pgrep -f lab_node.[a]sk").stdout)
    assert not cluster.run("client", "ls /var/tmp").stdout
