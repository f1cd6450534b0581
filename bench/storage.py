"""The shared filesystem: until it is ready, and what a web node's mount costs beside that node's own disk."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bench.figures import Figure, figure
from lab.backends import backend
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing import LabCluster
from lab.topology import Cluster, Placement, Storage, Web

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = f"labbench-{os.getpid()}-storage"
FILES, MEGABYTES = 200, 128
PLACES = {"the mount": "/srv/shared/bench", "its own disk": "/var/lib/bench"}
DD = "dd status=none"
# Each file is on the disk before the next is begun; the large one past every cache, written and read.
WORK = {
    "small files created": f"for i in $(seq {FILES}); do {DD} if=/dev/zero of=$i bs=4k count=1 conv=fsync; done",
    "a large file written": f"{DD} if=/dev/zero of=large bs=1M count={MEGABYTES} conv=fsync",
    "a large file read": f"{DD} if=large of=/dev/null bs=1M iflag=direct",
}
AMOUNTS: Mapping[str, tuple[float, str]] = {
    "small files created": (FILES, "/s"),
    "a large file written": (MEGABYTES, "MB/s"),
    "a large file read": (MEGABYTES, "MB/s"),
}


def run(runs: int) -> list[Figure]:
    """A cluster of its own, from nothing."""
    made = backend(Placement(), NAME)
    try:
        begun = time.perf_counter()
        cluster = LabCluster(Cluster(name=NAME, storage=Storage(), web=Web(count=1)), made)
        return [figure("until all is ready", "s", [time.perf_counter() - begun]), *measure(cluster, runs)]
    finally:
        down(made, Silent(), volumes=True)


def measure(cluster: LabCluster, runs: int) -> list[Figure]:
    """Both places in turn, so that a slow minute of the machine hits both."""
    rows = []
    taken: dict[tuple[str, str], list[float]] = {}
    for _ in range(runs):
        for what in WORK:
            for place in PLACES:
                taken.setdefault((what, place), []).append(_rate(cluster, what, place))
    for what in WORK:
        rows += [figure(f"{what}, {place}", AMOUNTS[what][1], taken[what, place]) for place in PLACES]
        pairs = zip(*(taken[what, place] for place in PLACES), strict=True)
        rows.append(figure(f"{what}, the mount / its own disk", "×", [shared / own for shared, own in pairs]))
    return rows


def _rate(cluster: LabCluster, what: str, place: str) -> float:
    folder = PLACES[place]
    clock = "date +%s.%N"
    clean = "[ ! -e 1 ] || rm -f [0-9]*" if what.startswith("small") else ":"
    command = f"mkdir -p {folder} && cd {folder} && {{ {clean}; }} && {clock} && {WORK[what]} && {clock}"
    done = cluster.run("web1", command, seconds=300)
    if not done.ok:
        raise RuntimeError(f"{command}: {done.last_line}")
    begun, ended = map(float, done.stdout.split())
    return AMOUNTS[what][0] / (ended - begun)
