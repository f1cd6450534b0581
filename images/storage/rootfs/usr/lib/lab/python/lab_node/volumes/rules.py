"""The rules by which storage nodes create, complete and readmit volumes, with nothing created over existing data.

Pure: no clock, no disk, no glusterd; a test runs thousands of interleavings with these functions. Nodes are identified
by their names; each decides for itself, by the reports of its glusterd and its disk. A function that returns a reason
returns a sentence for the user, or an empty text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable, Mapping

IDLE_SECONDS = 10.0  # a question to glusterd costs a second of an emulated processor; bricks and heals are files
HEAL_SECONDS = 4.0  # an entry that waits as long is one to heal, and not a write that is going on
STUCK_SECONDS = 60.0  # an entry that waits as long may be in split-brain: GlusterFS is asked as often
SETTLED_SECONDS = 30.0  # a brick process that is older has made what each brick has; its self-heal daemon runs
ATTEMPT_SECONDS = 10.0  # by then a node that marked its brick knows whether the volume was created
AT_WORK_SECONDS = 1.0  # of the processor: who has not used as much for that long waits for something that never comes
TIMES_AS_LONG = 60  # as its quickest answer: a fifth of a second on a real processor, a second on an emulated one
TRANSPORT = {"server.ssl", "client.ssl"}  # options that a brick takes only when it starts


@dataclass(frozen=True)
class Volume:
    """A volume as glusterd knows it.

    Attributes:
        created: whether it was never started: nothing can be in it.
        started: whether it is started now.
    """

    name: str
    id: uuid.UUID
    created: bool
    started: bool
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Brick:
    """This node's directory of a volume on its disk.

    Attributes:
        unused: whether it was never a running brick: it is missing, or has only what a volume's creation leaves.
        mark: the identity of the volume that it is marked for.
        data: whether there is anything in it that GlusterFS does not keep for itself.
    """

    unused: bool = True
    mark: uuid.UUID | None = None
    data: bool = False


class Loss(Enum):
    """What is to be thought of a brick that lacks what it had."""

    NONE = "it has what it had"
    SUSPECTED = "seen once: GlusterFS may be in the middle of something"
    NEEDED = "it has what other nodes lack"
    ALONE = "no other node has what it had"
    EMPTIED = "it is ended, and taken back as one on an empty disk is"


def first(nodes: Iterable[str]) -> str:
    """The node that does what one alone should do: two at once would only wait for each other."""
    return min(nodes, key=lambda node: (len(node), node))


# -- making --


def attempt_seconds(node: str, peers: Collection[str]) -> float:
    """How long the mark of a volume that no node knows is kept.

    The first node retries after the others have removed theirs: each try marks the bricks of those that agree.
    """
    return ATTEMPT_SECONDS if node != first(peers) else ATTEMPT_SECONDS + 2 * IDLE_SECONDS


def forgets(brick: Brick, age: float, seconds: float) -> bool:
    """Whether the mark of a volume that was not created is removed, `age` seconds after it was set.

    GlusterFS accepts no brick that is marked for another volume, so the mark would block every later try.
    """
    return brick.unused and brick.mark is not None and age > seconds


def not_made(name: str, node: str, peers: Collection[str], connected: set[str], brick: Brick) -> str:
    """Why this node does not make a volume that no node knows.

    The first one does, once all reach each other: who does not reach it refuses to take part.
    """
    if not brick.unused:
        return f"/bricks/{name} holds the data of a volume that no node knows: nothing is made over it"
    if brick.mark is not None:
        return f"the volume {name} is not made yet; it is being made, or that was broken off"
    if absent := sorted(set(peers) - connected):
        return f"the volume {name} is not made yet; waiting for {', '.join(absent)}"
    if node != first(peers):
        return f"the volume {name} is not made yet; {first(peers)} does that"
    return ""


def not_reached(name: str, peer: str, peers: Collection[str], reached: set[str]) -> str:
    """Why it is not made yet for another node's part: the nodes that it does not reach."""
    unseen = sorted(set(peers) - reached)
    return f"the volume {name} is not made yet; {peer} waits for {', '.join(unseen)}" if unseen else ""


