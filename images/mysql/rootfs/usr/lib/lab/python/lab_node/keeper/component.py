"""The rules for the bootstrap of Galera's primary component, and for its writable node. Pure, as `rules`.

Galera itself agrees on the order of transactions while a majority runs. It leaves the bootstrap to the operator:
which node begins when no component runs, with nothing acknowledged lost. A commit is acknowledged when it is durable
on the node that took it, which may be ahead of all others. Therefore every node stores durably which one is writable,
that one becomes writable only when a majority has stored it, and only a majority whose newest record names a node among
them begins a component.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .rules import Role


@dataclass(frozen=True)
class Seat:
    """The state that a node reports.

    Attributes:
        running: whether its database runs, in any component.
        component: whether it is in the primary one, and has caught up with it.
        promised: the highest epoch that it has promised, durably; `begun`: the newest of which it knows that it began.
        writer: the node that takes the writes in epoch `begun`.
        position: the number of the last transaction on its disk.
        member: whether what is on its disk counts; a new disk does not.
        history: each epoch that it knows, with the position after which it began.
        full: whether its data disk is full.
    """

    name: str
    role: Role
    running: bool = False
    component: bool = False
    promised: int = 0
    begun: int = 0
    writer: str = ""
    position: int = 0
    member: bool = False
    history: tuple[tuple[int, int], ...] = ()
    full: bool = False

    @property
    def reach(self) -> tuple[int, int]:
        """By which copies are compared: what a later epoch has began where an earlier one was cut off."""
        return self.begun, self.position


def seat(answer: dict[str, Any]) -> Seat:
    """A node's state, as it says it; one of an older version does not say whether its disk is full."""
    values = {key: answer[key] for key in Seat.__dataclass_fields__ if key in answer}
    history = tuple((epoch, after) for epoch, after in answer["history"])
    return Seat(**(values | {"role": Role(answer["role"]), "history": history}))


def replaceable(seats: list[Seat], size: int) -> bool:
    """Whether the others are a primary component without this node, and with space on their disks."""
    return 2 * sum(seat.component and not seat.full for seat in seats) > size


def short_of(me: Seat, seats: list[Seat], size: int) -> str:
    """Why these nodes, none of which runs, can't begin a component by this one; nothing where they can."""
    there = [me, *(seat for seat in seats if not seat.running)]
    members = [seat for seat in there if seat.member]
    if 2 * len(members) <= size and len(there) < size:
        return f"{len(there)} of {size} nodes are there" + (
            "" if len(members) == len(there) else ", some disks are new"
        )
    newest = max(there, key=lambda seat: seat.reach)
    if newest.begun and newest.writer not in {seat.name for seat in members}:
        return f"{newest.writer}, which took the writes, is not there"
    best = min(members or there, key=lambda seat: (-seat.begun, -seat.position, seat.full, seat.name))
    return "" if best == me else f"{best.name} has more, and begins"


def grants(epoch: int, candidate: tuple[int, int], me: Seat) -> str:
    """Why this node does not vote for a candidate with this reach; nothing where it does."""
    if me.running:
        return "its database runs"
    if epoch <= me.promised:
        return f"it has promised epoch {me.promised}"
    return "it has more" if me.member and me.reach > candidate else ""


def confirmed(me: Seat, seats: list[Seat], size: int) -> bool:
    """Whether a majority remembers that this node takes the writes, and none of these has promised anything newer."""
    agreed = [seat for seat in (me, *seats) if (seat.begun, seat.writer) == (me.begun, me.name)]
    newer = [seat for seat in seats if seat.promised > me.begun and not seat.component]
    return me.writer == me.name and 2 * len(agreed) > size and not newer


def takes_over(me: Seat, members: set[str]) -> bool:
    """Whether this node is the one to take the writes of a component whose writer has left it.

    `members` are those whom Galera itself counts, without those that say that they are down: one that is not heard, and
    still counted, may be acknowledging.
    """
    return me.writer not in members and me.name == min(members, default="")


def diverged(begun: int, position: int, history: tuple[tuple[int, int], ...]) -> bool:
    """Whether what is on a disk goes on where an epoch that this disk's node does not know had begun."""
    return any(epoch > begun and position > after for epoch, after in history)
