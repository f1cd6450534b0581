"""Fair delivery in the model of the MySQL cluster: in each turn each node takes one step, in an order by chance.

An election takes several turns, one for each question: candidates stand side by side, as nodes do, and take votes from
each other. Only their patience lets one of them be first.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from lab_node.keeper import rules
from lab_node.keeper.rules import Role
from tests.unit.mysql_model import EVERYBODY, NAMES, SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.mysql_model import Candidacy, Cluster, Node

PATIENCE = 12
"""In turns; half of it, by which the patience of two nodes differs, is longer than an election."""
TURNS = 10 * PATIENCE


def share(me: rules.View, views: list[rules.View]) -> float:
    """As `Keeper._share`: how much of the patience a node has before it stands."""
    rank = rules.rank(me, views) / 2
    if len(views) + 1 < SIZE:
        return 1 + rank
    return rank if all(view.role is Role.REPLICA for view in views) else 0.5 + rank


class Fairness:
    """What is pending in a model that is left to itself.

    Attributes:
        since: by node, the turn in which it last heard of a primary, or stood.
        standing: the candidacies that are under way, by node.
    """

    def __init__(self, model: Cluster, seed: int) -> None:
        self._model = model
        self._chance = random.Random(f"fair {seed}")
        self._turn = 0
        self.since = [0] * SIZE
        self.standing: dict[int, Candidacy] = {}

    def settle(self) -> None:
        """All are up, heard and told of the same, until all is whole; then the primary dies, and two settle.

        Raises:
            AssertionError: they do not.
        """
        model = self._model
        for index in range(SIZE):
            if model.nodes[index].configured != NAMES:
                model.configure(index, EVERYBODY)
            model.boot(index, False)  # noqa: FBT003
        self._until(EVERYBODY, lambda: model.led(EVERYBODY), "leads")
        self._until(EVERYBODY, model.whole, "leads the others")
        primary = next(i for i, node in enumerate(model.nodes) if node.role is Role.PRIMARY)
        model.die(primary)
        two = EVERYBODY - {primary}
        self._until(two, lambda: model.led(two), "of two leads")

    def _until(self, heard: frozenset[int], good: Callable[[], bool], what: str) -> None:
        for _ in range(TURNS):
            if good():
                return
            self._turn += 1
            for index in self._chance.sample(sorted(heard), len(heard)):
                self._step(index, heard)
        raise AssertionError(f"nobody {what}: {self._model.nodes}")

    def _step(self, index: int, heard: frozenset[int]) -> None:
        model, me = self._model, self._model.nodes[index]
        if index in self.standing:
            self._go_on(self.standing[index])
            return
        model.notice(index, heard)
        model.boot(index, False)  # noqa: FBT003
        model.learn(index, heard)
        seen = model.others(me, heard)
        if rules.leader(model.view(me), seen):
            self.since[index] = self._turn
            model.follow(index, heard)
            model.receive(index, 3)
            model.join(index, heard)
            model.acknowledge_again(index)
        elif self._stands(me, seen, self.since[index]):
            self.since[index] = self._turn
            self.standing[index] = model.candidacy(index, heard)
        model.begin_epoch(index)

    def _stands(self, me: Node, seen: list[rules.View], since: int) -> bool:
        view = self._model.view(me)
        patient = self._turn < since + PATIENCE * share(view, seen)
        return not patient and rules.may_stand(view, seen, me.memberships)

    def _go_on(self, one: Candidacy) -> None:
        """The next part of an election, in the order of `Elections._stand`: its own promise, each vote, the count."""
        model = self._model
        if not one.voters:
            if model.promise_itself(one):
                return
        elif one.asks:
            model.ask(one)
            return
        else:
            model.count(one)
        del self.standing[one.candidate]
