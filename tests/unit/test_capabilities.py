"""No service has more of a node's capabilities than its role says that it keeps."""

from __future__ import annotations

import re

import pytest

from lab.recipes import families, manifest, recipe, roles

MOUNTING = {"mounts", "glusterd", "volumes"}
FOR_ALL = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"}


def _bounds(role: str, family: str) -> dict[str, set[str]]:
    text = recipe(role, family).context["rootfs/etc/lab/services.conf"].content.decode()
    found = re.findall(
        r"^command = /usr/lib/lab/prefixed (\S+) \S+setpriv --bounding-set=-all,(\S+) ", text, re.MULTILINE
    )
    assert len(found) == text.count("[program:"), "a service without a bound"
    return {name: set(said.replace("+", "").upper().split(",")) for name, said in found}


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("role", roles())
def test_every_service_is_bounded_and_only_what_mounts_may_mount(role: str, family: str) -> None:
    for service, bounds in _bounds(role, family).items():
        assert bounds >= FOR_ALL
        assert "SETPCAP" not in bounds
        assert ("SYS_ADMIN" in bounds) == (service in MOUNTING), service


@pytest.mark.parametrize("role", roles())
def test_what_a_service_keeps_the_node_has(role: str) -> None:
    kind = manifest(role)
    kept = kind.merged("keeps")
    assert kept.keys() <= kind.services.keys(), "a service that is not there"
    for service in kind.services:
        assert set(kind.capabilities_of(service)) <= kind.merged("capabilities").keys(), service
