"""The shared filesystem: what one node wrote every other reads, and no storage node that dies takes a byte with it."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.evidence import Register
from lab.evidence.linear import RegisterAnswer, linearizable
from lab.services.volumes import bricks
from lab.topology import Storage
from tests.cluster.storage_files import FOLDER, SHARED, Writers, healed, python_on, writers_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lab.backends.base import Result
    from lab.testing import Faults, LabCluster, Rounds

pytestmark = [
    pytest.mark.usefixtures("three_bricks"),
    pytest.mark.smaller(
        "three bricks and two nodes that mount are all it needs", topology="tests/cluster/topologies/storage.yaml"
    ),
]

MOUNT_SECONDS = 10.0
BRICKS = "pgrep -x glusterfsd"
REPLACE = """
import os, sys
path = sys.argv[1]
for number in range(9):
    with open(path + ".new", "w") as file:
        file.write(str(number) * 5000)
    os.replace(path + ".new", path)
"""
LOOK = "import sys; print(max(len(set(open(sys.argv[1]).read())) for _ in range(50)))"
APPEND = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for _ in range(100):
    os.write(file, (sys.argv[2] * 99 + chr(10)).encode())
"""


@pytest.fixture
def webs(cluster: LabCluster) -> list[str]:
    """Two nodes that have the volume mounted; the same one twice where there is no other."""
    names = cluster.require("web", 1)
    return [names[0], names[-1]]


@contextlib.contextmanager
def each_at_once(cluster: LabCluster, work: list[tuple[str, ...]]) -> Iterator[list[str]]:
    """Programs on several nodes at the same time, and what each printed."""
    with ThreadPoolExecutor(len(work)) as pool:
        yield list(pool.map(lambda one: python_on(cluster, one[0], *one[1:], seconds=60), work))


def test_what_one_node_wrote_the_others_read(cluster: LabCluster, webs: list[str]) -> None:
    """Close-to-open: after it is closed, every node that opens it reads all of it, again and again."""
    write = "import sys; f = open(sys.argv[1], 'w'); f.write(sys.argv[2]); f.close()"
    read = "import sys; print(open(sys.argv[1]).read())"
    for number in range(20):
        writer, reader = webs if number % 2 else reversed(webs)
        python_on(cluster, writer, write, f"{FOLDER}/open", f"text {number}" * (number + 1))
        assert python_on(cluster, reader, read, f"{FOLDER}/open") == f"text {number}" * (number + 1)


def test_rename_and_append_from_two_nodes(cluster: LabCluster, webs: list[str]) -> None:
    """A rename replaces at once: who reads sees the old or the new. What is appended by two nodes is all there."""
    python_on(cluster, webs[0], REPLACE, f"{FOLDER}/renamed")
    with each_at_once(cluster, [(webs[0], REPLACE, f"{FOLDER}/renamed"), (webs[1], LOOK, f"{FOLDER}/renamed")]) as said:
        assert said[1] == "1", "a reader saw a file that was half the old and half the new"
    cluster.run(webs[0], f"rm -f {FOLDER}/log")
    with each_at_once(cluster, [(webs[0], APPEND, f"{FOLDER}/log", "a"), (webs[1], APPEND, f"{FOLDER}/log", "b")]):
        pass
    lines = cluster.run(webs[0], f"sort {FOLDER}/log | uniq -c").stdout.split()
    assert lines == ["100", "a" * 99, "100", "b" * 99]


def test_a_lock_is_held_across_nodes(cluster: LabCluster, webs: list[str]) -> None:
    """A counter that both nodes raise under a POSIX lock loses no step: with the kernel's own cache it did."""
    count = """
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for _ in range(5):
    fcntl.lockf(f, fcntl.LOCK_EX)
    now = int(os.pread(f, 20, 0) or b"0")
    os.pwrite(f, b"%d" % (now + 1), 0)
    os.fsync(f)
    fcntl.lockf(f, fcntl.LOCK_UN)
"""
    cluster.run(webs[0], f"rm -f {FOLDER}/counter")
    with each_at_once(cluster, [(webs[0], count, f"{FOLDER}/counter"), (webs[1], count, f"{FOLDER}/counter")]):
        pass
    assert cluster.run(webs[1], f"cat {FOLDER}/counter").stdout == "10"


