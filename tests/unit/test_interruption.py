"""An interrupted change is reverted as a whole by the next `lab up`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities, State
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, LabError
from lab.lifecycle.prepare import prepare
from lab.lifecycle.up import up
from lab.plan import MANIFEST, plan
from lab.progress import Silent
from lab.topology import parse
from tests.unit.conftest import FEW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Result
    from lab.lifecycle.prepare import Prepared
    from lab.plan import NodePlan, Plan
    from lab.topology import Cluster

pytestmark = pytest.mark.slow("hundreds of interrupted changes")


class Interrupted(MemoryBackend):
    """Ends before a change to a node, once so many were made; of files it copies only the first."""

    def __init__(self, changes: int) -> None:
        super().__init__("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
        self.left = changes
        self.loaded: dict[str, dict[str, bytes]] = {}
        """The files that each node's daemons run with: read at a boot, and by a reload that names them."""

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        try:
            self._count()
        except BackendError:
            super().put(node, dict([*files.items()][: len(files) // 2]))
            raise
        super().put(node, files)

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self._count()
        done = super().run(node, argv, seconds=seconds)
        if argv[0] == "rm":
            for path in argv[2:]:
                self.files[node].pop(path, None)
        if argv[0].endswith("/reload"):
            files = self.files[node].items()
            self.loaded[node] |= {path: content for path, content in files if path.rpartition("/")[2] in argv}
        return done

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        self._count()
        super().create(plan, node, files)

    def note(self, key: str, text: str | None) -> None:
        self._count()
        super().note(key, text)

    def start(self, node: str) -> None:
        self._count()
        if self._nodes[node].state in (State.CREATED, State.STOPPED):  # one that is paused reads nothing again
            self.loaded[node] = dict(self.files[node])
        super().start(node)

    def stop(self, node: str) -> None:
        self._count()
        super().stop(node)

    def remove(self, node: str) -> None:
        self._count()
        self.loaded.pop(node, None)
        super().remove(node)

    def outdated(self) -> set[tuple[str, str]]:
        """The files that daemons run with in a former state, with their nodes."""
        return {
            (node, path)
            for node, files in self.files.items()
            for path in files
            if path != MANIFEST and self.loaded[node].get(path) != files[path]
        }

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise BackendError("interrupted")


PERSON = "{keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcWwD1sSUBbMpGK1SYCjNEIvOu7ntZ8WvR1Pf8mqXVh ann@home]}"
PEOPLE = f"{FEW}storage: {{count: 1}}\nshell: {{count: 1}}\nusers: {{ann: {PERSON}}}\n"
DATABASE = f"{FEW}mysql: {{count: 2}}\n"
OTHER = {
    "an option": (FEW, FEW.replace("web: {count: 1}", "web: {count: 1, sticky: true}")),
    "more nodes": (FEW, FEW.replace("web: {count: 1}", "web: {count: 2}")),
    "fewer nodes": (FEW.replace("http-lb: {count: 1}", "http-lb: {count: 2}"), FEW),
    "a role more": (FEW, DATABASE),
    "a role less": (DATABASE, FEW),
    "an option and fewer nodes": (DATABASE, DATABASE.replace("{count: 2}", "{count: 1, patience: 3}")),
    "a user more": (PEOPLE, PEOPLE.replace("{ann:", f"{{bob: {PERSON}, ann:")),
    "a user less": (PEOPLE.replace("{ann:", f"{{bob: {PERSON}, ann:"), PEOPLE),
    "a port, so another client": (FEW, FEW.replace("8404", "8505")),
    "another VIP": (FEW, FEW + "vip: 10.90.0.99\n"),
}


@pytest.fixture
def _planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan follows from its topology, and takes most of the time of an `up`: it is made once for each."""
    plans: dict[str, Plan] = {}

    def planned(cluster: Cluster, family: str) -> Plan:
        key = f"{family} {cluster.model_dump_json()}"
        if key not in plans:
            plans[key] = plan(cluster, family)
        return plans[key]

    monkeypatch.setattr("lab.lifecycle.prepare.plan", planned)
    # This engine knows at once whether a node has ended.
    monkeypatch.setattr("lab.lifecycle.endings.ENDING_SECONDS", 0.0)


@pytest.mark.usefixtures("_planned_once")
@pytest.mark.parametrize("state", [State.RUNNING, State.STOPPED, State.PAUSED])
@pytest.mark.parametrize("change", OTHER)
def test_a_change_that_was_interrupted_anywhere_is_reverted_whole(change: str, state: State) -> None:
    """And whichever topology is asked for next: no node keeps a file of the other one, nor runs with it.

    Each interruption meets the cluster that the revert of the last one left.
    """
    few, other = map(parse, OTHER[change])
    backend = Interrupted(0)
    up(few, backend, Silent())
    for step in range(1, 1000):
        _become(state, backend)
        backend.left = step
        try:
            up(other, backend, Silent())
        except LabError:
            done = False
        else:
            done = backend.left > 0
        backend.left = 0
        if done:
            assert backend.outdated() == set()
        _become(state, backend)
        up(few, backend, Silent())
        assert backend.files == _files(prepare(few, backend, Silent())), f"interrupted before change {step}"
        assert backend.outdated() == set(), f"interrupted before change {step}"
        if done:
            return
    pytest.fail("the change never came to its end")


def _become(state: State, backend: Interrupted) -> None:
    """All nodes, but mysql's, whose number changes only where all of them run."""
    for node in backend.observe().nodes:
        if node.role != "mysql" and state is not State.RUNNING and node.state is not State.CREATED:
            (backend.kill if state is State.STOPPED else backend.pause)(node.name)


def _files(prepared: Prepared) -> dict[str, dict[str, bytes]]:
    return {name: {path: content for path, (content, _) in files.items()} for name, files in prepared.files.items()}
