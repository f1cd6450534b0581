"""No door of a HAProxy is full because of another: each has room of its own, and all of it is there at once."""

from __future__ import annotations

import re

import pytest

from lab.plan import plan
from lab.topology import parse
from tests.unit.conftest import WHOLE

CONFIG = "/etc/lab/haproxy.cfg"
NODES = ["client", "http-lb1", "mail1", "shell1", "tcp-lb1"]
BY_NETWORK = {"client"}  # whoever comes by a published port has one address, the engine's


def _sections(text: str) -> dict[str, str]:
    """The sections of a configuration by their first line."""
    parts = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def _most(section: str) -> int:
    found = re.findall(r"^ +maxconn (\d+)$", section, re.MULTILINE)
    assert len(found) == 1, section
    return int(found[0])


@pytest.mark.parametrize("node", NODES)
def test_every_door_has_room_of_its_own(node: str) -> None:
    made = plan(parse(f"{WHOLE}shell: {{}}\n"), "debian")
    text = next(file.text for file in made.node(node).files if file.path == CONFIG)
    sections = _sections(text)
    doors = {name: part for name, part in sections.items() if name.split()[0] in ("frontend", "listen")}
    assert {"frontend status", "frontend own"} <= doors.keys()
    assert sum(map(_most, doors.values())) <= _most(sections["global"])
    for name, part in doors.items():
        each = re.findall(r"sc0_conn_cur gt (\d+)", part)
        if name == "frontend own" or (node in BY_NETWORK and name.startswith("listen")):
            continue
        assert each, f"{node}: one address may take all of '{name}'"
        assert int(each[0]) * 2 <= _most(part) + 1


def test_the_gateway_takes_less_than_the_balancers_let_one_address_have() -> None:
    made = plan(parse(f"{WHOLE}shell: {{}}\n"), "debian")
    texts = {
        node: next(file.text for file in made.node(node).files if file.path == CONFIG) for node in ("client", "tcp-lb1")
    }
    gateway = [_most(part) for name, part in _sections(texts["client"]).items() if name.startswith("listen")]
    balancer = _sections(texts["tcp-lb1"])
    led = [balancer[f"listen {listener.name}"] for listener in made.listeners if listener.options.public]
    allowed = [int(each) for part in led for each in re.findall(r"sc0_conn_cur gt (\d+)", part)]
    assert len(allowed) == len(led)
    assert max(gateway) < min(allowed)


def test_the_database_is_led_fewer_connections_than_it_takes() -> None:
    made = plan(parse(f"{WHOLE}shell: {{}}\n"), "debian")
    database = next(file.text for file in made.node("mysql1").files if file.path == "/etc/lab/my.cnf")
    (most,) = re.findall(r"^max-connections = (\d+)", database, re.MULTILINE)
    balancer = next(file.text for file in made.node("tcp-lb1").files if file.path == CONFIG)
    led = [_most(part) for name, part in _sections(balancer).items() if name.startswith("listen mysql")]
    assert len(led) == 2
    assert max(led) < int(most)
