"""The shared filesystem after faults that leave its copies apart: it heals, or names the files that it can't."""

from __future__ import annotations

import contextlib
import json
import random
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.services import unlike
from lab.services.volumes import bricks
from tests.cluster import storm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.backends.base import Result
    from lab.testing import LabCluster

pytestmark = [
    pytest.mark.usefixtures("three_bricks"),
    pytest.mark.smaller(
        "three bricks and two nodes that mount are all it needs", topology="tests/cluster/topologies/storage.yaml"
    ),
]

VOLUME, SHARED, BRICK = "www", "/srv/shared", "/bricks/www"
NODES = ("storage1", "storage2", "storage3")
NOTICED_SECONDS = 60.0  # a brick that was emptied
SETTLED_SECONDS = 35.0  # a brick that was just started is looked into no sooner
HEAL_SECONDS = 120.0
MOUNT_SECONDS = 20.0
FORGOTTEN_SECONDS = 75.0  # after which a node no longer names what its self-heal daemon said once
MANY = 200
READ = """
import json, sys
from pathlib import Path
found = {}
for path in map(Path, json.load(sys.stdin)):
    try:
        found[str(path)] = path.read_text()
    except FileNotFoundError:
        pass
    except OSError as error:
        found[str(path)] = None
        print(path, error, file=sys.stderr)
print(json.dumps(found))
"""


@pytest.fixture
def webs(cluster: LabCluster) -> list[str]:
    """Two nodes that have the volume mounted."""
    return cluster.require("web", 2)[:2]


def _well(found: dict[str, dict[str, dict[str, Any]]]) -> bool:
    rows = [row for of in found.values() for row in of.values()]
    return len(found) == len(NODES) and all(row["brick"] and not row["heal"] for row in rows)


def _healed(cluster: LabCluster, seconds: float = HEAL_SECONDS) -> None:
    cluster.until("every volume to be healed", seconds, partial(bricks, cluster.backend), _well)


# --- a brick that is emptied while it serves


AT_NIGHT = pytest.mark.nightly("another way to the same end, 40 s each")
EMPTYING = [
    "rm -rf {0}",
    pytest.param("rm -rf {0}/*", marks=AT_NIGHT),
    pytest.param("find {0} -mindepth 1 -delete", marks=AT_NIGHT),
    pytest.param("rm -rf {0}/uploads/*", marks=AT_NIGHT),
]


@pytest.mark.parametrize("how", EMPTYING)
def test_a_brick_that_is_emptied_is_noticed_and_healed(cluster: LabCluster, webs: list[str], how: str) -> None:
    """Within a minute, as an empty disk is; who reads by the other copies misses nothing afterwards."""
    _healed(cluster)
    folder, emptied = f"{SHARED}/uploads/emptied", NODES[2]
    make = f"mkdir -p {folder} && cd {folder} && for i in $(seq {MANY}); do echo $i > $i; done"
    assert cluster.run(webs[0], make, seconds=120).ok
    count = f"find {BRICK}/uploads/emptied -type f | wc -l"
    _settled(cluster, emptied)
    cluster.run(emptied, how.format(BRICK))
    cluster.until(
        "the files to be there again",
        NOTICED_SECONDS,
        partial(cluster.run, emptied, count),
        lambda said: said.stdout.strip() == str(MANY),
    )
    _healed(cluster)
    assert cluster.run(webs[1], f"ls {folder} | wc -l").stdout.strip() == str(MANY)
    cluster.run(webs[0], f"rm -r {folder}", seconds=60)


def _settled(cluster: LabCluster, node: str) -> None:
    old = f"test $(($(date +%s) - $(stat -c %Y /run/gluster/vols/{VOLUME}/*.pid))) -gt {SETTLED_SECONDS:.0f}"
    cluster.until("the brick to have run for a while", 2 * SETTLED_SECONDS, partial(cluster.run, node, old), _ok)


def _ok(said: Result) -> bool:
    return said.ok


# --- a self-heal daemon that dies

HEALERS = "for file in /run/gluster/shd/*/*.pid; do grep -qa glustershd /proc/$(cat $file)/cmdline || exit 1; done"


