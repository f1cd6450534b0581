"""Mounts of the shared filesystem heal by themselves, whatever they met when they began: on every role that has one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.storage_files import python_on

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster

pytestmark = pytest.mark.usefixtures("three_bricks")

ROLES = ("web", "shell", "mail", "backup")
SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"
ANSWERS = """bash -c '. /usr/lib/lab/ready.d/mounts; echo "$because"'"""
FIRST_PATIENCE, SERVING_PATIENCE = 10, 60  # of /usr/lib/lab/mounts
MOUNT_SECONDS = 10  # a mount that meets nothing in its way


@pytest.fixture
def mounting(cluster: LabCluster) -> list[str]:
    """One node of each role that mounts."""
    return [cluster.plan.role(role)[0].name for role in ROLES if cluster.plan.role(role)]


def _everywhere(cluster: LabCluster, nodes: list[str], command: str) -> list[str]:
    """Runs a command on all nodes at once; what each printed."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        return [done.stdout for done in pool.map(partial(cluster.run, command=command), nodes)]


def _silent(cluster: LabCluster, nodes: list[str]) -> dict[str, str]:
    """The nodes on which some volume does not answer, and what they say."""
    said = _everywhere(cluster, nodes, ANSWERS)
    return {node: one.strip() for node, one in zip(nodes, said, strict=True) if one.strip()}


def _all_answer(cluster: LabCluster, nodes: list[str], seconds: float) -> None:
    cluster.until("every mount to answer", seconds, lambda: _silent(cluster, nodes), lambda silent: not silent)


def _begin_anew(cluster: LabCluster, nodes: list[str]) -> None:
    _everywhere(cluster, nodes, f"{SUPERVISOR} restart mounts")


def test_a_storage_node_that_hangs_keeps_no_mount_from_beginning(
    cluster: LabCluster, faults: Faults, mounting: list[str]
) -> None:
    """The first node that is asked takes the connection and says nothing; the two others serve."""
    first = cluster.plan.role("storage")[0].name
    with faults.pause(first):
        _begin_anew(cluster, mounting)
        stall = cluster.bound("storage-stalls") or 0.0
        _all_answer(cluster, mounting, FIRST_PATIENCE + MOUNT_SECONDS + stall)


@pytest.mark.nightly("waits for all of the patience with a mount that others work on: a minute")
def test_a_mount_that_hangs_is_made_anew(cluster: LabCluster, mounting: list[str]) -> None:
    """Its own process, stopped: nothing but another one helps."""
    node = mounting[0]
    cluster.run(node, "pkill -STOP -x glusterfs")
    assert _silent(cluster, [node]), "a stopped process answers"
    _all_answer(cluster, [node], SERVING_PATIENCE + MOUNT_SECONDS)


_STOP = pytest.param(
    "STOP",
    marks=pytest.mark.nightly("to a mount that begins a brick that hangs is one that is not there, as after 'KILL'"),
)


@pytest.mark.parametrize("bricks", ["KILL", _STOP])
def test_a_mount_that_began_without_bricks_serves_when_they_are_there(
    cluster: LabCluster, mounting: list[str], bricks: str
) -> None:
    """Every glusterd answers, no brick does."""
    storage = [node.name for node in cluster.plan.role("storage")]
    _everywhere(cluster, storage, f"{SUPERVISOR} stop volumes; pkill -{bricks} -x glusterfsd")
    try:
        _begin_anew(cluster, mounting)
        cluster.until("no mount to answer", MOUNT_SECONDS, lambda: len(_silent(cluster, mounting)) == len(mounting))
    finally:
        _everywhere(cluster, storage, f"pkill -CONT -x glusterfsd; {SUPERVISOR} start volumes")
    _all_answer(cluster, mounting, 3 * MOUNT_SECONDS)


@pytest.mark.nightly(
    "all nodes, those that mount too, are killed and started in any order at every change (test_scaling.py)"
)
def test_mounts_and_storage_begin_in_any_order(cluster: LabCluster, mounting: list[str]) -> None:
    """All lose power; who mounts is on again before any storage node, and the storage nodes one after another."""
    storage = [node.name for node in cluster.plan.role("storage")]
    for node in (*storage, *mounting):
        cluster.backend.kill(node)
    for node in (*mounting, *reversed(storage)):
        cluster.backend.start(node)
    _all_answer(cluster, mounting, 60)
    cluster.heal()


# Prints each owner and mode that a directory is seen with, until it has its own.
SEEN = """
import os, pwd, sys, time
path, owner = sys.argv[1:]
seen, end = [], time.monotonic() + 30
while (owner, "750") not in seen and time.monotonic() < end:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        continue
    said = pwd.getpwuid(found.st_uid).pw_name, f"{found.st_mode & 0o7777:o}"
    if said not in seen:
        seen.append(said)
print(*(" ".join(one) for one in seen), sep=", ")
"""


@pytest.mark.parametrize(
    "before", ["true", "mkdir -m 0000 /srv/shared/trial"], ids=["nothing", "left by a killed node"]
)
def test_a_node_is_ready_once_its_directory_is_complete(cluster: LabCluster, before: str) -> None:
    """The directory of a volume is never seen with another owner or mode than its own, but for none at all."""
    web = cluster.plan.role("web")[0].name
    owner = cluster.run(web, "awk '$3 == \"uploads\" { print $4 }' /etc/lab/mounts").stdout.strip()
    lines = cluster.run(web, "cat /etc/lab/mounts").stdout
    more = f"www /srv/shared trial {owner} 0750\n"  # where the volume is mounted already: only the directory is missing
    try:
        cluster.run(web, f"{before}; printf %s '{lines}{more}' > /etc/lab/mounts")
        assert "has no directory trial yet" in _silent(cluster, [web])[web]
        cluster.run(web, f"printf %s '{lines}{more.replace('/srv/shared', '/mnt/trial')}' > /etc/lab/mounts")
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(python_on, cluster, web, SEEN, "/srv/shared/trial", owner.partition(":")[0])
            cluster.run(web, f"{SUPERVISOR} signal HUP mounts")
            assert seen.result().split(", ")[-1] == f"{owner.partition(':')[0]} 750"
        assert {one.split()[1] for one in seen.result().split(", ")} <= {"0", "750"}, seen.result()
        _all_answer(cluster, [web], MOUNT_SECONDS)
    finally:
        cluster.run(web, f"printf %s '{lines}' > /etc/lab/mounts; {SUPERVISOR} signal HUP mounts")
        cluster.run(web, "rmdir /srv/shared/trial")
