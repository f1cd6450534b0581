"""Timers for slow nodes: the backend's, where the person wrote none; topologies that ship hold no timers."""

from __future__ import annotations

import re

import pytest

from lab import assets
from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED, GENTLE
from lab.evidence.promises import promise
from lab.lifecycle.prepare import prepare
from lab.lifecycle.resolve import timers
from lab.progress import Silent
from lab.topology import Cluster, load, parse
from lab.topology.cluster import cluster_model
from tests.unit.conftest import WHOLE

TIMER = re.compile(r"\b(inter|fastinter|timeout|advert-int|answer-timeout|patience|ping-timeout):")


class Slow(MemoryBackend):
    """An engine whose nodes' processors are emulated."""

    clock = EMULATED


def _on_slow(text: str) -> Cluster:
    return timers(parse(text), Slow("slow"))


def test_an_option_that_was_left_out_is_gentle_on_slow_nodes() -> None:
    made = _on_slow("web:\nhttp-lb:\ntcp-lb:\nstorage:\n")
    assert made.http_lb is not None
    assert made.tcp_lb is not None
    assert made.storage is not None
    check = made.http_lb.check
    assert (check.inter, check.fastinter, check.timeout, made.http_lb.answer_timeout) == (1, 0.5, 5, 10)
    assert (made.tcp_lb.advert_int, made.tcp_lb.check.inter, made.storage.ping_timeout) == (0.5, 1, 30)
    assert (check.fall, made.tcp_lb.check.fall) == (3, 2)


def test_an_option_that_was_written_stays() -> None:
    made = _on_slow("web:\nhttp-lb: {check: {inter: 0.5, fall: 7}}\ntcp-lb: {advert-int: 0.2}\n")
    assert made.http_lb is not None
    assert made.tcp_lb is not None
    assert (made.http_lb.check.inter, made.http_lb.check.fall, made.http_lb.check.timeout) == (0.5, 7, 5)
    assert made.tcp_lb.advert_int == 0.2


def test_the_checks_of_mysql_nodes_wait_for_their_looks() -> None:
    made = _on_slow("mysql:\ntcp-lb:\n")
    assert made.tcp_lb is not None
    assert made.mysql is not None
    check = made.tcp_lb.check
    assert (made.mysql.patience, check.inter, check.fastinter, check.timeout) == (15, 2, 1, 8)


def test_ordinary_nodes_have_the_ordinary_options() -> None:
    assert timers(parse(WHOLE), MemoryBackend("quick")) == parse(WHOLE)


def test_every_gentle_value_is_a_valid_one() -> None:
    """A copy of a model is not validated: the values are, as if a person had written them."""
    made = _on_slow(WHOLE)
    assert cluster_model().model_validate(made.model_dump(exclude_none=True)).model_dump() == made.model_dump()
    assert {place.partition(".")[0] for options in GENTLE.values() for place in options} <= set(made.roles())


def test_the_plan_and_the_promises_see_the_same_cluster() -> None:
    backend = Slow("golden", Capabilities("slow", frozenset({"fuse"})))
    made = prepare(parse(WHOLE), backend, Silent())
    (rendered,) = [file for file in made.plan.node("http-lb1").files if file.path == "/etc/lab/haproxy.cfg"]
    assert "check inter 1000ms fastinter 500ms" in rendered.masked
    assert promise("web-node-leaves").bound(timers(parse(WHOLE), backend)) == pytest.approx(1 + 3 * 5 + 2 * 0.5)


@pytest.mark.parametrize("name", assets.topologies())
def test_topologies_that_ship_hold_no_timers(name: str) -> None:
    path = assets.topologies()[name]
    load(path)
    assert not TIMER.search(path.read_text(encoding="utf-8"))