def test_a_self_heal_daemon_that_is_killed_heals_again(cluster: LabCluster, webs: list[str]) -> None:
    """Of all volumes: what its brick notes for another, that node alone tells its daemon."""
    _healed(cluster)
    node = NODES[1]
    _settled(cluster, node)
    assert cluster.run(node, "pkill -KILL -f 'process-name [g]lustershd'").ok
    assert not cluster.run(node, HEALERS).ok
    cluster.until("the self-heal daemon to run", NOTICED_SECONDS, partial(cluster.run, node, HEALERS), _ok)
    assert cluster.run(webs[0], f"touch {SHARED}/uploads/after && rm {SHARED}/uploads/after").ok
    _healed(cluster)


# --- copies that contradict each other

# What some kills leave: copies that blame each other. Of the name's directory, where the name is another file on each
# brick, or even a directory on some; of the file itself, where its data or its attributes differ.
APART = """
import os, sys, uuid
from pathlib import Path
brick, folder, name, text, how, own = Path(sys.argv[1]), *sys.argv[2:6], int(sys.argv[6])
directory, path = brick / folder, brick / folder / name
same = how in ("data", "mode")
gfid = str(uuid.uuid5(uuid.NAMESPACE_URL, folder if same else text))
above = str(uuid.UUID(bytes=os.getxattr(directory, "trusted.gfid")))
link = brick / ".glusterfs" / gfid[:2] / gfid[2:4] / gfid
link.parent.mkdir(parents=True, exist_ok=True)
if how == "mode" or text == "directory":
    path.mkdir()
    link.symlink_to(f"../../{above[:2]}/{above[2:4]}/{above}/{name}")
    path.chmod(0o700 + own)
elif text == "link":
    path.symlink_to("base")
    os.link(path, link, follow_symlinks=False)
else:
    path.write_text(text)
    os.link(path, link)
os.setxattr(path, "trusted.gfid", uuid.UUID(gfid).bytes, follow_symlinks=False)
os.setxattr(path, "trusted.gfid2path.0123456789abcdef", f"{above}/{name}".encode(), follow_symlinks=False)
os.utime(path, (1700000000 + own, 1700000000 + own), follow_symlinks=False)
place = {"data": 3, "mode": 7}.get(how, 11)  # of three numbers: changes of the data, of attributes, of names
for other in {0, 1, 2} - {own}:
    pending = bytes(place) + b"\\1" + bytes(11 - place)
    os.setxattr(path if same else directory, f"trusted.afr.{brick.name}-client-{other}", pending)
index = brick / ".glusterfs/indices/xattrop"
base = next(index.glob("xattrop-*"), index / f"xattrop-{uuid.uuid4()}")
base.touch()  # a brick that has just begun anew has none yet
of = gfid if same else above
if not (index / of).exists():
    os.link(base, index / of)
"""


@contextlib.contextmanager
def _healers_stopped(cluster: LabCluster) -> Iterator[None]:
    """No self-heal daemon runs: one that looks after the first of several copies was changed would spread that one."""

    def signal(name: str) -> None:
        for node in NODES:
            assert cluster.backend.run(node, ["pkill", f"-{name}", "-f", "process-name [g]lustershd"], seconds=30).ok

    signal("STOP")
    try:
        yield
    finally:
        signal("CONT")


@contextlib.contextmanager
def _apart(cluster: LabCluster, web: str, texts: tuple[str, str, str], how: str = "gfid") -> Iterator[str]:
    """A file, by its path in the volume, of which each brick has a text of its own; equal texts are the same file.

    The text "directory" makes one, "link" a symbolic link. `how`: what differs, `gfid`, `data`, `mode` (of a
    directory), `kind`, or `link` (of a directory that was replaced by a link, as a release is).
    """
    _healed(cluster)
    folder = f"uploads/apart-{how}"
    assert cluster.run(web, f"mkdir -p {SHARED}/{folder} && touch {SHARED}/{folder}/base").ok
    for node in NODES:  # a mount that was just made may not have reached each
        cluster.until(
            "the folder on each brick", HEAL_SECONDS, partial(cluster.run, node, f"ls {BRICK}/{folder}/base"), _ok
        )
    _healed(cluster)
    try:
        with _healers_stopped(cluster):
            for own, (node, text) in enumerate(zip(NODES, texts, strict=True)):
                words = ["python3", "-c", APART, BRICK, folder, "file", text, how, str(own)]
                done = cluster.backend.run(node, words, seconds=30)
                assert done.ok, done.last_line
        yield f"/{folder}/file"
    finally:
        cluster.run(web, f"rm -rf {SHARED}/{folder}")


