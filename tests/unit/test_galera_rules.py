"""The rules by which a Galera component is begun anew, on a model of it: thousands of interleavings, nothing lost.

The model has Galera's own guarantee, that a majority agrees on an order, and what it leaves open: a commit is durable
on the node that took it before it is on any other disk, and a node that dies loses what it had only received.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from lab_node.keeper import component
from lab_node.keeper.rules import Role
from tests.unit.thorough import part

SIZE, WALKS, STEPS = 3, 4000, 120


@dataclass
class Node:
    """A node of the model. What is on its disk: `log`, `promised`, `begun`, `writer`, `member`, `history`."""

    name: str
    log: list[int] = field(default_factory=list)
    promised: int = 0
    begun: int = 0
    writer: str = ""
    member: bool = False
    history: tuple[tuple[int, int], ...] = ()
    running: bool = False
    received: list[int] = field(default_factory=list)  # in memory: ordered, and not yet on the disk

    def seat(self) -> component.Seat:
        return component.Seat(
            self.name, Role.DOWN, self.running, self.running, self.promised, self.begun, self.writer, len(self.log),
            self.member, self.history,
        )  # fmt: skip


class Model:
    """Three nodes of which any may die, come back, and be heard or not."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.nodes = [Node(f"mysql{index + 1}") for index in range(SIZE)]
        self.told = {node.name: node.seat() for node in self.nodes}
        self.acknowledged: set[int] = set()
        self.written = 0

    def component(self) -> list[Node]:
        return [node for node in self.nodes if node.running]

    def step(self) -> None:
        self.chance.choice(
            [self.begin, self.join, self.write, self.write, self.apply, self.learn, self.learn, self.die]
        )()

    def begin(self) -> None:
        """A node that hears some of the others, none of which runs, asks them for their votes."""
        if self.component():
            return
        me, *others = self.chance.sample(self.nodes, SIZE)
        heard = others[: self.chance.choice([1, 1, 2])]
        seats = {one.name: one.seat() if self.chance.random() < 0.7 else self.told[one.name] for one in heard}
        self.told |= seats  # what is heard may be old
        if component.short_of(me.seat(), list(seats.values()), SIZE):
            return
        epoch = 1 + max(one.promised for one in (me, *heard))
        voters = [one for one in heard if not component.grants(epoch, me.seat().reach, one.seat())]
        for voter in voters:
            voter.promised = epoch
        if component.short_of(me.seat(), [seats[one.name] for one in voters], SIZE):
            return
        me.promised, me.running = epoch, True
        self.take_over(me, epoch)

    def take_over(self, node: Node, epoch: int) -> None:
        """An epoch begins: a transaction of which each running node learns in its own time."""
        for one in self.component():
            self.flush(one)
        self.pending = (epoch, node.name, len(node.log))
        self.learned(node)

    def learned(self, node: Node) -> None:
        epoch, writer, after = self.pending
        node.promised, node.begun, node.writer = max(node.promised, epoch), epoch, writer
        node.history = (*(entry for entry in node.history if entry[0] != epoch), (epoch, after))
        node.member = True

    def learn(self) -> None:
        """A running node reads who takes the writes; or, where that one has gone, another takes over."""
        if not self.component():
            return
        node = self.chance.choice(self.component())
        if node.begun < self.pending[0]:
            self.learned(node)
        elif component.takes_over(node.seat(), {one.name for one in self.component()}):
            self.take_over(node, 1 + max(one.promised for one in self.component()))

    def join(self) -> None:
        """One that does not run joins those that do, with a copy where its own can't be the beginning of theirs."""
        running = self.component()
        down = [one for one in self.nodes if not one.running]
        if not running or not down:
            return
        node, donor = self.chance.choice(down), self.chance.choice(running)
        for one in running:
            self.flush(one)
        if not node.member or component.diverged(node.begun, len(node.log), donor.history):
            node.log = list(donor.log)
        assert node.log == donor.log[: len(node.log)], f"{node.name} goes on from a log that is no beginning"
        node.log, node.history, node.running = list(donor.log), donor.history, True
        self.learned(node)  # it reads the epochs before it does anything

    def write(self) -> None:
        """The node that takes the writes commits one: on its own disk; the others have only received it."""
        running = self.component()
        for node in running:
            others = [one.seat() for one in running if one is not node]
            if 2 * len(running) > SIZE and component.confirmed(node.seat(), others, SIZE):
                self.flush(node)
                self.written += 1
                for one in running:
                    one.received.append(self.written)
                if self.chance.random() < 0.7:  # else it is in order, and its own disk does not have it yet
                    self.flush(node)
                    self.acknowledged.add(self.written)
                return

    def apply(self) -> None:
        if self.component():
            self.flush(self.chance.choice(self.component()))

    def flush(self, node: Node) -> None:
        node.log += node.received
        node.received = []

    def die(self) -> None:
        """Some lose power; a rest that is no majority ends by itself, and what it had only received is gone."""
        if self.chance.random() < 0.4:
            return
        for node in self.chance.sample(self.nodes, self.chance.randint(1, SIZE)):
            node.running, node.received = False, []
        if 2 * len(self.component()) <= SIZE:
            for node in self.component():
                node.running, node.received = False, []
        else:
            for node in self.component():
                self.flush(node)


def _walk(seed: int) -> int:
    """Plays one model; returns how much was acknowledged."""
    model = Model(seed)
    for _ in range(STEPS):
        model.step()
        running = model.component()
        if 2 * len(running) > SIZE:
            whole = max((one.log + one.received for one in running), key=len)
            lost = model.acknowledged - set(whole)
            assert not lost, f"seed {seed}: {sorted(lost)} acknowledged and lost"
    return len(model.acknowledged)


def _walks(count: int) -> list[int]:
    return [_walk(seed) for seed in range(count)]


def test_nothing_acknowledged_is_lost_in_any_interleaving() -> None:
    acknowledged = _walks(part(WALKS))
    writing = sum(count > 0 for count in acknowledged)
    assert writing > len(acknowledged) / 2, "the model hardly ever writes: it proves little"


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("confirmed", lambda me, *_: me.writer == me.name),
        ("diverged", lambda *_: False),
        ("grants", lambda *_: ""),
    ],
)
def test_the_model_finds_a_rule_that_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, without: object) -> None:
    monkeypatch.setattr(component, name, without)
    with pytest.raises(AssertionError):
        _walks(WALKS)


def test_a_writer_that_is_not_there_is_waited_for() -> None:
    first, second, third = (
        component.Seat(name, Role.DOWN, begun=2, writer="mysql1", position=position, member=True)
        for name, position in (("mysql1", 9), ("mysql2", 8), ("mysql3", 8))
    )
    assert component.short_of(second, [third], SIZE) == "mysql1, which took the writes, is not there"
    assert component.short_of(second, [first], SIZE) == "mysql1 has more, and begins"
    assert component.short_of(first, [second], SIZE) == ""
    assert component.short_of(first, [], SIZE) == "1 of 3 nodes are there"
    new = component.Seat("mysql3", Role.DOWN)
    assert component.short_of(first, [new], SIZE) == "2 of 3 nodes are there, some disks are new"
    assert component.short_of(new, [component.Seat("mysql1", Role.DOWN)], SIZE) != ""
