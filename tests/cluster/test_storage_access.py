"""Volumes are opened by root of the nodes that mount them: nobody else in the network reads or writes one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.lifecycle import authority, secrets
from lab.topology import Storage
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = [
    pytest.mark.smaller("a storage node and one of each role that mounts are all it needs", topology=PEOPLE),
    pytest.mark.read_only,
]

# What an attack did: GlusterFS' own library is installed where volumes are mounted, and claims to be whoever it likes.
OPENED = """
import ctypes, sys
g = ctypes.CDLL("libgfapi.so.0")
g.glfs_new.restype = ctypes.c_void_p
volume = ctypes.c_void_p(g.glfs_new(sys.argv[2].encode()))
g.glfs_set_volfile_server(volume, b"tcp", sys.argv[1].encode(), 24007)
g.glfs_set_logging(volume, b"/dev/null", 0)
opened = g.glfs_init(volume) == 0
if opened:
    g.glfs_setfsuid(0)
    opened = g.glfs_chdir(volume, b"/") == 0
print("opened" if opened else "refused")
"""
# A stranger at a door: with TLS and a certificate or none, then in plain bytes, as GlusterFS speaks where TLS is off.
KNOCK = """
import socket, ssl, sys
host, port, own = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
context = ssl.create_default_context(cafile="/etc/lab/ca.crt")
if own:
    context.load_cert_chain(own[0])
for hello, wrap in ((bytes(60), context.wrap_socket), (bytes([128, 0, 0, 40]) + bytes(40), lambda plain, **_: plain)):
    try:
        with socket.create_connection((host, port), timeout=5) as plain:
            with wrap(plain, server_hostname=host) as door:
                door.sendall(hello)
                print("answered" if door.recv(1) else "closed")
    except TimeoutError:
        print("silent")
    except OSError as error:
        print("closed")
"""
LIMIT = 20.0
GLUSTERD = 24007
OWN = "/etc/lab/storage.pem"
WORKERS = {"web": "www-data", "shell": "65534"}  # the user of the least rights that runs what strangers wrote


@pytest.fixture(params=WORKERS)
def mounting(cluster: LabCluster, request: pytest.FixtureRequest) -> str:
    """A node that mounts a volume, with the attack's program in it."""
    cluster.require("storage", 1)
    node = cluster.require(request.param, 1)[0]
    cluster.backend.put(node, {"/var/tmp/opened.py": (OPENED.encode(), 0o644)})
    return node


def _opened(cluster: LabCluster, node: str, *before: str) -> dict[str, str]:
    """What the attack's program says of every volume, run behind other words of a command; of all at once."""
    volumes = cluster.options(Storage).volumes

    def ask(volume: str) -> str:
        argv = [*before, "python3", "/var/tmp/opened.py", "storage1", volume]
        return cluster.backend.run(node, argv, seconds=LIMIT).stdout.strip()

    with ThreadPoolExecutor(len(volumes)) as pool:
        return dict(zip(volumes, pool.map(ask, volumes), strict=True))


def test_a_user_of_a_node_that_mounts_a_volume_opens_none(cluster: LabCluster, mounting: str) -> None:
    user = WORKERS[cluster.plan.node(mounting).role]
    if not cluster.run(mounting, f"id {user}").ok:  # CentOS calls the web server's user otherwise
        user = "apache"
    assert set(_opened(cluster, mounting).values()) == {"opened"}, "root of the node may"
    become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
    assert set(_opened(cluster, mounting, *become).values()) == {"refused"}


def test_a_node_that_mounts_nothing_opens_none(cluster: LabCluster, mounting: str) -> None:
    """Its certificate is the cluster's, and its name is not among those that the bricks let in."""
    where = secrets.folder(cluster.plan.cluster)
    ca = authority.own(where)
    assert ca
    leaf = ca.issued([f"stranger.{cluster.plan.cluster}.test"], "stranger")
    cluster.backend.put(mounting, {"/var/tmp/other.pem": ((leaf + authority.trusted(where)).encode(), 0o600)})
    found = {}
    for used in (OWN, "/var/tmp/other.pem"):
        assert cluster.run(mounting, f"cp {used} /run/used.pem").ok
        over = f'mount --bind /run/used.pem {OWN} && exec "$@"'
        found[used] = _opened(cluster, mounting, "unshare", "--mount", "sh", "-c", over, "sh")
    cluster.run(mounting, "rm /var/tmp/other.pem /run/used.pem")
    assert set(found[OWN].values()) == {"opened"}
    assert "opened" not in found["/var/tmp/other.pem"].values()  # the library asks the bricks again and again


def test_keys_are_roots_alone(cluster: LabCluster, mounting: str) -> None:
    for node in ("storage1", mounting):
        assert cluster.run(node, f"stat -Lc '%a %U' {OWN}").stdout.split() == ["600", "root"], node


def _doors(cluster: LabCluster) -> list[int]:
    """The ports of a storage node: glusterd's, and one of each brick."""
    ports = cluster.run("storage1", "ss -Hlnt | awk '{print $4}' | sed 's/.*://' | sort -un").stdout.split()
    doors = [int(port) for port in ports if int(port) >= GLUSTERD]
    assert GLUSTERD in doors
    assert len(doors) > 1, "no brick listens"
    return doors


def test_no_door_of_storage_opens_to_a_stranger(cluster: LabCluster) -> None:
    for port in _doors(cluster):
        said = cluster.backend.run("client", ["python3", "-c", KNOCK, "storage1", str(port)], seconds=LIMIT).stdout
        assert set(said.split()) <= {"closed", "silent"}, f"{port}: {said}"


def test_a_certificate_of_somebody_elses_making_opens_none(cluster: LabCluster, mounting: str) -> None:
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout /tmp/k.pem -out /tmp/c.pem 2> /dev/null"
    assert cluster.run("client", f"{request} -subj /CN={mounting} && cat /tmp/c.pem /tmp/k.pem > /tmp/own.pem").ok
    for port in _doors(cluster):
        knock = ["python3", "-c", KNOCK, "storage1", str(port), "/tmp/own.pem"]
        said = cluster.backend.run("client", knock, seconds=LIMIT).stdout
        assert set(said.split()) <= {"closed", "silent"}, f"{port}: {said}"
    cluster.run("client", "rm -f /tmp/k.pem /tmp/c.pem /tmp/own.pem")