# -- settling --


def marks(volume: Volume, brick: Brick) -> bool:
    """Whether an empty directory is marked as the brick of a volume in which nothing can be.

    Its disk is new, or the mark was taken for one of an attempt.
    """
    return volume.created and brick.unused and brick.mark != volume.id


@dataclass(frozen=True)
class Settling:
    """What a volume needs: options, an end of the transport of an older version, a start, an index of whole entries."""

    options: Mapping[str, str]
    stop: bool
    start: bool
    whole_index: bool


def settling(volume: Volume, options: Mapping[str, str], copies: int) -> Settling:
    """What the node that settles does for a volume with so many copies."""
    other = {key: value for key, value in options.items() if volume.options.get(key) != value}
    stop = volume.started and bool(TRANSPORT & other.keys())  # one of an older version, which could not be mounted now
    # A granular index tells the names that were changed: of a brick that lost all it would heal only those.
    granular = volume.options.get("cluster.granular-entry-heal") not in {"off", "disable"}
    return Settling(other, stop, stop or not volume.started, copies > 1 and granular)


# -- this node's brick --


def too_few(connected: Collection[str], peers: Collection[str]) -> str:
    """Why nothing is done for a brick: those that reach each other are no majority."""
    if 2 * len(connected) > len(peers):
        return ""
    return f"{len(connected)} of {len(peers)} storage nodes are connected: too few to serve"


def foreign(volume: Volume, brick: Brick) -> str:
    """Why a directory without the volume's mark is no empty brick that can be readmitted."""
    return f"/bricks/{volume.name} has data and is not marked as the volume's: it is left alone" if brick.data else ""


def loss(copies: int, *, lost: bool, suspected: bool, owing: bool) -> Loss:
    """What a brick is that ran for long enough.

    Args:
        copies: how many the volume has.
        lost: whether it lacks what it had.
        suspected: whether that was so at the look before.
        owing: whether it has noted entries that other nodes lack.
    """
    if not lost:
        return Loss.NONE
    if not suspected:
        return Loss.SUSPECTED
    if copies == 1:
        return Loss.ALONE
    return Loss.NEEDED if owing else Loss.EMPTIED


def needs_healer(copies: int, age: float, *, healer: bool) -> bool:
    """Whether the self-heal daemon of a volume is started: glusterd starts it once, and again only with a brick.

    Args:
        copies: how many the volume has; one alone heals from nothing.
        age: for how many seconds this node's brick has run.
        healer: whether a daemon runs here that heals the volume.
    """
    return copies > 1 and age >= SETTLED_SECONDS and not healer


# -- what waits --


def noted(before: Mapping[str, float], entries: Iterable[str], now: float) -> dict[str, float]:
    """Since when each entry of a brick's index has been seen."""
    return {entry: before.get(entry, now) for entry in entries}


def to_heal(entries: Mapping[str, float], now: float) -> list[str]:
    """The entries that have been waiting for so long that they are to be healed."""
    return [entry for entry, since in entries.items() if now - since >= HEAL_SECONDS]


def stuck(waiting: Mapping[str, Mapping[str, float]], now: float) -> list[str]:
    """The volumes with an entry that heals by itself no more, as it seems."""
    return [name for name, entries in waiting.items() if now - min(entries.values(), default=now) > STUCK_SECONDS]


def hangs(seconds: float, quickest: float | None, worked: float) -> bool:
    """Whether a glusterd that has not answered for so many seconds never will.

    Two ways of it were seen at a start of all nodes: it waits for ever, or one of its threads goes round in circles.

    Args:
        seconds: how long it was waited for.
        quickest: how long its quickest answer took; None where there was none.
        worked: seconds of the processor that it used meanwhile.
    """
    return worked < AT_WORK_SECONDS or (quickest is not None and seconds > TIMES_AS_LONG * quickest)
