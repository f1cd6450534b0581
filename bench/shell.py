"""The shell servers: logins a second, through the VIP and straight at a node."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bench.figures import Figure, figure
from lab.backends import backend
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing import LabCluster
from lab.topology import Cluster, Placement, Shell, Storage, TcpLb
from lab.topology.users import User

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME, USER, KEY = f"labbench-{os.getpid()}-shell", "ann", "/root/bench-key"
LOGINS, AT_ONCE = 40, 4


def run(runs: int) -> list[Figure]:
    """A cluster of its own."""
    made = backend(Placement(), NAME)
    try:
        return measure(
            LabCluster(Cluster(name=NAME, storage=Storage(), shell=Shell(), tcp_lb=TcpLb(count=1)), made), runs
        )
    finally:
        down(made, Silent(), volumes=True)


def measure(cluster: LabCluster, runs: int) -> list[Figure]:
    """Both doors in turn, so that a slow minute of the machine hits both; with a user who is away afterwards."""
    cluster.run("client", f"rm -f {KEY}*; ssh-keygen -q -t ed25519 -N '' -f {KEY}")
    key = cluster.run("client", f"cat {KEY}.pub").stdout
    doors = {"through the VIP": cluster.plan.vip or "", "straight": cluster.plan.node("shell1").address}
    taken: dict[str, list[float]] = {door: [] for door in doors}
    with cluster.changed(cluster.spec.model_copy(update={"users": {USER: User(keys=[key])}})):
        for _ in range(runs):
            for door, address in doors.items():
                taken[door].append(_rate(cluster, address))
    rows = [figure(f"logins, {AT_ONCE} at once, {door}", "/s", taken[door]) for door in doors]
    return [*rows, figure("through the VIP / straight", "×", _shares(*taken.values()))]


def _shares(led: Sequence[float], straight: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(led, straight, strict=True)]


def _rate(cluster: LabCluster, address: str) -> float:
    """Logins a second, each with a key exchange of its own and a command that does nothing."""
    options = f"-i {KEY} -o UserKnownHostsFile=/etc/lab/known_hosts -o BatchMode=yes"
    begun = time.perf_counter()
    done = cluster.run(
        "client", f"seq {LOGINS} | xargs -P {AT_ONCE} -I{{}} ssh {options} {USER}@{address} true", seconds=120
    )
    if not done.ok:
        raise RuntimeError(f"a login failed: {done.last_line}")
    return LOGINS / (time.perf_counter() - begun)
