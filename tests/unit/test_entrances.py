"""The table of the standing attack against what roles declare: nothing new is without a line."""

from __future__ import annotations

import pytest

from lab.recipes import manifest, roles
from tests.attack.entrances import ENTRANCES, entrance


def test_every_role_has_lines_and_nothing_else_has() -> None:
    assert ENTRANCES.keys() == set(roles())


def _declared(role: str) -> set[int]:
    """The ports of a role's nodes that its declarations name."""
    own = manifest(role).own
    balanced = own.balanced.values()
    led_from = [each.port for other in roles() for each in manifest(other).own.balanced.values() if own.holds_vip]
    return {
        *(each.port for each in own.publishes.values()),
        *(each.to or each.port for each in balanced),
        *(each.check.port for each in balanced),
        *led_from,
    }


@pytest.mark.parametrize("role", roles())
def test_every_declared_port_has_a_line(role: str) -> None:
    missing = {port for port in _declared(role) if entrance(role, port, "docker") is None}
    assert not missing, f"tests/attack/entrances.py says nothing of {missing} of {role}"


def test_ports_are_declared() -> None:
    assert {443, 3306, 8404} <= _declared("tcp-lb") | _declared("mysql") | _declared("http-lb")
    assert _declared("mysql") == {3306, 9104}
