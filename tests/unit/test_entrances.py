"""The table of the standing attack against what roles declare: nothing new is without a line."""

from __future__ import annotations

import pytest

from lab.recipes import manifest, roles
from tests.attack.entrances import ENTRANCES, entrance


def test_every_role_has_lines_and_nothing_else_has() -> None:
    assert ENTRANCES.keys() == set(roles())


@pytest.mark.parametrize("role", roles())
def test_every_declared_port_has_a_line(role: str) -> None:
    missing = {name: port for name, port in manifest(role).own.ports.items() if entrance(role, port) is None}
    assert not missing, f"tests/attack/entrances.py says nothing of {missing} of {role}"
