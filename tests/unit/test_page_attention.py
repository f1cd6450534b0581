"""Which addresses the live page probes closely."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.clock import REAL
from lab.evidence import probes
from lab.page import attention
from lab.page.attention import CLOSE_SECONDS, Attention, roles_read
from lab.page.feed import CLOSE, REST, Pace, at_pace
from lab.plan import plan
from lab.services.streams import roles_shown, streams
from lab.topology import load

if TYPE_CHECKING:
    from lab.plan import Plan


BALANCER = frozenset({"tcp-lb"})


@pytest.fixture
def made() -> Plan:
    """The whole cluster, with databases, and nodes that are not probed."""
    cluster = load(assets.topologies()["full"])
    return plan(cluster.model_copy(update={"network": IPv4Network("10.90.0.0/24")}), "debian")


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the attention: `now`, in seconds."""
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(attention, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_a_fault_of_one_role_leaves_the_addresses_of_others_at_rest(made: Plan) -> None:
    pace = Pace(CLOSE.rate, CLOSE.read, CLOSE.meter, roles_read(made, ["tcp-lb1"]))
    rates = {
        one.name: one.rate
        for one in at_pace(streams(made, "www.example.test"), pace, float, partial(roles_shown, made))
    }
    close = {name for name, rate in rates.items() if rate == CLOSE.rate}
    assert close == {probes.SITE, probes.VIP, "tcp-lb1", "tcp-lb2"}
    assert {rates[name] for name in rates.keys() - close} == {REST.rate}


@pytest.mark.parametrize(
    ("role", "read"), [("web", {"web", "http-lb"}), ("http-lb", {"http-lb", "tcp-lb"}), ("mysql", {"mysql", "tcp-lb"})]
)
def test_what_the_promises_of_a_node_read_is_observed(made: Plan, role: str, read: set[str]) -> None:
    node = made.role(role)[-1].name
    assert roles_read(made, [node]) == read
    assert roles_read(made, [node, "tcp-lb1"]) == read | BALANCER
    assert roles_shown(made, node) == {role}


def test_reads_of_the_replicas_show_faults_of_the_databases(made: Plan) -> None:
    assert {roles_shown(made, name) for name in (probes.REPLICAS, probes.MYSQL)} == {frozenset({"mysql"})}


def test_roles_are_added_until_all_is_quiet_again(moment: SimpleNamespace) -> None:
    paid = Attention(REAL)
    assert not paid.on
    assert paid.roles(frozenset()) == frozenset()
    paid.extend(frozenset({"web"}))
    moment.now += CLOSE_SECONDS - 1
    paid.extend(BALANCER)
    assert paid.roles(frozenset({"mysql"})) == frozenset({"web", "tcp-lb", "mysql"})
    paid.extend(None)
    assert paid.roles(BALANCER) is None
    moment.now += CLOSE_SECONDS + 1
    assert not paid.on
    assert paid.roles(BALANCER) == BALANCER, "the fault that lasts"
    paid.extend(frozenset())
    assert paid.roles(frozenset()) == frozenset(), "the roles before are forgotten"


def test_a_pace_says_whose_addresses_it_includes() -> None:
    some = Pace(CLOSE.rate, CLOSE.read, CLOSE.meter, BALANCER)
    assert some.includes(BALANCER)
    assert some.includes(frozenset())
    assert not some.includes(None)
    assert not some.includes(BALANCER | {"web"})
    assert CLOSE.includes(None)
    assert REST.of(frozenset({"web"})) == REST.rate
