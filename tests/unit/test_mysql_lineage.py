"""Data that a log does not tell of: whatever is elected, ended and copied in whichever order, all copies become equal.

A model of what is beside the log: what TRUNCATE, or a table without transactions, has done on a primary before it was
written into its log. It plays the functions of `rules.py` by which nodes are copied anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from lab_node.keeper import rules
from lab_node.keeper.rules import Role
from tests.unit.thorough import part

SIZE = 3
NODES = st.integers(0, SIZE - 1)


@dataclass
class Node:
    """`data` is what statements did that are in no log; the rest is in the promise on the disk, but for `role`."""

    name: str
    data: set[int] = field(default_factory=set)
    unlogged: bool = False
    lineage: int = 0
    role: Role = Role.REPLICA


class Cluster(RuleBasedStateMachine):
    """Three nodes of equal logs."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = [Node(f"mysql{number + 1}") for number in range(SIZE)]
        self.epoch, self.statements = 0, 0

    def view(self, node: Node) -> rules.View:
        return rules.View(
            node.name, node.role, member=True, epoch=self.epoch, unlogged=node.unlogged, lineage=node.lineage
        )

    @property
    def primary(self) -> Node | None:
        return next((node for node in self.nodes if node.role is Role.PRIMARY), None)

    @rule(index=NODES, orderly=st.booleans())
    def elect(self, index: int, orderly: bool) -> None:  # noqa: FBT001
        """Another node becomes the primary; the old one has handed over, or was ended."""
        old, new = self.primary, self.nodes[index]
        if new is old:
            return
        if old:
            old.role, old.unlogged = Role.REPLICA, old.unlogged and not orderly
        self.epoch += 1
        new.lineage = rules.lineage(self.view(new), self.epoch)
        new.role, new.unlogged = Role.PRIMARY, True

    @rule()
    def statement(self) -> None:
        """Done, and not written into the log: its node is ended next, or writes it after all, for everybody."""
        if self.primary:
            self.statements += 1
            self.primary.data.add(self.statements)
            self.primary.role = Role.REPLICA

    @rule()
    def power_loss(self) -> None:
        for node in self.nodes:
            node.role = Role.REPLICA

    @rule(index=NODES)
    def copy(self, index: int) -> None:
        """A step of a replica that follows."""
        node, primary = self.nodes[index], self.primary
        if primary is None or node is primary:
            return
        others = [self.view(one) for one in self.nodes if one is not node]
        if rules.remade(self.view(node), self.view(primary), others):
            node.data, node.lineage, node.unlogged = set(primary.data), primary.lineage, False

    @invariant()
    def equal_once_none_differs(self) -> None:
        primary = self.primary
        if primary is None:
            return
        for node in self.nodes:
            if node is not primary and not rules.differs(self.view(node), self.view(primary)):
                assert node.data == primary.data, f"{node.name} is taken for equal to {primary.name}"

    @invariant()
    def somebody_is_copied_while_one_differs(self) -> None:
        """And one at a time."""
        primary = self.primary
        if primary is None:
            return
        replicas = [node for node in self.nodes if node is not primary]
        differing = [node for node in replicas if rules.differs(self.view(node), self.view(primary))]
        views = {node.name: [self.view(one) for one in self.nodes if one is not node] for node in replicas}
        copied = [node for node in replicas if rules.remade(self.view(node), self.view(primary), views[node.name])]
        assert len(copied) == bool(differing)


def test_copies_become_equal_whoever_is_ended_and_elected() -> None:
    run_state_machine_as_test(Cluster, settings=settings(max_examples=part(300), stateful_step_count=40))


def test_the_model_finds_a_node_that_forgets_that_it_was_ended() -> None:
    class Forgetful(Cluster):
        def view(self, node: Node) -> rules.View:
            return rules.View(node.name, node.role, member=True, epoch=self.epoch, lineage=node.lineage)

    found = settings(max_examples=300, stateful_step_count=40, phases=[Phase.generate])
    try:
        run_state_machine_as_test(Forgetful, settings=found)
    except AssertionError:
        return
    raise AssertionError("a rule was taken away, and the model did not see it")