_CUT = pytest.param("cut", marks=pytest.mark.nightly("half a minute: to its peers it is a node that hangs, as 'pause'"))
_PAUSE = pytest.param(
    "pause",
    marks=pytest.mark.nightly("most of a minute: 'kill' loses more, mounts are tried with a hanging node"),
)


_REPLACE = pytest.param(
    "replace",
    marks=pytest.mark.nightly("half a minute: a brick that is emptied is filled again at every change"),
)


@pytest.mark.parametrize("fault", ["kill", _PAUSE, _CUT, _REPLACE])
def test_a_storage_node_is_lost_and_comes_back(
    cluster: LabCluster, faults: Faults, rounds: Rounds, webs: list[str], fault: str
) -> None:
    for round_ in rounds("storage-stalls"):
        healed(cluster)
        with round_, Writers(cluster, webs, fault) as writers:
            writers.more()
            if fault == "replace":
                _replace(cluster, "storage2")
            else:
                with faults.do(fault, "storage2"):
                    writers.more()
                    writers.rest()
            writers.more()
            round_.measured("storage-stalls", *writers.longest())
        healed(cluster)
        writers_checked(cluster, writers)


def _replace(cluster: LabCluster, node: str) -> None:
    """A new machine with an empty disk in the place of one that is gone."""
    cluster.run(node, "supervisorctl -c /etc/lab/supervisord.conf stop all; pkill -KILL gluster; rm -rf /bricks/*")
    cluster.backend.kill(node)
    cluster.backend.start(node)


@pytest.mark.nightly("a minute; at every change one of three is killed under a ledger")
def test_two_of_three_gone_nothing_is_half_written(cluster: LabCluster, faults: Faults, webs: list[str]) -> None:
    healed(cluster)
    write = "import os, sys; f = open(sys.argv[1], 'w'); f.write('x'); f.flush(); os.fsync(f.fileno())"
    with Writers(cluster, webs, "two") as writers, faults.kill("storage2"):
        writers.more()
        with faults.kill("storage3"):
            cluster.until("writes to be refused", 60, lambda: _refused(cluster, webs[0], write), bool)
        cluster.until("writes again", 60, lambda: not _refused(cluster, webs[0], write), bool)
        writers.more()
        writers.rest()
    healed(cluster)
    writers_checked(cluster, writers)


def test_a_full_brick_is_said_and_healed_when_there_is_room(
    cluster: LabCluster, faults: Faults, webs: list[str]
) -> None:
    """The other two take what it can't: nothing is lost, and nothing half written stays."""
    healed(cluster)
    with Writers(cluster, webs, "full") as writers:
        writers.more()
        with faults.fill("storage2", "bricks"):
            cluster.until(
                "the node to say so",
                30,
                lambda: cluster.run("storage2", "cat /run/lab/volumes").stdout,
                lambda said: "disk is full" in said,
            )
            writers.more()
        writers.more()
    healed(cluster)
    writers_checked(cluster, writers)


def _refused(cluster: LabCluster, node: str, write: str) -> bool:
    return not cluster.backend.run(node, ["python3", "-c", write, f"{FOLDER}/refused"], seconds=40).ok


def test_a_register_on_the_shared_filesystem(cluster: LabCluster, faults: Faults, webs: list[str]) -> None:
    """Read and written from two nodes at once while a brick dies and comes back: as if there were one disk."""
    with Register(cluster.backend, webs, FOLDER, clients=4, seed=5) as register:
        cluster.until("some use of it", 60, lambda: len(register.history) > 30)
        with faults.kill("storage3"):
            before = len(register.history)
            cluster.until("more use", 60, lambda: len(register.history) > before + 30)
    assert linearizable(register.history) is RegisterAnswer.YES


@pytest.mark.nightly(
    "half a minute: at every change one of three is killed under writers, and all nodes without (test_scaling.py)"
)
def test_all_storage_off_and_on(cluster: LabCluster, webs: list[str]) -> None:
    """A mount whose servers were all away serves again by itself."""
    healed(cluster)
    with Writers(cluster, webs, "off") as writers:
        writers.more()
        for node in cluster.plan.role("storage"):
            cluster.backend.kill(node.name)
        for node in reversed(cluster.plan.role("storage")):
            cluster.backend.start(node.name)
        writers.more()
    healed(cluster)
    writers_checked(cluster, writers)


