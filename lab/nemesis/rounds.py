"""The rounds: a pure function of seed and number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Capabilities

SHORTEST, LONGEST = 1.0, 5.0  # seconds of a fault
PRIMARY, REPLICAS = 0, (1, 2)
COUNTS = {"switchovers": (2, 5), "up-interrupted": (2, 12), "scale-interrupted": (2, 12)}
"""Least and greatest number of switchovers, or of lines of progress after which 'lab up' is killed."""

SINGLE = {
    "kill": "power failure of one node",
    "pause": "a node hangs",
    "cut-off": "a node neither receives nor sends packets",
    "deaf": "a node receives no packets",
    "mute": "a node sends no packets",
    "crash": "mariadbd is killed",
    "hang": "mariadbd is stopped by SIGSTOP",
    "keeper-hangs": "the keeper is stopped by SIGSTOP",
    "fill": "the data disk of a node is full",
    "clock": "a node's clock is a minute wrong",
}
"""Kinds that affect one node, with their descriptions."""

SEVERAL = {
    "cut-all": "all nodes are isolated from each other",
    "cut-replicas": "the primary is isolated from its replicas alone",
    "power-loss": "power failure of all nodes at once",
    "two": "two faults at once, on two nodes",
    "kill-in-clone": "power failure of a replica while it is cloned, or of the primary",
    "pause-in-clone": "a replica hangs, its keeper does, or it is cut off, while it is cloned",
    "kill-in-promotion": "power failure of the primary, then of the node that is being promoted",
    "switchovers": "planned changes of the primary in a row",
    "up-interrupted": "'lab up' with other options is interrupted, then run without them",
    "scale-interrupted": "'lab up' with one mysql node is interrupted, then run with three",
}
KINDS = SINGLE | SEVERAL

TOGETHER = ("kill", "pause", "cut-off", "crash", "hang", "keeper-hangs")
"""Kinds that `two` combines."""

IN_CLONE = ("pause", "cut-off", "keeper-hangs")
"""Kinds of which `pause-in-clone` has one: the connection to the donor stays, and nothing is read from it."""

LONGER_PATIENCE = "up-interrupted"
FAILS_OVER = (
    *("kill", "pause", "cut-off", "deaf", "mute", "cut-replicas", "crash", "hang", "keeper-hangs"),
    LONGER_PATIENCE,
)
"""Kinds that the promise `mysql-fails-over` covers: one node at a time is killed, hangs, is cut off or hands over."""

GALERA_EXCEPT = {
    "power-loss": "a commit may be on the disk of one node alone",
    "two": "crashes in quick succession lose commits that are on the disk of one node alone",
    "kill-in-promotion": "crashes in quick succession lose commits that are on the disk of one node alone",
    "kill-in-clone": "a clone and a crash leave one node, whose disk may have commits of its own",
    "scale-interrupted": "two nodes that leave one after the other leave one without a majority",
}
"""Kinds excluded with `topology: galera`, with the reason; docs/promises.md has rounds of them."""


@dataclass(frozen=True)
class Act:
    """A fault of one node: place 0 is the primary at the start of the round, 1 and 2 are the replicas."""

    kind: str
    place: int


@dataclass(frozen=True)
class NemesisRound:
    """One round.

    Attributes:
        acts: faults of single nodes; empty for kinds that affect all.
        seconds: duration.
        count: number of switchovers, or of lines of progress after which 'lab up' is killed.
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
    """A round by its number, from 1. Each kind occurs once in as many rounds as there are kinds."""
    turn, place = divmod(number - 1, len(kinds))
    deck = sorted(kinds)
    random.Random(f"{seed} deck {turn}").shuffle(deck)  # noqa: S311  a seed makes a round that can be repeated
    rng = random.Random(f"{seed} round {number}")  # noqa: S311
    kind = deck[place]
    acts = _acts(kind, rng)
    return NemesisRound(
        number, kind, acts, round(rng.uniform(SHORTEST, LONGEST), 2), rng.randint(*COUNTS.get(kind, (1, 1)))
    )


def _acts(kind: str, rng: random.Random) -> tuple[Act, ...]:
    if kind == "two":
        places = rng.sample((PRIMARY, *REPLICAS), 2)
        return tuple(Act(rng.choice(TOGETHER), place) for place in places)
    if kind == "kill-in-clone":  # the first is cloned, the second is killed
        replica = rng.choice(REPLICAS)
        return Act("clone", replica), Act("kill", rng.choice((PRIMARY, replica)))
    if kind == "pause-in-clone":
        replica = rng.choice(REPLICAS)
        return Act("clone", replica), Act(rng.choice(IN_CLONE), replica)
    if kind in SINGLE:
        return (Act(kind, PRIMARY if rng.random() < 0.5 else rng.choice(REPLICAS)),)  # noqa: PLR2004  half of them
    return ()


def refuse_unknown(kinds: Sequence[str]) -> None:
    """Refuses unknown kinds.

    Raises:
        SpecError: names the first.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise SpecError(f"the nemesis has no kind '{unknown[0]}'", next_step=f"kinds: {', '.join(KINDS)}")


def chosen(
    can: Capabilities, topology: str, without: Sequence[str], also: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The kinds of a run, and the excluded kinds with their reasons.

    `also`: kinds that are not excluded for what Galera may lose.

    Raises:
        SpecError: an unknown kind, or no kind is left.
    """
    refuse_unknown(without)
    left_out = dict.fromkeys(without, "excluded by --without")
    if not can.own_clocks:
        left_out["clock"] = "all nodes share this machine's clock; Xen domains have their own"
    if not can.sized_volumes:
        left_out["fill"] = "the data volumes have no size of their own: filling one would fill this machine's disk"
    if "nf_tables" not in can.kernel:
        lacking = "the nodes' kernel has no nf_tables"
        left_out |= dict.fromkeys(("cut-off", "deaf", "mute", "cut-all", "cut-replicas"), lacking)
        left_out |= dict.fromkeys(("two", "pause-in-clone"), lacking)  # they draw a cut
    if topology == "galera":
        left_out |= {kind: reason for kind, reason in GALERA_EXCEPT.items() if kind not in also}
    kinds = [kind for kind in KINDS if kind not in left_out]
    if not kinds:
        raise SpecError("no kind of round is left", next_step="exclude fewer with --without")
    return kinds, left_out
