"""A running cluster in a test's hands: everything through the backend protocol, nothing through Docker or Xen."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, TypeVar

import pytest

from lab.backends.base import State
from lab.backends.optional import logs, network_tools
from lab.errors import BackendError, LabError
from lab.evidence import Load, Stream
from lab.evidence.promises import promise
from lab.faults import heal
from lab.lifecycle import ready, resolve
from lab.lifecycle.status import Status, status, vip_holders
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import RoleOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lab.backends.base import Backend, Result
    from lab.clock import Clock
    from lab.evidence.visitor import Visitor
    from lab.plan import Plan
    from lab.topology import Cluster

T = TypeVar("T", bound=RoleOptions)
A = TypeVar("A")
HEAL_SECONDS = 60.0
WHOLE_SECONDS = 30.0
"""What a cluster whose nodes all run is given to become whole by itself before it is repaired."""


class LabCluster:
    """A cluster that is up.

    Attributes:
        spec: the topology, with the timers that the backend's nodes need.
        plan: what it became.
        applied: the topology that it was made to be last.
        backend: where it runs; kill, pause, start and so on are its own.
        loads: those of the test that runs.
        left_whole: whether it was whole, and the test since then broke nothing.
    """

    def __init__(self, spec: Cluster, backend: Backend) -> None:
        self.spec = resolve.timers(spec, backend)
        self.backend = backend
        self.plan: Plan = up(self.spec, backend, Silent()).plan
        self.applied: Cluster | None = self.spec
        self.loads: list[Load] = []
        self.left_whole = False

    def options(self, kind: type[T]) -> T:
        """The options of a role by their class; a test that needs a role which the topology lacks is skipped."""
        match = next((options for options in self.spec.roles().values() if isinstance(options, kind)), None)
        if match is None:
            pytest.skip(f"the topology has no {kind.__name__}")
        return match

    def require(self, role: str, count: int) -> list[str]:
        """The names of a role's nodes; a test that needs more of them than the topology has is skipped."""
        names = [node.name for node in self.plan.role(role)]
        if len(names) < count:
            pytest.skip(f"needs {count} {role} nodes, the topology has {len(names)}")
        return names

    def room(self, count: int) -> None:
        """A test that needs more nodes at once than the backend takes is skipped."""
        most = self.backend.capabilities().max_nodes
        if most is not None and count > most:
            pytest.skip(f"needs {count} nodes, {self.backend.name} takes {most} at once")

    def apply(self, spec: Cluster) -> None:
        """Reconciles to another topology, as `lab up` does."""
        self.applied = None  # until it is whole, it is neither
        self.plan = up(spec, self.backend, Silent()).plan
        self.applied = spec

    @contextlib.contextmanager
    def changed(self, spec: Cluster) -> Iterator[None]:
        """Another topology for the span of a `with`; the own one comes back."""
        self.apply(spec)
        try:
            yield
        finally:
            self.apply(self.spec)

    def bound(self, name: str) -> float | None:
        """The bound of a promise in seconds, by the topology that is applied; None where it has no formula."""
        return promise(name).bound(self.applied or self.spec)

    def heal(self, to: Cluster | None = None) -> None:
        """Repairs the cluster after a test; with its own topology, or another."""
        spec = to or self.spec
        heal(self.backend)
        for node in self.backend.observe().nodes:
            if node.state is State.PAUSED:
                self.backend.start(node.name)
        if self._whole(spec):
            return
        self.apply(spec)
        self._one_holder(HEAL_SECONDS)

    def _whole(self, spec: Cluster) -> bool:
        """Whether every node runs, serves, and has all that it promises, by and by: then nothing has to be made so."""
        states = {node.name: node.state for node in self.backend.observe().nodes}
        names = [node.name for node in self.plan.nodes]
        if states != dict.fromkeys(names, State.RUNNING) or self.applied is not spec:
            return False
        try:
            ready.nodes(self.backend, names, WHOLE_SECONDS)
            self._one_holder(WHOLE_SECONDS)
        except LabError:
            return False
        return True

    def _one_holder(self, seconds: float) -> None:
        """Waits until one node holds the VIP, where there is one."""
        if self.plan.vip:
            self.until("one node to hold the VIP", seconds, self.vip_holders, lambda holders: len(holders) == 1)

    def status(self) -> Status:
        """What `lab status` says."""
        return status(self.backend)

    def vip_holders(self) -> list[str]:
        """The nodes that have the VIP now."""
        return vip_holders(self.backend, self.backend.observe())

    def run(self, node: str, command: str, *, seconds: float = 30) -> Result:
        """A shell command in a node."""
        return self.backend.run(node, ["sh", "-c", command], seconds=seconds)

    def run_in_network(self, node: str, argv: Sequence[str]) -> Result:
        """A command in a node's network, with the right to change it."""
        return network_tools(self.backend).run_in_network(node, argv)

    def logs(self, node: str, *, tail: int | None = None) -> list[str]:
        """What a node's services printed, line by line."""
        return list(logs(self.backend).logs(node, tail=tail))

    def ask(self, path: str = "/", *options: str, scheme: str | None = None) -> str:
        """What the site answers to the client, by its entrance and with the cluster's CA.

        Raises:
            BackendError: curl failed.
        """
        url = f"{scheme or self.scheme}://{self.host}{path}"
        argv = ["curl", "-sS", "--max-time", self.clock.option(10), "--cacert", "/etc/lab/ca.crt", *options, url]
        done = self.backend.run("client", argv)
        if not done.ok:
            raise BackendError(f"{shlex.join(argv)}: {done.last_line}", where="client")
        return done.stdout

    def load(self, rate: float, path: str = "/whoami", *, keep: bool = True, site: str | None = None) -> Load:
        """Constant load on a site, as a context manager; less of it where the processor is emulated.

        Without `keep` every question comes on a connection of its own, as from a new visitor.
        """
        from lab.services.entrances import named

        host = named(self.plan, site).names[0] if site else self.host
        url = f"{self.scheme}://{host}{path}"
        load = Load(self.backend, Stream("load", url, self.clock.page_rate(rate), keep=keep))
        self.loads.append(load)
        return load

    def pool(self, balancer: str, proxy: str = "web") -> set[str]:
        """The servers that a balancer sends to now."""
        metrics = self.run(
            balancer, f"curl -fsS --max-time {self.clock.option(1)} http://127.0.0.1:8404/metrics"
        ).stdout
        up_line = f'haproxy_server_status{{proxy="{proxy}",server="'
        rows = (line for line in metrics.splitlines() if line.startswith(up_line) and 'state="UP"} 1' in line)
        return {row.split('server="')[1].split('"')[0] for row in rows}

    @property
    def clock(self) -> Clock:
        """The nodes' time."""
        return self.backend.clock

    def until(self, what: str, seconds: float, ask: Callable[[], A], good: Callable[[A], bool] = bool) -> A:
        """Waits on a condition by the nodes' clock; see `lab.clock.Clock.until`."""
        return self.clock.until(what, seconds, ask, good)

    @property
    def scheme(self) -> str:
        """How the site is spoken to."""
        return self.plan.scheme

    @property
    def host(self) -> str:
        """The host name of the site without a name, which the client resolves to the entrance."""
        return self.spec.site

    def site(self, name: str | None = None) -> Visitor:
        """A visitor of a site at this machine: a requests session that trusts the CA; unnamed: the guest book's.

        `cluster.site("blog").get("/posts")`; cookies are kept, and `served` has the nodes that answered.
        """
        from lab.services.entrances import entrance

        return entrance(self.backend, self.plan, name).visitor()

    def app(self, name: str) -> Visitor:
        """The same of an application."""
        return self.site(name)