MARK = """
import os, sys, uuid
os.makedirs(sys.argv[1] + "/.glusterfs", exist_ok=True)
os.setxattr(sys.argv[1], "trusted.glusterfs.volume-id", uuid.uuid4().bytes)
"""
KNOWS = """
import json, sys
from pathlib import Path
path = Path("/etc/lab/storage.json")
told = json.loads(path.read_text())
told["volumes"].append(sys.argv[1])
path.write_text(json.dumps(told))
"""


@pytest.mark.nightly("most of a minute: makes all volumes anew; happens at a cluster's first start alone")
def test_a_volume_whose_making_was_broken_off_is_made(cluster: LabCluster) -> None:
    """One node refused, or died: the others have marked their bricks for a volume that nobody knows."""
    storage, nodes = cluster.options(Storage), cluster.require("storage", 3)
    for node in nodes[:2]:
        python_on(cluster, node, MARK, "/bricks/attic")
    more = storage.model_copy(update={"volumes": [*storage.volumes, "attic"]})
    with cluster.changed(cluster.spec.model_copy(update={"storage": more})):
        made = bricks(cluster.backend)
    away = "gluster --mode=script volume stop attic && gluster --mode=script volume delete attic"
    assert cluster.run(nodes[0], away, seconds=60).ok
    for node in nodes:
        assert made[node]["attic"]["brick"], made
        cluster.run(node, "rm -r /bricks/attic")


def test_nothing_is_made_over_data_that_no_volume_has(cluster: LabCluster) -> None:
    node = cluster.require("storage", 3)[1]
    reload = "/usr/lib/lab/reload.d/storage.json"
    cluster.run(node, "cp -p /etc/lab/storage.json /tmp/; mkdir /bricks/cellar; echo wine > /bricks/cellar/kept")
    python_on(cluster, node, MARK, "/bricks/cellar")
    python_on(cluster, node, KNOWS, "cellar")
    try:
        cluster.run(node, reload)
        said = partial(cluster.run, node, "cat /run/lab/volumes")
        cluster.until("it to be said", 30, said, lambda done: "/bricks/cellar holds the data of" in done.stdout)
        assert cluster.run(node, "cat /bricks/cellar/kept").stdout == "wine\n"
    finally:
        cluster.run(node, f"cp -p /tmp/storage.json /etc/lab/ && {reload}; rm -r /bricks/cellar /tmp/storage.json")


@pytest.mark.nightly("a hung glusterd is seen by questions that time out: up to 150 s")
def test_a_glusterd_that_hangs_before_its_bricks_run_is_started_anew(cluster: LabCluster) -> None:
    """Never while they run: a glusterd that begins anew ends them until it has counted its peers."""
    healed(cluster)
    number = "pgrep -ox glusterd"
    before = cluster.run("storage2", number).stdout
    cluster.run("storage2", "pkill -STOP -x glusterd; pkill -KILL -x glusterfsd")
    cluster.until("another glusterd", 150, lambda: cluster.run("storage2", number).stdout not in ("", before))
    healed(cluster)


def _replaced(old: list[str], now: Result) -> bool:
    return len(now.stdout.split()) == len(old) and not set(old) & set(now.stdout.split())


def test_certificates_are_read_anew_and_no_file_fails(cluster: LabCluster, webs: list[str]) -> None:
    """Bricks and mounts begin anew one after the other; a file that is open stays so, and then its mount ends."""
    reload, mounts = "/usr/lib/lab/reload storage.pem", "pgrep -x glusterfs"
    hold = f"tail -f /dev/null > {FOLDER}/held & echo $!"
    bricks_before = {node.name: cluster.run(node.name, BRICKS).stdout for node in cluster.plan.role("storage")}
    held = cluster.run(webs[0], hold).stdout.strip()
    before = {node: cluster.run(node, mounts).stdout for node in webs}
    with Writers(cluster, webs, "renewed") as writers:
        for node in bricks_before:
            writers.rest()
            healed(cluster)
            writers.wake()
            done = cluster.run(node, reload, seconds=60)
            assert done.ok, done.last_line
        for node in before:
            done = cluster.run(node, reload, seconds=60)
            assert done.ok, done.last_line
        writers.more()
        failed = {node: cluster.run(node, f"cat /var/tmp/renewed-{node}.said").stdout for node in webs}
    healed(cluster)
    for node, old in bricks_before.items():
        assert not set(old.split()) & set(cluster.run(node, BRICKS).stdout.split())
    assert set(failed.values()) == {""}, failed
    assert cluster.run(webs[0], f"echo still > /proc/{held}/fd/1").ok
    assert cluster.run(webs[-1], f"cat {FOLDER}/held").stdout == "still\n"
    cluster.run(webs[0], f"kill {held}; rm {FOLDER}/held")
    for node, old in before.items():
        processes = partial(cluster.run, node, mounts)
        ended = partial(_replaced, old.split())
        cluster.until("the earlier mount to end", MOUNT_SECONDS, processes, ended)
    writers_checked(cluster, writers)


