"""Random walks of the model of the MySQL cluster: far quicker than a search that can be made smaller."""

from __future__ import annotations

import random

from lab_node.keeper.rules import Role
from tests.unit.mysql_fairness import Fairness
from tests.unit.mysql_model import EVERYBODY, SIZE, Cluster

KINDS = (
    "write", "receive", "follow", "stand", "notice", "die", "boot", "lose_disk", "join", "begin_epoch",
    "acknowledge_again", "copy", "configure", "give_up",
)  # fmt: skip
MEMBERS = [EVERYBODY] * 3 + [frozenset({0}), frozenset({0, 1}), frozenset({1, 2})]
WEIGHTS = (20, 30, 20, 6, 3, 4, 12, 1, 6, 15, 3, 4)


def walk(seed: int, steps: int = 60, changes: int = 0, given_up: int = 0) -> Cluster:
    """One interleaving by chance, of what a cluster mostly does: far quicker than a search that can be made smaller.

    `changes`: the weight of a node that is told of other members; `given_up`: that of a promotion which is given up.
    """
    chance = random.Random(seed)
    model = Cluster()
    model.begin(formed=True)
    for _ in range(steps):
        index = chance.randrange(SIZE)
        heard = EVERYBODY if chance.random() < 0.6 else EVERYBODY - {chance.randrange(SIZE)}
        _step(model, chance.choices(KINDS, (*WEIGHTS, changes, given_up))[0], index, heard, chance)
        if changes:
            model.learn(index, heard)
        model.what_was_acknowledged_is_on_a_disk()
    return model


def _step(model: Cluster, kind: str, index: int, heard: frozenset[int], chance: random.Random) -> None:
    if kind == "write" and any(node.role is Role.PRIMARY for node in model.nodes):
        model.write(index)
    elif kind == "receive":
        model.receive(index, chance.randint(1, 3), lost=chance.random() < 0.1)
    elif kind == "copy":
        (model.replace if model.nodes[index].copy else model.fetch)(index)
    elif kind == "boot":
        model.boot(index, chance.random() < 0.5)
    elif kind == "configure":
        model.configure(index, frozenset({index}) | chance.choice(MEMBERS))
    elif kind in ("follow", "stand", "notice", "join"):
        getattr(model, kind)(index, heard)
    elif kind != "write":
        getattr(model, kind)(index)


def walks(seeds: range, changes: int = 0) -> None:
    """One for each seed."""
    for seed in seeds:
        walk(seed, changes=changes)


def settles(seeds: range, changes: int = 0, given_up: int = 0) -> None:
    """Interleavings, each left to itself at its end."""
    for seed in seeds:
        model = walk(seed, changes=changes, given_up=given_up)
        Fairness(model, seed).settle()
        model.what_was_acknowledged_is_on_a_disk()
