"""Applications: three nodes replaced under load, by 'lab up' after a change of what is in their image."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from bench.figures import Figure, figure, seconds
from lab.backends import backend
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing import LabCluster
from lab.topology import Placement, parse

NAME = f"labbench-{os.getpid()}-apps"
RATE = 40
SHOP = Path(__file__).parents[1] / "tests/cluster/topologies/apps/shop"
TOPOLOGY = """
name: {name}
web: {{count: 1}}
http-lb: {{count: 1}}
apps:
  shop: {{build: {folder}, port: 8000, count: 3, health: /healthz}}
"""


def run(runs: int) -> list[Figure]:
    """A cluster of its own; each run changes the program and applies the topology."""
    made = backend(Placement(), NAME)
    took, asked, failed = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shop"
        shutil.copytree(SHOP, folder)
        spec = parse(TOPOLOGY.format(name=NAME, folder=folder), str(Path(scratch) / "cluster.yaml"))
        try:
            cluster = LabCluster(spec, made)
            for number in range(runs):
                with (folder / "shop.py").open("a", encoding="utf-8") as program:
                    program.write(f"# {number}\n")
                with cluster.load(RATE, "/", site="shop") as load:
                    load.more(RATE)
                    took.append(seconds(lambda: cluster.apply(spec)))
                    load.more(RATE)
                asked.append(len(load.answers))
                failed.append(len(load.failed))
        finally:
            down(made, Silent(), volumes=True)
    return [
        figure("an image built and three nodes replaced, one after the other", "s", took),
        figure(f"requests meanwhile, {RATE}/s", "", asked),
        figure("of them failed", "", failed, "0", 0),
    ]
