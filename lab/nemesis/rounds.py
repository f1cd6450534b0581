"""What is done in which round, as it follows from a seed: the same seed and number give the same round."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Capabilities

SHORTEST, LONGEST = 1.0, 5.0  # seconds that a fault lasts
PRIMARY, REPLICAS = 0, (1, 2)
COUNTS = {"switchovers": (2, 5), "up-interrupted": (2, 12), "scale-interrupted": (2, 12)}
"""How many switchovers, and after how many lines 'lab up' is killed: the fewest and the most."""

SINGLE = {
    "kill": "a node loses its power",
    "pause": "a node hangs",
    "cut-off": "a node hears nobody, and nobody hears it",
    "deaf": "a node hears nobody, and is heard",
    "mute": "a node hears everybody, and is not heard",
    "crash": "mariadbd alone is killed",
    "hang": "mariadbd alone is stopped by SIGSTOP",
    "keeper-hangs": "the keeper alone is stopped by SIGSTOP",
    "fill": "not a byte more fits where mariadbd keeps temporary files",
    "clock": "a node's clock is a minute wrong",
}
"""Kinds that happen to one node, with what happens."""

SEVERAL = {
    "cut-all": "all nodes are cut from each other",
    "cut-replicas": "the primary is cut from its replicas, and from nobody else",
    "power-loss": "all nodes lose their power at once",
    "two": "two faults at once, on two nodes",
    "kill-in-clone": "a replica is made anew, and it or the primary loses its power meanwhile",
    "kill-in-promotion": "the primary loses its power, and then the node that is being promoted",
    "switchovers": "planned changes of the primary, one after the other",
    "up-interrupted": "'lab up' with other options is killed half-way; then it is run as before",
    "scale-interrupted": "'lab up' with one mysql node is killed half-way; then it is run as before",
}
KINDS = SINGLE | SEVERAL

TOGETHER = ("kill", "pause", "cut-off", "crash", "hang", "keeper-hangs")
"""Those of which `two` takes two."""

MINORITY = ("cut-all", "power-loss", "two", "kill-in-promotion", "scale-interrupted")
"""Kinds in which no two nodes may be left that reach each other: nobody has to take writes while they last."""

GALERA_EXCEPT = {
    "power-loss": "a commit may be on the disk of the node alone that took it",
    "two": "quick crashes one after the other lose what one node alone had on its disk",
    "kill-in-promotion": "quick crashes one after the other lose what one node alone had on its disk",
    "kill-in-clone": "a node that is made anew and one that dies leave one alone, which may hold what no other has",
    "scale-interrupted": "two nodes that go one after the other leave one that is no majority",
}
"""What `topology: galera` can't promise anything of; docs/chaos.md."""


@dataclass(frozen=True)
class Act:
    """Something that happens to one node: place 0 is the primary as the round begins, 1 and 2 are the replicas."""

    kind: str
    place: int


@dataclass(frozen=True)
class NemesisRound:
    """One round.

    Attributes:
        acts: what happens to which node; of kinds that happen to all, nothing.
        seconds: how long it lasts.
        count: how many switchovers; after how many lines 'lab up' is killed.
    """

    number: int
    kind: str
    acts: tuple[Act, ...]
    seconds: float
    count: int

    def __str__(self) -> str:
        names = ("the primary", "replica 1", "replica 2")
        whom = " and ".join(f"{act.kind} of {names[act.place]}" for act in self.acts)
        return f"{self.kind}: {whom}" if whom else self.kind


def drawn(seed: int, number: int, kinds: Sequence[str]) -> NemesisRound:
    """A round by its number, which begins with 1. Every kind comes once in as many rounds as there are kinds."""
    turn, place = divmod(number - 1, len(kinds))
    deck = sorted(kinds)
    random.Random(f"{seed} deck {turn}").shuffle(deck)  # noqa: S311  a seed makes a round that can be repeated
    dice = random.Random(f"{seed} round {number}")  # noqa: S311
    kind = deck[place]
    acts = _acts(kind, dice)
    return NemesisRound(
        number, kind, acts, round(dice.uniform(SHORTEST, LONGEST), 2), dice.randint(*COUNTS.get(kind, (1, 1)))
    )


def _acts(kind: str, dice: random.Random) -> tuple[Act, ...]:
    if kind == "two":
        places = dice.sample((PRIMARY, *REPLICAS), 2)
        return tuple(Act(dice.choice(TOGETHER), place) for place in places)
    if kind == "kill-in-clone":  # the first is made anew, the second dies
        replica = dice.choice(REPLICAS)
        return Act("clone", replica), Act("kill", dice.choice((PRIMARY, replica)))
    if kind in SINGLE:
        return (Act(kind, PRIMARY if dice.random() < 0.5 else dice.choice(REPLICAS)),)  # noqa: PLR2004  half of them
    return ()


def known(kinds: Sequence[str]) -> None:
    """Whether all of these are kinds.

    Raises:
        SpecError: one is none.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise SpecError(f"the nemesis has no kind '{unknown[0]}'", next_step=f"it has: {', '.join(KINDS)}")


def chosen(can: Capabilities, topology: str, without: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The kinds that are played here, and those that are not, with the reason.

    Raises:
        SpecError: one that is left out by name is none, or nothing is left.
    """
    known(without)
    left_out = dict.fromkeys(without, "left out by --without")
    if not can.own_clocks:
        left_out["clock"] = "all nodes share this machine's clock; domains on Xen have their own"
    if "nf_tables" not in can.kernel:
        lacking = "the nodes' kernel has no nf_tables"
        left_out |= dict.fromkeys(("cut-off", "deaf", "mute", "cut-all", "cut-replicas"), lacking)
        left_out["two"] = lacking
    if topology == "galera":
        left_out |= GALERA_EXCEPT
    kinds = [kind for kind in KINDS if kind not in left_out]
    if not kinds:
        raise SpecError("no kind of round is left", next_step="leave out fewer with --without")
    return kinds, left_out
