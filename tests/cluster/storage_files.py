"""Files on the shared filesystem: written on several nodes at once, healed, and compared on all bricks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.services.volumes import bricks
from lab.topology import Storage

if TYPE_CHECKING:
    from lab.testing import LabCluster

SHARED = "/srv/shared"
FOLDER = f"{SHARED}/uploads"
HEAL_SECONDS = 90.0
IN_PARTS = "xargs -d '\\n' -n 25 -P 4"  # most of the time that a file takes is waiting for bricks
SOME, FEW = 20, 5  # files that each node writes before and after something happens
# Writes numbered files until it is told to stop: each is acknowledged, in this node's own memory, when it is on the
# disks; one that is refused is tried under the next number. It may be told to rest for longer after each.
WRITER = r"""
import hashlib, os, sys, time
folder, name = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
number, longest = 0, 0.0
with open(f"/var/tmp/{name}.kept", "a", buffering=1) as kept:
    while not os.path.exists(f"/var/tmp/{name}.stop"):
        number, begun = number + 1, time.monotonic()
        data = os.urandom(20000)
        path = f"{folder}/{name}-{number}"
        try:
            with open(path, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            print(error, flush=True)
            time.sleep(0.2)
            continue
        if time.monotonic() - begun > longest:
            longest = time.monotonic() - begun
            open(f"/var/tmp/{name}.longest", "w").write(f"{longest:.2f} {time.time() - longest:.2f}")
        time.sleep(1 if os.path.exists(f"/var/tmp/{name}.rests") else 0.05)
        kept.write(f"{hashlib.sha256(data).hexdigest()}  {path}\n")
"""


def python_on(cluster: LabCluster, node: str, code: str, *words: str, seconds: float = 30) -> str:
    done = cluster.backend.run(node, ["python3", "-c", code, *words], seconds=seconds)
    if not done.ok:
        raise BackendError(f"{node}: {done.last_line}", where=node)
    return done.stdout.strip()


def healed(cluster: LabCluster) -> None:
    """Every brick runs, and nothing waits to be healed on any node."""

    def good(found: dict[str, dict[str, dict[str, object]]]) -> bool:
        rows = [row for of in found.values() for row in of.values()]
        return len(found) == len(cluster.plan.role("storage")) and all(r["brick"] and not r["heal"] for r in rows)

    cluster.until("every volume to be healed", HEAL_SECONDS, partial(bricks, cluster.backend), good)
    volumes, nodes = cluster.options(Storage).volumes, cluster.plan.role("storage")
    summary = "gluster --mode=script volume heal $volume info summary | sed -n 's/Total Number of entries: //p'"
    info = f"for volume in {' '.join(volumes)}; do {summary} & done; wait"
    ask = partial(cluster.run, nodes[0].name, info, seconds=60)
    none = ["0"] * len(volumes) * len(nodes)
    cluster.until(
        "nothing to heal in GlusterFS' own words", HEAL_SECONDS, ask, lambda said: said.stdout.split() == none
    )


def bricks_are_equal(cluster: LabCluster) -> None:
    """The files of every volume, by name and content, as they lie in the bricks."""
    volumes = " ".join(f"/bricks/{name}" for name in cluster.options(Storage).volumes)
    listing = f"find {volumes} -name .glusterfs* -prune -o -type f -exec sha256sum {{}} +"
    nodes = [node.name for node in cluster.plan.role("storage")]
    files = {node: set(cluster.run(node, listing, seconds=60).stdout.splitlines()) for node in nodes}
    everywhere = set.intersection(*files.values())
    assert everywhere
    differing = {node: sorted(of - everywhere) for node, of in files.items() if of - everywhere}
    assert differing == {}


class Writers:
    """A context manager: nodes write files inside it; `check` finds every acknowledged one on every node."""

    def __init__(self, cluster: LabCluster, nodes: list[str], name: str) -> None:
        self._cluster, self._nodes, self._name = cluster, list(dict.fromkeys(nodes)), name

    def __enter__(self) -> Self:
        for node in self._nodes:
            self._cluster.backend.put(node, {"/var/tmp/writer.py": (WRITER.encode(), 0o644)})
            name = f"{self._name}-{node}"
            command = f"rm -f /var/tmp/{name}.*; setsid python3 /var/tmp/writer.py {FOLDER}/{self._name} {name}"
            self._cluster.run(node, f"{command} > /var/tmp/{name}.said 2>&1 &")
        self.more(first=True)
        return self

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            self._cluster.run(node, f"touch /var/tmp/{self._name}-{node}.stop")
        for node in self._nodes:
            self._cluster.until("the writer to end", 60, partial(self._ended, node))

    def _ended(self, node: str) -> bool:
        return not self._cluster.run(node, "pgrep -f [w]riter.py").ok

    def rest(self) -> None:
        """One file a second, until `wake` or `more`: what is written while a brick is away has to be healed.

        GlusterFS notes a directory for as long as a name in it is made: while two nodes make one after the other, it
        always seems to wait for that.
        """
        self._tell("touch")

    def wake(self) -> None:
        """As many files as at the beginning."""
        self._tell("rm -f")

    def _tell(self, command: str) -> None:
        for node in self._nodes:
            self._cluster.run(node, f"{command} /var/tmp/{self._name}-{node}.rests")

    def counts(self) -> list[int]:
        """How many files each node has had acknowledged."""
        asked = [f"wc -l < /var/tmp/{self._name}-{node}.kept" for node in self._nodes]
        said = [self._cluster.run(node, ask).stdout for node, ask in zip(self._nodes, asked, strict=True)]
        return [int(one or 0) for one in said]

    def longest(self) -> tuple[float, float]:
        """Seconds that one file took at most, and when it was begun, in Unix seconds of its node."""
        asked = [f"cat /var/tmp/{self._name}-{node}.longest" for node in self._nodes]
        said = [self._cluster.run(node, ask).stdout for node, ask in zip(self._nodes, asked, strict=True)]
        seconds, begun = max(tuple(map(float, one.split())) for one in said)
        return seconds, begun

    def more(self, *, first: bool = False) -> None:
        """Until each node has written some more; fewer where an emulated processor needs seconds for one."""
        self.wake()
        count = FEW if first or self._cluster.clock.emulated else SOME
        before = [0] * len(self._nodes) if first else self.counts()
        self._cluster.until(
            "more files",
            60,
            self.counts,
            lambda now: all(n >= b + count for n, b in zip(now, before, strict=True)),
        )

    def check(self) -> None:
        """Reads all of them back, on every node."""
        lists = [self._cluster.backend.get(node, f"/var/tmp/{self._name}-{node}.kept") for node in self._nodes]
        assert all(lists)
        kept = b"".join(filter(None, lists))
        each = 'printf "%s\\n" "$@" | sha256sum --check --quiet'

        def read(node: str) -> None:
            self._cluster.backend.put(node, {"/var/tmp/check": (kept, 0o644)})
            done = self._cluster.run(node, f"{IN_PARTS} sh -c '{each}' sh < /var/tmp/check", seconds=120)
            assert done.ok, done.stdout + done.stderr

        with ThreadPoolExecutor(len(self._nodes)) as pool:
            list(pool.map(read, self._nodes))
        folder = f"{FOLDER}/{self._name}"
        self._cluster.run(self._nodes[0], f"find {folder} -type f | {IN_PARTS} rm -f; rm -rf {folder}", seconds=60)


def writers_checked(cluster: LabCluster, writers: Writers) -> None:
    """Everything acknowledged is there, and the bricks are the same, byte for byte."""
    bricks_are_equal(cluster)
    writers.check()