def _read(cluster: LabCluster, node: str, path: str) -> str:
    return cluster.run(node, f"cat {SHARED}{path}").stdout


def test_what_most_copies_have_is_taken(cluster: LabCluster, webs: list[str]) -> None:
    """Whatever was acknowledged was on most bricks."""
    with _apart(cluster, webs[0], ("most", "other", "most")) as path:
        cluster.until("the file to be read", HEAL_SECONDS, partial(_read, cluster, webs[1], path), "most".__eq__)
        _healed(cluster)


TEXTS = ("first", "second", "third")
OF_KINDS = {"kind": ("first", "directory", "third"), "link": ("link", "directory", "directory")}
AS_WELL = partial(pytest.param, marks=pytest.mark.nightly("another difference of the same copies, 30 s each"))


@pytest.mark.parametrize(
    ("how", "chosen", "shown"),
    [
        ("gfid", "storage2", "second"),
        AS_WELL("data", "storage2", "second"),
        AS_WELL("mode", "storage2", "701"),
        ("kind", "storage1", "first"),
        AS_WELL("kind", "storage2", "701"),
        AS_WELL("link", "storage1", "base"),
        AS_WELL("link", "storage2", "701"),
    ],
)
def test_where_no_copy_is_known_to_be_right_the_file_is_named_and_mended(
    cluster: LabCluster, webs: list[str], how: str, chosen: str, shown: str
) -> None:
    others, texts = [node for node in NODES if node != chosen], OF_KINDS.get(how, TEXTS)
    with _apart(cluster, webs[0], texts, how) as path:
        cluster.until(
            "the file to be named",
            HEAL_SECONDS,
            lambda: unlike.split_brains(cluster.backend, VOLUME),
            lambda found: path in found,
        )
        if how == "link":
            still = cluster.backend.clock.through(
                FORGOTTEN_SECONDS,
                lambda: unlike.split_brains(cluster.backend, VOLUME),
                lambda found: path in found,
            )
            assert path in still, "a person looks later than in the first minute"
        assert how == "mode" or not cluster.run(webs[0], f"cat {SHARED}{path}").ok
        named = {node.name: node.reason for node in cluster.status().nodes if path in node.reason}
        assert set(named) <= set(NODES), named
        assert named, "no storage node says so"
        assert all("lab volume mend" in reason for reason in named.values()), named
        copies = unlike.split_brains(cluster.backend, VOLUME)[path]
        assert [copy.node for copy in copies] == [*NODES]
        assert unlike.mend(cluster.backend, VOLUME, path, chosen).node == chosen
        show = partial(_shown, cluster, f"{SHARED}{path}")
        cluster.until("the file to be read", HEAL_SECONDS, partial(show, webs[1]), shown.__eq__)
        _healed(cluster)
        assert unlike.split_brains(cluster.backend, VOLUME) == {}
        kept = {node: _shown(cluster, f"{unlike.KEPT}/{VOLUME}{path}", node) for node in others}
        before = {}
        for own, (node, text) in enumerate(zip(NODES, texts, strict=True)):
            is_directory = how == "mode" or text == "directory"
            before[node] = f"70{own}" if is_directory else "base" if text == "link" else text
        assert kept == {node: before[node] for node in others}
        for node in others:
            cluster.run(node, f"rm -r {unlike.KEPT}")


def _shown(cluster: LabCluster, path: str, node: str) -> str:
    """A file's text, a directory's mode, or where a link leads."""
    show = f"if [ -L {path} ]; then readlink {path}; elif [ -d {path} ]; then stat -c %a {path}; else cat {path}; fi"
    return cluster.run(node, show).stdout.strip()


