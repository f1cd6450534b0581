"""Applications within five nodes, on every backend alike: their own user, files, rights, logs; faults; what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.backends.base import State
from lab.lifecycle import ready
from lab.topology.apps import App

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster

ROOTED = Path(__file__).parent / "topologies/apps/rooted"
PATIENCE = 20
BACK_SECONDS = 60
ENDED_SECONDS = 30
DEVICES = {"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}

pytestmark = pytest.mark.nightly("a cluster of its own topology: tests/cluster/topologies/apps_five.yaml")


@pytest.fixture
def shop(cluster: LabCluster) -> LabCluster:
    """The cluster, if it has these applications."""
    if set(cluster.spec.apps) != {"shop", "static"} or cluster.spec.apps["static"].port != 80:
        pytest.skip("needs --topology tests/cluster/topologies/apps_five.yaml")
    return cluster


def _ask(cluster: LabCluster, path: str, name: str = "shop", data: str | None = None) -> tuple[int, str]:
    """Status and text of an answer; 599 and the reason where none comes. Patient where the processor is emulated."""
    visitor = cluster.app(name)
    visitor.patience = cluster.clock.guard(PATIENCE)
    try:
        answer = visitor.post(path, data=data) if data else visitor.get(path)
    except requests.RequestException as error:
        return 599, str(error)
    return answer.status_code, answer.text


def _facts(cluster: LabCluster) -> dict[str, Any]:
    """What the shop says of where it runs."""
    status, text = _ask(cluster, "/")
    assert status == 200, (status, text, cluster.logs("shop1", tail=20))
    found: dict[str, Any] = json.loads(text)
    return found


def test_each_runs_as_its_image_says(shop: LabCluster) -> None:
    facts = _facts(shop)
    print(facts)
    assert (facts["node"], facts["note"], facts["folder"], facts["privileges"]) == ("shop1", "it's a test", "/srv", "1")
    assert facts["user"] > 0
    assert "lab" not in facts["run"], "the lab's own tools are not in its reach"
    assert set(facts["devices"]) - {"console", "mqueue", "core"} <= DEVICES, "no disk is in its reach"
    named = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "NET_BIND_SERVICE": 10}
    assert set(shop.plan.node("shop1").capabilities) == set(named)
    assert int(facts["bounds"], 16) == sum(1 << bit for bit in named.values())
    page = _ask(shop, "/", "static")
    assert "of no distribution" in page[1], (page, shop.logs("static1", tail=20))
    assert shop.run("static1", "stat -c %u /proc/1").ok


def test_the_lab_reaches_into_both(shop: LabCluster) -> None:
    for node in ("shop1", "static1"):
        assert shop.run(node, "id -u").stdout.strip() == "0"
        assert shop.backend.run(node, ["/usr/lib/lab/ready"]).ok
        assert not shop.run(node, "touch /srv/x /x").ok, "its files are read only"
        assert shop.run(node, "touch /tmp/x && rm /tmp/x").ok
        said = shop.run(node, f"grep -c shop.{shop.spec.domain} /etc/hosts").stdout.strip()
        assert said == "1", shop.run(node, "cat /etc/hosts").stdout
    mode, owner = shop.run("shop1", "stat -c '%a %u' /etc/lab/ca.crt").stdout.split()
    assert (mode, int(owner)) == ("600", _facts(shop)["user"])
    before = shop.backend.get("shop1", "/etc/lab/ca.crt")
    assert before
    shop.backend.put("shop1", {"/etc/lab/ca.crt": (before, 0o600), "/etc/lab/mark": (b"x", 0o644)})
    assert shop.run("shop1", "stat -c '%a %u' /etc/lab/ca.crt /etc/lab/mark").stdout.split() == [
        *("600", owner),
        *("644", "0"),
    ]
    assert any("Listening at" in line for line in shop.logs("shop1")), shop.logs("shop1")


def test_what_it_writes_is_kept_and_its_own_signal_ends_it(shop: LabCluster) -> None:
    kept = (200, "an order")
    assert _ask(shop, "/kept", data="an order") == kept, shop.logs("shop1", tail=20)
    shop.backend.stop("shop1")
    state = shop.backend.observe().node("shop1")
    assert state
    assert state.state is State.STOPPED
    assert any("Handling signal: term" in line for line in shop.logs("shop1")), shop.logs("shop1", tail=20)
    shop.backend.start("shop1")
    ready.node(shop.backend, "shop1", BACK_SECONDS)
    shop.until("the shop in the pool", BACK_SECONDS, lambda: _ask(shop, "/kept"), lambda said: said == kept)
    shop.backend.kill("shop1")
    shop.backend.start("shop1")
    ready.node(shop.backend, "shop1", BACK_SECONDS)
    shop.until("the shop in the pool", BACK_SECONDS, lambda: _ask(shop, "/kept"), lambda said: said == kept)


def test_its_network_is_cut_by_programs_beside_it(shop: LabCluster, faults: Faults) -> None:
    assert _ask(shop, "/healthz") == (200, "ok"), shop.logs("shop1", tail=20)
    with faults.cut("shop1", "http-lb"):
        shop.until("no answer", ENDED_SECONDS, lambda: _ask(shop, "/healthz"), lambda said: said[0] >= 500)
        assert shop.backend.run("shop1", ["/usr/lib/lab/ready"]).ok, "from inside it answers"
    shop.until("answers again", BACK_SECONDS, lambda: _ask(shop, "/healthz"), lambda said: said[0] == 200)


def test_a_program_of_root_changes_nothing_but_its_own(shop: LabCluster) -> None:
    rooted = App(build=str(ROOTED), port=8000, count=1, health="/")
    with shop.changed(shop.spec.model_copy(update={"apps": {**shop.spec.apps, "shop": rooted}})):
        said = _ask(shop, "/")[1].splitlines()
        assert len(said) > 10
        assert [line for line in said if not line.startswith("refused: ")] == ['done: touch "/my data/x"']
        assert shop.run("shop1", "cat '/my data/seed'").stdout.strip() == "seed", "what its image has there"
        shop.backend.stop("shop1")
        assert any("ends by its own signal" in line for line in shop.logs("shop1")), shop.logs("shop1", tail=5)
        shop.backend.start("shop1")


def test_a_program_that_ends_ends_its_node_and_says_what_it_said_last(shop: LabCluster) -> None:
    assert _ask(shop, "/end")[0] in (202, 502, 503, 599), "it may end before it has answered"
    ended = lambda: getattr(shop.backend.observe().node("shop1"), "state", None) is State.STOPPED  # noqa: E731
    shop.until("the node ends with its program", ENDED_SECONDS, ended)
    assert any("Listening at" in line for line in shop.logs("shop1")), "its log is kept"
