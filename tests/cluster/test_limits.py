"""A node is a wall: what runs wild in one of them leaves the others served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import LabCluster

KILLED = (137, -9, 247)  # how a process that was ended by the kernel is seen through a shell, and by others

BOMB = """
import os, signal, time
made = []
try:
    while len(made) < 20000:
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        made.append(child)
except BlockingIOError:
    pass
time.sleep(5)   # meanwhile nothing else of this node can begin
for child in made:
    os.kill(child, signal.SIGKILL)
print(len(made))
"""
HOG = """
held = []
while len(held) < 200:
    held.append(bytearray(b"x") * (64 << 20))
print("took it all")
"""


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
@pytest.mark.parametrize("wild", ["bomb", "hog"])
def test_what_runs_wild_in_one_node_leaves_the_others_served(cluster: LabCluster, wild: str) -> None:
    first, second = cluster.require("web", 2)[:2]
    limits = cluster.plan.node(first).limits
    before = {node.name: node.state for node in cluster.backend.observe().nodes}
    with cluster.load(10) as load:
        done = cluster.backend.run(first, ["python3", "-c", BOMB if wild == "bomb" else HOG], seconds=60)
        asked = cluster.run("client", f"curl -fsS --max-time {cluster.clock.option(5)} http://{second}/whoami")
    if wild == "bomb":
        assert 20 < int(done.stdout) < limits.processes + 200, "the kernel stopped it at the node's limit"
    else:
        assert done.rc in KILLED, done
        assert "took it all" not in done.stdout
    assert json.loads(asked.stdout)["node"] == second
    assert not load.failed, load.failed[:3]
    assert {node.name: node.state for node in cluster.backend.observe().nodes} == before, "no node has ended"
    cluster.until(f"{first} to be ready", 60, lambda: cluster.status().ready)


@pytest.mark.read_only
def test_status_says_what_each_node_may_take(cluster: LabCluster) -> None:
    for node in cluster.status().nodes:
        assert node.limits, node.name
        assert node.limits.processes == cluster.plan.node(node.name).limits.processes
