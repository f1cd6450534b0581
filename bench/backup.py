"""Backup and restore: how fast, what the second one takes, what the site feels, and a whole cluster from nothing."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, seconds
from lab.backends import backend
from lab.evidence.latency import percentiles
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services import backup
from lab.services.mysql import members
from lab.testing import LabCluster
from lab.topology import Placement, find, load

if TYPE_CHECKING:
    from lab.evidence import Load

NAME, NODE = f"labbench-{os.getpid()}-backup", "backup1"
FILES, MEBIBYTES, ROWS = 200, 100, 50_000
FEW_FILES = 40  # of the same size, where there is one round only: a look
RATE, MEBI = 50, 1 << 20
FILL = """
mkdir -p /srv/home/bench && cd /srv/home/bench && for n in $(seq {files}); do
    head -c {each} /dev/urandom > $n || exit 1
done
"""
TABLE = "CREATE DATABASE IF NOT EXISTS bench; CREATE TABLE bench.rows (id BIGINT PRIMARY KEY, word CHAR(64));"
INSERT = f"INSERT INTO bench.rows SELECT seq, SHA2(seq, 256) FROM bench.seq_1_to_{ROWS}"  # noqa: S608


def run(runs: int) -> list[Figure]:
    """A cluster of its own, which is lost and made again at the end."""
    made = backend(Placement(), NAME)
    try:
        cluster = LabCluster(load(find("stage5"), name=NAME), made)
        rows = measure(cluster, runs)
        return [*rows, figure("the cluster from nothing: up, and all restored", "s", [_from_nothing(cluster)])]
    finally:
        down(made, Silent(), volumes=True)


def measure(cluster: LabCluster, runs: int) -> list[Figure]:
    """The first backup of all once, everything after it in each round."""
    made = cluster.backend
    files = FILES if runs > 1 else FEW_FILES
    _fill(cluster, files)
    first = backup.now(made)
    later, restores, alone, beside = [], [], [], []
    for _ in range(runs):
        alone.append(_p99(cluster, working=False))
        beside.append(_p99(cluster, working=True))
        later.append(backup.now(made))
        restores.append(float(backup.restore(made)["seconds"]))
    return [
        figure(
            f"the first backup, {MEBIBYTES * files // FILES} MiB in {files} files, {ROWS} rows", "s", [first["seconds"]]
        ),
        figure("its throughput", "MiB/s", [first["bytes"] / MEBI / first["seconds"]]),
        figure("a later backup", "s", [one["seconds"] for one in later]),
        figure("what it adds, of the first", "%", [100 * one["new_bytes"] / first["new_bytes"] for one in later]),
        figure("a restore of everything", "s", restores),
        figure("its throughput", "MiB/s", [first["bytes"] / MEBI / one for one in restores]),
        figure(f"the site's p99 at {RATE}/s, no backup", "ms", alone),
        figure("the same while a backup runs", "ms", beside),
        figure("while it runs / no backup", "×", [busy / idle for busy, idle in zip(beside, alone, strict=True)]),
    ]


def _fill(cluster: LabCluster, files: int) -> None:
    primary = next(one.name for one in members(cluster.backend) if one.serves)
    fill = FILL.format(files=files, each=MEBIBYTES * MEBI // FILES)
    for node, command in ((NODE, fill), (primary, f"mariadb --execute '{TABLE} {INSERT}'")):
        done = cluster.run(node, command, seconds=300)
        if not done.ok:
            raise RuntimeError(f"{node} can't be filled: {done.last_line}")


def _p99(cluster: LabCluster, *, working: bool) -> float:
    """The 99th percentile of the site's answers, in ms, while a backup is made or for as long as one takes."""
    load: Load = cluster.load(RATE)
    with ThreadPoolExecutor() as pool, load:
        if working:
            pool.submit(backup.now, cluster.backend).result()
        else:
            load.more(5 * RATE)
    return 1000 * percentiles(load.answers)[99.0]


def _from_nothing(cluster: LabCluster) -> float:
    down(cluster.backend, Silent(), volumes=True, keep_backups=True)

    def again() -> None:
        cluster.apply(cluster.spec)
        backup.restore(cluster.backend)

    return seconds(again)