# --- faults under writers that replace files


@contextlib.contextmanager
def _stormed(cluster: LabCluster, webs: list[str]) -> Iterator[None]:
    """Writers on all web nodes; afterwards the volume heals, and nothing that was acknowledged is lost on any."""
    _healed(cluster)
    folder, program = f"{SHARED}/uploads/storm", Path(storm.__file__).read_bytes()
    cluster.run(webs[0], f"rm -rf {folder}", seconds=60)
    for web in webs:
        cluster.backend.put(web, {"/var/tmp/storm.py": (program, 0o644)})
        start = f"rm -f /var/tmp/{web}.*; setsid python3 /var/tmp/storm.py {folder} {web} > /var/tmp/storm.said 2>&1 &"
        cluster.run(web, start)
    try:
        yield
    finally:
        for web in webs:
            cluster.run(web, f"touch /var/tmp/{web}.stop")
    for web in webs:
        cluster.until("the writer to end", 60, partial(_ended, cluster, web))
    _healed(cluster)
    assert unlike.split_brains(cluster.backend, VOLUME) == {}
    for writer in webs:
        ledger = (cluster.backend.get(writer, f"/var/tmp/{writer}.ledger") or b"").decode()
        paths = sorted({json.loads(line)[0] for line in ledger.splitlines()})
        assert paths
        for reader in webs:
            # Its mount tries each brick every three seconds, and serves once it has reached two.
            cluster.until("the mount to serve", MOUNT_SECONDS, partial(cluster.run, reader, f"ls {folder}"), _ok)
            cluster.backend.put(reader, {"/var/tmp/paths": (json.dumps(paths).encode(), 0o644)})
            read = cluster.run(reader, f"python3 -c '{READ}' < /var/tmp/paths", seconds=120)
            assert storm.lost(ledger, json.loads(read.stdout)) == [], read.stderr[:1000]


def _ended(cluster: LabCluster, web: str) -> bool:
    return not cluster.run(web, "pgrep -f [s]torm.py").ok


Step = tuple[float, str, tuple[str, ...]]
# Found by hand: of 15 files each brick had another copy, on all clients they gave EIO, and nothing healed them.
FOUND: list[Step] = [
    (8, "kill", ("storage2",)),
    (12, "pause", ("storage3",)),
    (12, "start", ("storage3",)),
    (6, "start", ("storage2",)),
    (0, "kill", ("storage1",)),
    (15, "kill", ("storage2", "storage3")),
    (5, "start", NODES),
    (20, "start", NODES),
]


def _play(cluster: LabCluster, steps: list[Step]) -> None:
    """Each step is so many seconds after the one before: the faults' times are what is played."""
    done: dict[str, Callable[[str], None]] = {
        "kill": cluster.backend.kill,
        "pause": cluster.backend.pause,
        "start": cluster.backend.start,
    }
    due = time.monotonic()
    for after, kind, nodes in steps:
        due += after
        time.sleep(max(0.0, due - time.monotonic()))
        for node in nodes:
            done[kind](node)


@pytest.mark.nightly("two minutes: the faults' times are part of the case")
def test_the_kills_that_left_files_apart_lose_nothing(cluster: LabCluster, webs: list[str]) -> None:
    with _stormed(cluster, webs):
        _play(cluster, FOUND)


def _some(seed: int) -> list[Step]:
    """Up to six faults of single nodes, then all of them run."""
    chance, states, steps = random.Random(seed), dict.fromkeys(NODES, "start"), []
    for _ in range(chance.randint(3, 6)):
        node = chance.choice(NODES)
        kind = chance.choice(("kill", "pause")) if states[node] == "start" else "start"
        states[node] = kind
        steps.append((chance.uniform(1, 10), kind, (node,)))
    return [*steps, (chance.uniform(1, 10), "start", NODES), (5, "start", NODES)]


@pytest.mark.nightly("a minute each: fifty sequences of faults")
@pytest.mark.parametrize("seed", range(50))
def test_faults_under_writers_lose_nothing(cluster: LabCluster, webs: list[str], seed: int) -> None:
    with _stormed(cluster, webs):
        _play(cluster, _some(seed))
