"""One node of the model of GlusterFS (tests/unit/gluster_model.py): its glusterd, its disk and its processes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab_node.volumes.disk import Disk
from lab_node.volumes.errors import Missing
from lab_node.volumes.glusterd import Glusterd
from lab_node.volumes.rules import Brick, Volume

if TYPE_CHECKING:
    import uuid

    from lab_node.volumes.agent import Agent
    from lab_node.volumes.bricks import Top
    from tests.unit.gluster_model import Cluster

NAME, SIZE = "www", 3


@dataclass
class Node:
    """A node of the model. `agent`, `running`, `heals` and `since` are gone with its power; the rest is on its disk.

    Attributes:
        known: the volume, as its glusterd has it.
        mark: whose brick its directory is; `there`: whether that is there, `marked_at`: since when.
        files: what its brick has; `ran`: whether it ever served.
        notes: other nodes with a file that they miss, or with None: any.
        lost: whether somebody removed files behind GlusterFS, and which.
        heals: whether its self-heal daemon runs.
    """

    name: str
    agent: Agent = field(init=False)
    up: bool = True
    known: bool = False
    there: bool = False
    mark: uuid.UUID | None = None
    marked_at: float = 0.0
    ran: bool = False
    files: set[int] = field(default_factory=set)
    notes: set[tuple[int, int | None]] = field(default_factory=set)
    lost: bool = False
    running: bool = False
    heals: bool = False
    since: float = 0.0
    said: str = ""


class ModelGlusterd(Glusterd):
    """One node's glusterd in the model."""

    def __init__(self, model: Cluster, index: int) -> None:
        super().__init__(model.nodes[index].name)
        self._model, self._index = model, index

    def volumes(self) -> dict[str, Volume]:
        volume = self._model.volume
        return {NAME: volume} if volume and self._model.nodes[self._index].known else {}

    def connected(self, node: str = "") -> set[str]:
        index = self._model.names.index(node) if node else self._index
        return {self._model.names[other] for other in self._model.reached(index)}

    def create(self, name: str, peers: list[str]) -> None:
        assert (name, peers) == (NAME, self._model.names)
        self._model.create(self._index)

    def set_options(self, name: str, options: dict[str, str]) -> None:
        self._change(name, options={**self._known().options, **options})

    def start(self, name: str, *, force: bool = False) -> None:
        self._change(name, started=True, created=False)
        for index in [self._index] if force else self._model.reached(self._index):
            node = self._model.nodes[index]
            node.heals = node.heals or node.known
            if node.known and node.mark == self._known().id and not node.running:
                node.running, node.since, node.ran, node.there = True, self._model.now, True, True

    def stop(self, name: str) -> None:
        self._change(name, started=False)

    def index_whole_entries(self, name: str) -> None:
        self._change(name, options={**self._known().options, "cluster.granular-entry-heal": "disable"})

    def split(self, name: str) -> set[str]:
        assert name == NAME
        return set()

    def _known(self) -> Volume:
        assert self._model.volume
        return self._model.volume

    def _change(self, name: str, **changes: Any) -> None:
        assert name == NAME
        self._model.volume = replace(self._known(), **changes)


class ModelDisk(Disk):
    """One node's disk and brick process in the model."""

    def __init__(self, model: Cluster, index: int) -> None:
        self._model, self._node, self._index = model, model.nodes[index], index

    def names(self) -> list[str]:
        return [NAME] if self._node.there else []

    def brick(self, name: str) -> Brick:
        assert name == NAME
        used = self._node.ran or self._node.files
        return Brick(not used, self._node.mark, bool(self._node.files))

    def age(self, name: str) -> float:
        assert name == NAME
        return self._model.now - self._node.marked_at

    def mark(self, volume: Volume) -> None:
        self._node.mark, self._node.there, self._node.marked_at = volume.id, True, self._model.now

    def unmark(self, name: str) -> None:
        assert name == NAME
        self._node.mark = None

    def take_back(self, volume: Volume) -> None:
        """The mount reaches the bricks that run; with most of three it may change something."""
        assert not self._node.files, f"{self._node.name} takes back a brick that has files"
        others = [node for node in self._model.serving() if node is not self._node]
        if 2 * len(others) <= SIZE:
            raise Missing("the volume can't be changed now")
        for node in others:
            node.notes.add((self._index, None))
        self._node.notes = set()
        self.mark(volume)

    def lost(self, name: str, before: Top) -> bool:
        del before
        assert name == NAME
        return self._node.lost

    def top(self, name: str) -> Top:
        assert name == NAME
        return {}

    def index(self, name: str) -> list[str]:
        assert name == NAME
        return sorted(map(str, self._node.notes))

    def path(self, name: str, text: str) -> str:
        assert name == NAME
        return text

    def set_aside(self, name: str) -> None:
        assert name == NAME
        assert not self._node.agent.to_heal(NAME, self._model.now), f"{self._node.name} sets aside what others lack"
        self._node.files, self._node.notes, self._node.mark = set(), set(), None
        self._node.there = self._node.ran = self._node.lost = False

    def running(self, name: str) -> bool:
        assert name == NAME
        return self._node.running

    def heals(self, name: str) -> bool:
        assert name == NAME
        return self._node.heals

    def runs_for(self, name: str) -> float:
        return self._model.now - self._node.since if self.running(name) else 0.0

    def end(self, name: str) -> None:
        assert name == NAME
        self._node.running = False
