"""Who has shown nothing hears what `entrances.py` says at each port, wherever they stand; no port is without a line."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.lifecycle import secrets
from tests.attack import knock
from tests.attack.entrances import ENTRANCES, OF_BACKENDS, UDP, Entrance, entrance
from tests.markers import LVS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.testing import LabCluster

pytestmark = pytest.mark.read_only

LISTENING = (
    r"ss -Hlntu | awk '{print $1, $5}' | grep -v -e ' 127\.0' -e ' \[::1\]' | sed 's/:\([0-9]*\)$/ \1/' | sort -u"
)
PROGRAM = "/var/tmp/knock.py"
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
SECONDS = 120.0
PATIENCE, LONGER = "2", "20"  # seconds until the first word
UDP_SECONDS = 10.0
ENDED = re.compile(r"HTTP/1\.[01] 408 .*")
"""What a server says when no request came for as long as it waits: no greeting. Emulated nodes are given that long."""
GALERA = pytest.mark.galera("its nodes have ports of their own")
Doors = dict[tuple[str, int], tuple[str, Entrance]]


def _asked(doors: Doors) -> str:
    """The doors with the ways of knocking, as `knock.py` takes them."""
    return json.dumps(
        [
            [*door, [kind for kind in knock.KINDS if getattr(line, kind) is not None]]
            for door, (_, line) in doors.items()
        ]
    )


def _listening(cluster: LabCluster, node: str, kind: str = "tcp", but: str = "") -> set[int]:
    """The ports that are reached from outside the node, without those that are bound to the address `but`."""
    rows = [line.split() for line in cluster.run(node, LISTENING).stdout.splitlines()]
    return {int(port) for protocol, address, port in rows if protocol == kind and address != but}


def _doors(cluster: LabCluster) -> Doors:
    """Every door of every node, and of the VIP, with the node's name and the line of the door."""
    found: Doors = {}
    for node in cluster.plan.nodes:
        of_any_address = _listening(cluster, node.name, but=node.address)
        for port in _listening(cluster, node.name):
            line = entrance(node.role, port, cluster.backend.name, cluster.spec)
            assert line, f"{node.name} listens on {port}, and tests/attack/entrances.py has no line for it"
            found[node.address, port] = node.name, line
            if cluster.plan.vip and node.role == "tcp-lb" and port in of_any_address:
                found[cluster.plan.vip, port] = "the VIP", line
    return found


def _wrong(doors: Doors, heard: dict[str, dict[str, str]]) -> list[str]:
    """What was heard and is not what the line says."""
    return [
        f"{name}, port {port}, {kind}: {said!r} instead of {getattr(line, kind)!r}"
        for (address, port), (name, line) in doors.items()
        for kind, said in heard[_key((address, port))].items()
        if not re.fullmatch(getattr(line, kind), "" if kind == "greeting" and ENDED.fullmatch(said) else said)
    ]


def _held(doors: Doors, ask: Callable[[str, str], str]) -> None:
    """What is heard is what is written; a door that said nothing is asked again, since a machine may be busy."""
    heard = json.loads(ask(_asked(doors), PATIENCE))
    late = [
        [
            *door,
            [
                kind
                for kind, said in heard[_key(door)].items()
                if not said and not re.fullmatch(getattr(line, kind), said)
            ],
        ]
        for door, (_, line) in doors.items()
    ]
    if late := [row for row in late if row[-1]]:
        for key, answers in json.loads(ask(json.dumps(late), LONGER)).items():
            heard[key] |= answers
    assert _wrong(doors, heard) == []


def _key(door: tuple[str, int]) -> str:
    """The name of a door in the answer of `knock.py`."""
    return f"{door[0]} {door[1]}"


@GALERA
@pytest.mark.xen_smoke("a domain has a port of its own, of the lab", topology=LVS)
def test_every_port_has_a_line_and_every_line_a_port(cluster: LabCluster) -> None:
    _doors(cluster)
    for node in cluster.plan.nodes:
        tcp = _listening(cluster, node.name)
        wanted = UDP.get(node.role, set())
        cluster.until(  # a program that asks for a name has such a port until it is answered
            f"{node.name} to listen by UDP at {wanted or 'no port'} alone",
            UDP_SECONDS,
            partial(_listening, cluster, node.name, "udp"),
            wanted.__eq__,
        )
        lines = {line for line in ENTRANCES.get(node.role, {}) if isinstance(line, int)}
        lines = lines | OF_BACKENDS[cluster.backend.name].keys()
        if set(cluster.plan.images) >= ENTRANCES.keys():  # where a role is missing, so are some of the doors to it
            assert lines <= tcp, f"{node.name} does not listen on {lines - tcp}: a line too many in entrances.py"


@GALERA
def test_a_neighbour_without_a_certificate_hears_what_is_written(cluster: LabCluster) -> None:
    """Root of a node of the network that is none of the cluster's parts."""
    doors = _doors(cluster)
    cluster.backend.put("client", {PROGRAM: (Path(knock.__file__).read_bytes(), 0o644)})

    def ask(doors: str, patience: str) -> str:
        seconds = str(cluster.clock.limit(float(patience)))
        done = cluster.backend.run("client", ["python3", PROGRAM, doors, seconds], seconds=SECONDS)
        assert done.ok, done.last_line
        return done.stdout

    _held(doors, ask)


def test_another_user_of_this_machine_hears_what_is_written(cluster: LabCluster) -> None:
    if cluster.backend.name != "docker":
        pytest.skip("the nodes' network is inside the Xen host")
    doors = _doors(cluster)
    become = NOBODY if os.geteuid() == 0 else []
    program = Path(knock.__file__).read_text(encoding="utf-8")
    _held(doors, partial(_subprocess, [*become, "/usr/bin/env", "python3", "-c", program]))


def _subprocess(program: list[str], doors: str, patience: str) -> str:
    argv = [*program, doors, patience]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_visitor_hears_what_is_written_at_the_published_ports_alone(cluster: LabCluster) -> None:
    published = {entry.host_port: entry.port for node in cluster.plan.nodes for entry in node.publish}
    if not published:
        pytest.skip("this topology publishes no port")
    doors = {
        ("127.0.0.1", port): (f"published {inner}", ENTRANCES["client"][inner]) for port, inner in published.items()
    }
    _held(doors, partial(_subprocess, [sys.executable, knock.__file__]))
    assert {node.name for node in cluster.plan.nodes if node.publish} == {"client"}


def test_another_user_of_this_machine_reads_no_secret(cluster: LabCluster) -> None:
    where = secrets.folder(cluster.plan.cluster)
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in where.iterdir()} == {0o600}
