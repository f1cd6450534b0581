"""Three people with a login, for the tests of the shell servers."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from lab.topology import Shell
from lab.topology.users import User

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.backends.base import Result
    from lab.testing import LabCluster

KEYS = "/root/keys"
ANN, BOB, GUEST = "student1", "student2", "student3"
TRIES, PROCESSES, MEGABYTES = 20, 40, 128  # more tries than the refusals that these tests make on the way
LOGGED_SECONDS = 15.0
CONNECT_SECONDS = 10


class School:
    """Three people with a login, whose keys are on the client."""

    def __init__(self, cluster: LabCluster) -> None:
        self._cluster = cluster

    def ssh(self, user: str, command: str = "true", *options: str, key: str = "", seconds: float = 30) -> Result:
        """Runs a command at the other end of a login from the client, which knows the cluster's host key."""
        return self._cluster.backend.run("client", [*self._login(user, key, options), command], seconds=seconds)

    def through(self, user: str, target: str) -> Result:
        """What a target says by HTTP to whom a login forwards there."""
        asked = f"printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' | {shlex.join(self._login(user, '', ('-W', target)))}"
        return self._cluster.run("client", asked)

    def _login(self, user: str, key: str, options: Sequence[str]) -> list[str]:
        known, limit = "/etc/lab/known_hosts", self._cluster.clock.option(CONNECT_SECONDS)
        own = ("BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", f"ConnectTimeout={limit}")
        words = [word for option in (f"UserKnownHostsFile={known}", *own) for word in ("-o", option)]
        return ["ssh", "-i", f"{KEYS}/{key or user}", *words, *options, f"{user}@{self.door}"]

    @property
    def door(self) -> str:
        """Where people knock."""
        return self._cluster.plan.vip or self._cluster.plan.node("shell1").address

    def logs_in(self, user: str) -> None:
        """Waits until a user can."""
        self._cluster.until(f"{user} to log in", 30, lambda: self.ssh(user), lambda done: done.ok)


@pytest.fixture(scope="module")
def _people(_session_cluster: LabCluster) -> Iterator[None]:
    """For these tests the topology has people; the one of the others comes back after them."""
    cluster = _session_cluster
    before = cluster.spec
    shell = cluster.options(Shell)
    names = (ANN, BOB, GUEST)
    making = " && ".join(f"ssh-keygen -q -t ed25519 -N '' -f {KEYS}/{name}" for name in (*names, "stranger"))
    cluster.run("client", f"rm -rf {KEYS} && mkdir -m 700 {KEYS} && {making}")
    users = {
        name: User(
            keys=[cluster.run("client", f"cat {KEYS}/{name}.pub").stdout],
            groups=["class-a"] if name != GUEST else [],
            forwarding=name == BOB,
        )
        for name in names
    }
    limits = shell.limits.model_copy(update={"processes": PROCESSES, "memory": MEGABYTES})
    own = shell.model_copy(update={"limits": limits, "tries": TRIES})
    cluster.spec = before.model_copy(update={"users": users, "shell": own})
    yield
    cluster.spec = before


@pytest.fixture
def school(_people: None, cluster: LabCluster) -> School:
    return School(cluster)


def logged(cluster: LabCluster, *parts: str) -> list[str]:
    """The lines of the shell nodes' logs with these parts; a process is ended first, and its line written then."""
    said = [line for node in cluster.plan.role("shell") for line in cluster.logs(node.name)]
    return [line for line in said if all(part in line for part in parts)]
