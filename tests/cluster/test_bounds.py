"""What a service may do of what its node may: read from the kernel, for every process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.testing import LabCluster

SYS_ADMIN, NET_RAW, NET_ADMIN, SETPCAP = 21, 13, 12, 8  # linux/capability.h
LOOK = """
import json, pathlib
found = {}
for place in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        said = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        command = (place / "cmdline").read_bytes().replace(b"\\0", b" ").decode(errors="replace").strip()
    except OSError:
        continue
    found[int(place.name)] = [int(said["PPid"]), int(said["CapBnd"], 16), int(said["CapEff"], 16), command]
print(json.dumps(found))
"""
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups "
FILTERED = ("web", "shell")  # whose users reach published services alone
SERVICES = 'supervisorctl -c /etc/lab/supervisord.conf status | awk \'/RUNNING/ { gsub(",", "", $4); print $1, $4 }\''


def _services(cluster: LabCluster, node: str, count: int) -> dict[str, str]:
    """The numbers of a node's services; one that has just begun has none yet for the supervisor's first second."""

    def ask() -> dict[str, str]:
        return dict(line.split() for line in cluster.run(node, SERVICES).stdout.splitlines())

    return cluster.until(f"{count} services of {node} to run", 20, ask, lambda found: len(found) == count)


@pytest.mark.read_only
def test_no_service_has_more_than_it_keeps(cluster: LabCluster) -> None:
    """Nor has any process that it started; the supervisor and the writers of its log are none."""
    from lab.recipes import manifest

    for node in cluster.plan.nodes:
        kind = manifest(node.role)
        services = _services(cluster, node.name, len(kind.services))
        assert services.keys() == kind.services.keys(), node.name
        table = {
            int(pid): row for pid, row in json.loads(cluster.run(node.name, f"python3 -c '{LOOK}'").stdout).items()
        }
        for service, pid in services.items():
            kept = kind.capabilities_of(service)
            below = {int(pid)}
            while True:
                more = {child for child, row in table.items() if row[0] in below} - below
                if not more:
                    break
                below |= more
            for process in below & table.keys():
                _, bound, effective, command = table[process]
                for name, bit in (
                    ("SYS_ADMIN", SYS_ADMIN),
                    ("NET_RAW", NET_RAW),
                    ("NET_ADMIN", NET_ADMIN),
                    ("SETPCAP", SETPCAP),
                ):
                    if name not in kept:
                        assert not (bound | effective) >> bit & 1, f"{node.name}: {service}: {command} has {name}"


@pytest.mark.read_only
def test_nobody_but_a_balancer_sends_what_it_likes(cluster: LabCluster) -> None:
    """And still everybody pings."""
    raw = {node.name for node in cluster.plan.nodes if "NET_RAW" in node.capabilities}
    assert raw == {node.name for node in cluster.plan.role("tcp-lb")}
    for role in cluster.plan.images:
        node = cluster.plan.role(role)[0].name
        for become in ("", NOBODY) if role not in FILTERED else ("",):
            done = cluster.run(node, f"{become}ping -c 1 -W 1 {cluster.plan.node('client').address}")
            assert done.ok, f"{node}: {done.last_line}"
