"""Two clusters that choose the same subnet and ports at the same moment: the slower one chooses again."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from lab.backends.docker.backend import DockerBackend
from lab.errors import HostError
from lab.lifecycle import resolve
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.plan import NodePlan, Plan


class Raced(DockerBackend):
    """An engine on which somebody else takes what was chosen, just before the first node is made."""

    def __init__(self, cluster: str) -> None:
        super().__init__(cluster)
        self.rival = f"{cluster}-rival"
        self.chosen: Plan | None = None
        self.listening: list[socket.socket] = []
        self.taking = threading.Lock()

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        with self.taking:  # nodes are made side by side, and none before all is taken
            if self.chosen is None:
                self._take(plan)
        super().create(plan, node, files)

    def _take(self, plan: Plan) -> None:
        self.chosen = plan
        for port in (entry.host_port for made in plan.nodes for entry in made.publish):
            if not resolve.free(port):
                continue
            self.listening.append(socket.socket())
            self.listening[-1].bind(("127.0.0.1", port))
            self.listening[-1].listen()
        pool = IPAMPool(subnet=str(plan.network.cidr))
        with contextlib.suppress(APIError):  # somebody else really took it in that moment
            self.api.create_network(self.rival, ipam=IPAMConfig(pool_configs=[pool]))


@pytest.fixture
def raced() -> Iterator[Raced]:
    """Everything of both is removed at the end."""
    made = Raced(f"labtest-{os.getpid()}-race")
    yield made
    for taken in made.listening:
        taken.close()
    down(made, Silent(), volumes=True)
    if made.api.networks(names=[made.rival]):
        made.api.remove_network(made.rival)
    made.api.close()


def test_a_subnet_and_ports_that_were_taken_meanwhile_are_chosen_anew(raced: Raced) -> None:
    made = up(parse(f"name: {raced.cluster}\nweb: {{count: 1}}\n"), raced, Silent()).plan
    assert raced.chosen
    assert raced.listening
    assert made.network.cidr != raced.chosen.network.cidr
    old = {entry.host_port for node in raced.chosen.nodes for entry in node.publish}
    new = {entry.host_port for node in made.nodes for entry in node.publish}
    assert not old & new
    assert raced.endpoint(80).startswith("127.0.0.1:")


def test_a_subnet_that_was_asked_for_is_not_chosen_anew(raced: Raced) -> None:
    wanted = up(parse(f"name: {raced.cluster}\nweb: {{count: 1}}\n"), raced, Silent()).plan.network.cidr
    down(raced, Silent(), volumes=True)
    with contextlib.suppress(NotFound):
        raced.api.remove_network(raced.rival)
    raced.chosen = None
    with pytest.raises(HostError, match=f"the network {wanted} collides with {wanted}, the Docker network"):
        up(parse(f"name: {raced.cluster}\nnetwork: {wanted}\nweb: {{count: 1}}\n"), raced, Silent())
