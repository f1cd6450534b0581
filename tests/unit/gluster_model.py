"""A model of GlusterFS for the storage nodes' agent, as a state machine.

A glusterd learns volumes from those that it reaches. Disks have marks and files, bricks have processes and notes of who
misses what, and heals go by these notes. Nodes die, are cut off, lose a disk or the files of one. The agent and the
rules are those of the nodes (lab_node/volumes).
"""

from __future__ import annotations

import itertools
import uuid
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lab_node.volumes import rules
from lab_node.volumes.agent import Agent
from lab_node.volumes.errors import Missing
from lab_node.volumes.rules import Volume
from lab_node.volumes.settings import Settings
from tests.unit.gluster_node import NAME, SIZE, ModelDisk, ModelGlusterd, Node

NODES = st.integers(0, SIZE - 1)
OPTIONS = {"server.ssl": "on", "network.ping-timeout": "2"}
ROUNDS = 15  # of all nodes, until all has to be well again


class Cluster(RuleBasedStateMachine):
    """Three nodes of one volume; `acknowledged` are the files that clients were told are written."""

    agent: ClassVar[type[Agent]] = Agent

    def __init__(self) -> None:
        super().__init__()
        self.now, self.cut = 1000.0, set[frozenset[int]]()
        self.nodes = [Node(f"storage{number + 1}") for number in range(SIZE)]
        self.names = [node.name for node in self.nodes]
        self.volume: Volume | None = None
        self.acknowledged: set[int] = set()
        self.numbers = itertools.count()
        self.forgotten = False
        self.agree: set[int] | None = None  # whose bricks the next making marks, and then breaks off
        for index in range(SIZE):
            self.begin(index)

    def begin(self, index: int) -> None:
        wanted = Settings(self.names[index], {name: name for name in self.names}, [NAME], OPTIONS)
        node = self.nodes[index]
        node.agent = self.agent(wanted, ModelGlusterd(self, index), ModelDisk(self, index))

    @initialize(formed=st.booleans())
    def form(self, formed: bool) -> None:  # noqa: FBT001
        if formed:
            self.go_on()
            self.write()

    # -- what the model's GlusterFS does --

    def reached(self, index: int) -> list[int]:
        if not self.nodes[index].up:
            return []
        links = [other for other in range(SIZE) if other != index and frozenset((index, other)) not in self.cut]
        return [index, *(other for other in links if self.nodes[other].up)]

    def learn(self) -> None:
        """Each glusterd takes in what those know that it reaches."""
        for _ in range(SIZE):
            for index, node in enumerate(self.nodes):
                node.known = node.known or any(self.nodes[other].known for other in self.reached(index))

    def serving(self) -> list[Node]:
        return [node for node in self.nodes if node.running]

    def create(self, index: int) -> None:
        assert not any(node.files for node in self.nodes), "a volume is made over data"
        identity = uuid.uuid4()
        reached = self.reached(index)
        if len(reached) < SIZE or any(self.nodes[other].mark for other in reached):
            raise Missing("a node refuses")
        for other in reached if self.agree is None else sorted(self.agree):
            node = self.nodes[other]
            node.mark, node.there, node.marked_at = identity, True, self.now
        if self.agree is not None:
            self.agree = None
            raise Missing("a node refuses")
        assert not any(node.known for node in self.nodes), "a volume is made twice"
        self.volume = Volume(NAME, identity, created=True, started=False)
        for node in self.nodes:
            node.known = True

    def blamed(self, index: int) -> bool:
        """Whether another brick has noted that this one misses something."""
        return any(other == index for node in self.nodes for other, _ in node.notes)

    def good(self, without: int) -> bool:
        """Whether each file, and each note, is there without one node, and most can say so."""
        others = [(i, node) for i, node in enumerate(self.nodes) if i != without]
        if self.forgotten or (
            self.volume
            and not (all(node.mark and not node.lost for _, node in others) and any(node.known for _, node in others))
        ):
            return False
        whole = [node for i, node in others if node.mark and not node.lost and not self.blamed(i)]
        noted = all(any(one in node.notes for _, node in others) for one in self.nodes[without].notes)
        return noted and (not self.acknowledged or any(node.files >= self.acknowledged for node in whole))

    # -- what happens --

    @rule(index=NODES)
    def look(self, index: int) -> None:
        """A node looks, and says what is missing."""
        node = self.nodes[index]
        if not node.up:
            return
        self.learn()
        node.agent.to_heal(NAME, self.now)
        try:
            node.agent.look(self.now)
            node.said = ""
        except Missing as missing:
            node.said = str(missing)

    @rule(seconds=st.sampled_from([1.0, 5.0, 15.0, 40.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def write(self) -> None:
        """A client writes a file: to all bricks that run, if they are most."""
        serving = self.serving()
        if 2 * len(serving) > SIZE:
            number = next(self.numbers)
            self.acknowledged.add(number)
            for node in serving:
                node.files.add(number)
                node.notes |= {(index, number) for index, other in enumerate(self.nodes) if not other.running}

    @rule()
    def heal(self) -> None:
        """Who has missed a file gets it from who noted that; who was empty, all from one that was not."""
        blank = {other for node in self.nodes for other, file in node.notes if file is None}
        for index, source in enumerate(self.nodes):
            for other, file in list(source.notes) if source.running and source.heals and not source.lost else ():
                if (
                    self.nodes[other].running
                    and not self.nodes[other].lost
                    and (file is not None or index not in blank)
                ):
                    self.nodes[other].files |= source.files if file is None else {file}
                    source.notes.discard((other, file))

    @rule(index=NODES)
    def die(self, index: int) -> None:
        node = self.nodes[index]
        if not (node.lost and node.files):  # what an agent remembers of the names is gone with it: not this one's
            node.up = node.running = node.heals = False
            self.begin(index)

    @rule(index=NODES)
    def boot(self, index: int) -> None:
        self.nodes[index].up = True

    @rule(index=NODES)
    def brick_dies(self, index: int) -> None:
        self.nodes[index].running = False

    @rule(index=NODES)
    def healer_dies(self, index: int) -> None:
        self.nodes[index].heals = False

    @rule(pair=st.sampled_from([frozenset(pair) for pair in itertools.combinations(range(SIZE), 2)]))
    def part(self, pair: frozenset[int]) -> None:
        """Two nodes reach each other no more, or again."""
        self.cut ^= {pair}

    @rule(index=NODES)
    def leave_the_majority(self, index: int) -> None:
        """A glusterd that reaches too few ends its brick."""
        if 2 * len(self.reached(index)) <= SIZE:
            self.nodes[index].running = False

    @rule(index=NODES)
    def lose_disk(self, index: int) -> None:
        """A node comes back with an empty disk."""
        if self.good(without=index):
            self.nodes[index] = Node(self.names[index])
            self.begin(index)

    @rule(index=NODES, everything=st.booleans())
    def lose_files(self, index: int, everything: bool) -> None:  # noqa: FBT001
        """Somebody removes files of a brick that runs, or all of it."""
        node = self.nodes[index]
        if node.running and node.files and self.good(without=index) and not any(one.lost for one in self.nodes):
            node.lost = True
            node.files = set() if everything else set(sorted(node.files)[1:])
            if everything:
                node.mark, node.notes = None, set()

    @rule(agree=st.sets(NODES))
    def break_off(self, agree: set[int]) -> None:
        """The next making of the volume marks some bricks, and is broken off."""
        if not self.volume:
            self.agree = agree

    @rule(index=NODES)
    def lose_mark(self, index: int) -> None:
        """Files that somebody copied back are not marked as a brick's."""
        node = self.nodes[index]
        if node.files and not node.running and not node.lost and self.good(without=index):
            node.mark = None

    @rule(marked=st.booleans())
    def forget(self, marked: bool) -> None:  # noqa: FBT001
        """Every glusterd loses what it knows; maybe the bricks are copies of what was in them, without marks."""
        if all(node.files and not node.lost for node in self.nodes):
            self.volume, self.forgotten = None, True
            for node in self.nodes:
                node.known = node.running = node.heals = False
                node.mark = node.mark if marked else None

    # -- what must never be, and what has to come --

    @invariant()
    def nothing_is_lost(self) -> None:
        """Whoever may be read from has every file; but where somebody has just removed some."""
        for index, node in enumerate(self.nodes):
            if node.running and not node.lost and not self.blamed(index):
                missing = self.acknowledged - node.files
                assert not missing, f"{node.name} serves without {missing}"

    def go_on(self) -> None:
        """Nothing more happens: all nodes look, again and again, and GlusterFS heals."""
        self.cut = set()
        for node in self.nodes:
            node.up = True
        for _ in range(ROUNDS):
            for index in range(SIZE):
                self.look(index)
            self.tick(rules.IDLE_SECONDS)
            self.heal()

    def teardown(self) -> None:
        """What nothing is in the way of becomes well again, with nobody's help."""
        unmarked = [node.name for node in self.nodes if node.files and not node.mark and not node.lost]
        self.go_on()
        for node in self.nodes:
            if self.forgotten:
                assert "nothing is made over it" in node.said
            elif node.name in unmarked:
                assert "it is left alone" in node.said
            elif not unmarked and not node.lost:
                assert node.said == "", node
                assert node.running
                assert node.heals
                assert node.files >= self.acknowledged
