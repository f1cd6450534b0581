"""Files on the shared filesystem: written on several nodes at once, healed, and compared on all bricks."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.services.volumes import bricks
from lab.topology import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster

SHARED = "/srv/shared"
FOLDER = f"{SHARED}/uploads"
HEAL_SECONDS = 90.0
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
        time.sleep(0.5 if os.path.exists(f"/var/tmp/{name}.rests") else 0.05)
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

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Fewer files for a while.

        GlusterFS notes a directory for as long as a name in it is made: while two nodes make one after the other,
        it always seems to wait to be healed.
        """
        for node in self._nodes:
            self._cluster.run(node, f"touch /var/tmp/{self._name}-{node}.rests")
        yield
        for node in self._nodes:
            self._cluster.run(node, f"rm /var/tmp/{self._name}-{node}.rests")

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
        for writer in self._nodes:
            kept = self._cluster.backend.get(writer, f"/var/tmp/{self._name}-{writer}.kept") or b""
            assert kept
            for reader in self._nodes:
                self._cluster.backend.put(reader, {"/var/tmp/check": (kept, 0o644)})
                done = self._cluster.run(reader, "sha256sum --check --quiet /var/tmp/check", seconds=120)
                assert done.ok, done.last_line
        self._cluster.run(self._nodes[0], f"rm -rf {FOLDER}/{self._name}", seconds=60)


def writers_checked(cluster: LabCluster, writers: Writers) -> None:
    """Everything acknowledged is there, and the bricks are the same, byte for byte."""
    bricks_are_equal(cluster)
    writers.check()
