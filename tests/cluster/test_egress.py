"""What users of shell and web nodes reach: the published services, and no other port of any node or of the host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lab.faults import network
from tests.markers import SITES

if TYPE_CHECKING:
    from lab.plan import NodePlan
    from lab.testing import LabCluster

pytestmark = pytest.mark.read_only

# Tries to open every port of every address, many at a time, and prints those reached, one that refuses too, with errno.
REACHED = """
import errno, json, resource, selectors, socket, sys, time
todo = [(address, port) for addresses, ports in json.loads(sys.argv[1]) for address in addresses for port in ports]
reached, doors = [], selectors.DefaultSelector()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
most = 1600 if hard == resource.RLIM_INFINITY else min(1600, hard - 50)
resource.setrlimit(resource.RLIMIT_NOFILE, (most + 50, hard))
open_at = {}
def connected(door):
    try:
        return bool(door.getpeername())
    except OSError:
        return False
def seen(door, error):
    if error == 0 and not connected(door):  # it ended, and no errno says why: asked again until one does
        todo.append(open_at[door][0])
    elif error in (0, errno.ECONNREFUSED):
        reached.append([*open_at[door][0], error])
    doors.unregister(door)
    del open_at[door]
    door.close()
while todo or open_at:
    while todo and len(open_at) < most:
        door, to = socket.socket(), todo.pop()
        door.setblocking(False)
        error = door.connect_ex(to)
        open_at[door] = to, time.monotonic() + 2
        doors.register(door, selectors.EVENT_WRITE)
        if error != errno.EINPROGRESS:
            seen(door, error)
    for key, _ in doors.select(0.1):
        seen(key.fileobj, key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    for door in [door for door, (_, end) in open_at.items() if end < time.monotonic()]:
        seen(door, errno.ETIMEDOUT)
print(json.dumps(sorted(reached)))
"""
LISTENING = "ss -Hlnt | awk '{print $4}' | sed 's/.*://'"
LOW = 1024
DNS, WEB, SSH, MYSQL, MAIL = {53}, {80, 443}, {22}, {3306}, {25, 143, 465, 587, 993, 4190}
STUDENT = "20001"
NOBODY = "65534"  # processes of people who have no login are ended on a shell node
SECONDS = 120.0


def _allowed(cluster: LabCluster, own: str, *, database: bool) -> dict[str, set[int]]:
    """By address: the explicit list; `own`: the address of the node, which reaches itself."""
    has = {name for name in cluster.plan.images if cluster.plan.role(name)}
    if not cluster.plan.vip:
        return {cluster.plan.entry: WEB} if cluster.plan.entry != own else {}
    ports = (WEB if "http-lb" in has else set()) | (SSH if "shell" in has else set())
    ports |= DNS | MAIL if "mail" in has else set()
    ports |= MYSQL if database and "mysql" in has else set()
    return {cluster.plan.vip: ports}


@pytest.mark.parametrize(("role", "user"), [("shell", NOBODY), ("web", "www-data"), ("web", STUDENT)])
def test_a_user_reaches_what_is_published_and_no_port_else(cluster: LabCluster, role: str, user: str) -> None:
    node = cluster.plan.node(cluster.require(role, 1)[0])
    database = user == "www-data"
    if user == "www-data" and not cluster.run(node.name, f"id {user}").ok:
        user = "apache"
    _reaches(cluster, node, user, database=database)
    root = json.dumps([[[cluster.plan.node("client").address], [1]]])
    done = cluster.backend.run(node.name, ["python3", "-c", REACHED, root])
    assert json.loads(done.stdout), "root of the node is not meant"


@pytest.mark.smaller("its sites are all it needs", topology=SITES)
def test_a_sites_php_reaches_what_is_published_and_its_database(cluster: LabCluster) -> None:
    """Each site has a user of its own; a database is for those that asked for one."""
    node = cluster.plan.node(cluster.require("web", 1)[0])
    sites = cluster.spec.sites
    if {site.database for site in sites.values()} != {True, False}:
        pytest.skip("the topology has no two sites with and without a database")
    for name, site in sites.items():
        _reaches(cluster, node, str(cluster.spec.site_number(name)), database=site.database)


def _reaches(cluster: LabCluster, node: NodePlan, user: str, *, database: bool) -> None:
    """Tries all ports of all addresses as a user of a node; those reached are the explicit list, and the node's own."""
    said = [cluster.run(other.name, LISTENING).stdout.split() for other in cluster.plan.nodes]
    ports = {int(port) for of in said for port in of}
    nodes = {other.address for other in cluster.plan.nodes}
    # Of the host and of the entrance every low port; of the nodes all that listens on any of them.
    known = {network.gateway(cluster.backend), cluster.plan.vip or cluster.plan.entry} - {node.address}
    others = nodes - known - {node.address}
    asked = json.dumps([[sorted(others), sorted(ports)], [sorted(known), sorted(ports | {*range(1, LOW)})]])
    become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
    done = cluster.backend.run(node.name, [*become, "python3", "-c", REACHED, asked], seconds=SECONDS)
    assert done.ok, done.last_line
    reached = {(address, port) for address, port, _ in json.loads(done.stdout)}
    allowed = _allowed(cluster, node.address, database=database)
    assert reached == {(address, port) for address, wanted in allowed.items() for port in wanted}, done.stdout
    own = cluster.backend.run(node.name, [*become, "python3", "-c", REACHED, json.dumps([[["127.0.0.1"], [1, 80]]])])
    assert json.loads(own.stdout), "the node's own loopback"