@contextlib.contextmanager
def _storage_hangs(cluster: LabCluster, _: str) -> Iterator[None]:
    nodes = [each.name for each in cluster.plan.role("storage")]
    try:
        for node in nodes:
            cluster.backend.pause(node)
        yield
    finally:
        for node in nodes:
            cluster.backend.start(node)


@contextlib.contextmanager
def _bricks_hang(cluster: LabCluster, _: str) -> Iterator[None]:
    """Glusterd goes on: the new mount begins, and a look at it can't be ended by a signal."""
    nodes = [each.name for each in cluster.plan.role("storage")]
    try:
        for node in nodes:
            assert cluster.run(node, "pkill -STOP -x glusterfsd").ok
        yield
    finally:
        for node in nodes:
            cluster.run(node, "pkill -CONT -x glusterfsd")


@contextlib.contextmanager
def _nothing_can_be_moved(cluster: LabCluster, node: str) -> Iterator[None]:
    program = "/usr/lib/lab/python/lab_node/exchange.py"
    broken = f"mv {program} {program}.kept && echo 'raise SystemExit(1)' > {program}"
    try:
        assert cluster.run(node, broken).ok
        yield
    finally:
        cluster.run(node, f"mv {program}.kept {program}")


ANOTHER = pytest.mark.nightly(
    "a quarter of a minute: another hindrance on the same way, of which one is tried at every change"
)
HINDRANCES = [
    pytest.param(_storage_hangs, marks=ANOTHER),
    _bricks_hang,
    pytest.param(_nothing_can_be_moved, marks=ANOTHER),
]


@pytest.mark.parametrize("hindrance", HINDRANCES, ids=lambda hindrance: hindrance.__name__.strip("_"))
def test_a_mount_that_can_not_be_renewed_stays_until_it_can(
    cluster: LabCluster, webs: list[str], hindrance: Callable[[LabCluster, str], AbstractContextManager[None]]
) -> None:
    """The bare directory below it is never seen, and a second renewal during the first ends like the first."""
    node = webs[0]
    mount = f"awk '$5 == \"{SHARED}\" {{ print $1 }}' /proc/self/mountinfo"
    staged = "grep -q /run/lab/anew/ /proc/self/mountinfo"
    before = cluster.run(node, mount).stdout.split()
    assert len(before) == 1
    with ThreadPoolExecutor(2) as pool:
        reload = partial(cluster.run, node, "/usr/lib/lab/reload storage.pem", seconds=120)
        with hindrance(cluster, node):
            reloads = [pool.submit(reload)]
            cluster.until("a new mount to be tried", 20, partial(cluster.run, node, staged), lambda said: said.ok)
            reloads.append(pool.submit(reload))
            cluster.until("it to be given up", 30, partial(cluster.run, node, staged), lambda said: not said.ok)
            assert cluster.run(node, mount).stdout.split() == before
        done = [each.result() for each in reloads]
    assert all(each.ok for each in done), [each.last_line for each in done]
    now = cluster.run(node, mount).stdout.split()
    assert len(now) == 1
    assert now != before
    assert not cluster.run(node, staged).ok
    healed(cluster)


def test_status_tells_every_brick(cluster: LabCluster) -> None:
    healed(cluster)
    found = bricks(cluster.backend)
    assert {volume for of in found.values() for volume in of} == set(cluster.options(Storage).volumes)
    assert json.dumps(found)
