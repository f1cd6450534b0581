"""The rules by which one node at a time acknowledges writes, and nothing acknowledged is lost.

Pure: no clock, no network, no database; a test plays thousands of interleavings with these very functions
(docs/decisions/024).

A log is a sequence of transactions. Each promotion begins an epoch, and numbers its transactions from `epoch * SPAN`:
so the number of the last transaction alone (`position`) orders logs as (epoch, length) does, and no number is used
twice. An acknowledged transaction is on the primary and on one replica at least: on a majority of three. A replica that
has promised an epoch receives nothing more of older ones, and votes only for a log that is at least as long as its own:
the voters, a majority too, have every acknowledged transaction among them, and so has whom they choose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from .membership import Members

SPAN = 10**12
NOBODY = Members(0, ())


class Role(str, Enum):
    """The present state of a node."""

    DOWN = "down"
    """Its database does not answer, or its log was not read yet: it neither votes nor serves."""
    REPLICA = "replica"
    PROMOTING = "promoting"
    """It was elected, and its epoch is not yet on a majority."""
    PRIMARY = "primary"


@dataclass(frozen=True)
class View:
    """What a node says of itself.

    Attributes:
        promised: the highest epoch that it has promised, durably.
        position: the number of the last transaction in its log.
        member: whether its log counts; one whose disk is new is none until it has caught up.
        epoch: of a primary, or one in promotion, the epoch that it serves.
        history: of a primary, each epoch with the position after which it began.
        waiting: of a primary, whether a commit waits longer than a replica takes.
        members: what it knows of them.
        unlogged: whether its data may have something that its log has not.
        lineage: the last epoch that was begun on such data, which all copies are of since.
        owes: of a member whose log a copy has put back, how long it was; 0: it has all that again.
        full: whether its data disk is full.
        wants_copy: whether only a copy of the primary's data makes it a replica again.
        follows: of a replica, the `target` from which its database receives, or tries to.
    """

    name: str
    role: Role
    promised: int = 0
    position: int = 0
    member: bool = False
    epoch: int = 0
    history: tuple[tuple[int, int], ...] = ()
    waiting: bool = False
    members: Members = NOBODY
    unlogged: bool = False
    lineage: int = 0
    owes: int = 0
    full: bool = False
    wants_copy: bool = False
    follows: str = ""


def epoch_of(position: int) -> int:
    """The epoch in which a transaction was written."""
    return position // SPAN


def next_epoch(views: list[View]) -> int:
    """The epoch of a candidate: above all that it has heard of."""
    return 1 + max(max(view.promised, view.epoch, epoch_of(view.position)) for view in views)


def grants(epoch: int, candidate: int, promised: int, position: int) -> bool:
    """Whether a voter that has stopped receiving gives its vote to a candidate with this position."""
    return epoch > promised and candidate >= position


def elected(voters: list[View], size: int) -> bool:
    """Whether these voters, the candidate among them, make a primary: a majority of members, or really everybody.

    A node whose disk is new might have held what is acknowledged, and does not know it: it counts only when all are
    asked, and so nothing that exists is left out.
    """
    return 2 * sum(view.member for view in voters) > size or len(voters) == size


def chosen(voters: list[View], memberships: list[set[str]]) -> bool:
    """The same where the membership changes: a majority of those agreed on before, and one of those to come."""
    return all(elected([view for view in voters if view.name in names], len(names)) for names in memberships)


def leader(me: View, views: list[View]) -> View | None:
    """The primary to follow: that of the highest epoch, unless something newer was promised already."""
    serving = [view for view in views if view.role in (Role.PRIMARY, Role.PROMOTING) and view.epoch >= me.promised]
    return max(serving, key=lambda view: view.epoch, default=None)


def target(primary: View) -> str:
    """What a replica follows."""
    return f"{primary.name} of epoch {primary.epoch}"


def expected(me: View, views: list[View]) -> bool:
    """Whether a replica whose log counts is to be connected to this node, which is in promotion.

    Not one that has to apply something before, or to be copied: that may take long, and another primary needs it too.
    """
    return any(view.role is Role.REPLICA and view.member and view.follows == target(me) for view in views)


def outdated(me: View, views: list[View]) -> bool:
    """Whether a primary has to step down: another node has promised a newer epoch."""
    return any(max(view.promised, view.epoch) > me.epoch for view in views)


def rank(me: View, views: list[View]) -> int:
    """How many of those that could stand are to be preferred: longer logs first, then space, then no copy after it."""

    def order(view: View) -> tuple[int, bool, bool, str]:
        return -view.position, view.full, view.unlogged, view.name

    return sum(order(view) < order(me) for view in views if view.role is Role.REPLICA)


def replaceable(views: list[View], memberships: list[set[str]]) -> bool:
    """Whether the others elect a primary without this node, and with space on their disks.

    A node whose disk is full can't write a promise, and so gives no vote.
    """
    able = [view for view in views if view.role is Role.REPLICA and view.member and not view.full]
    return chosen(able, memberships)


def may_stand(me: View, views: list[View], memberships: list[set[str]]) -> bool:
    """Whether an election could be won now: the voters are there, and none of them has a longer log."""
    voters = [me, *(counted(view, me.position) for view in views if view.role is Role.REPLICA)]
    return (
        me.role is Role.REPLICA and chosen(voters, memberships) and all(view.position <= me.position for view in voters)
    )


def diverged(position: int, history: tuple[tuple[int, int], ...]) -> bool:
    """Whether a log is no beginning of the primary's: it goes on in an epoch after that epoch was over."""
    ends = [after for epoch, after in sorted(history) if epoch > epoch_of(position)]
    return bool(ends) and position > ends[0]


def copies(primary: View, views: list[View]) -> bool:
    """Whether a node whose disk is new may wait for a copy of the primary's data.

    One whose epoch no member can take waits for the new nodes themselves: they receive its log from the beginning.
    """
    takers = [view for view in views if view.name != primary.name and view.role is Role.REPLICA and view.member]
    return primary.role is Role.PRIMARY or bool(takers)


def joins(me: View, primary: View, views: list[View], size: int) -> bool:
    """Whether a node whose disk was new is a member from now on: it has all of the primary's log.

    Everybody has to be there to say that no newer epoch was promised, which this node itself may have forgotten.
    """
    everybody = len(views) == size - 1 and all(view.role is not Role.DOWN for view in views)
    newest = max([view.promised for view in views], default=0)
    return everybody and primary.epoch >= newest and me.position >= primary.position >= primary.epoch * SPAN


# -- data that a log does not tell of --
#
# MariaDB does some statements before it writes them into its log: TRUNCATE, and all that concerns tables without
# transactions. Where a primary is ended in between, its data has what no log has, at the same position as the others'.


def owing(position: int, owes: int) -> bool:
    """Whether a node's log was put back by a copy, and is not again as long as what it has acknowledged.

    It may have held what is acknowledged, as one whose disk is new, and is no member meanwhile.
    """
    return position < owes


def counted(voter: View, position: int) -> View:
    """A voter as it counts for a candidate of this position.

    One whose log was put back by a copy counts for whom it could elect if it had its log still: it keeps how long that
    was, and all that it has acknowledged is in every log that is as long.
    """
    return replace(voter, member=True) if voter.owes and not owing(position, voter.owes) else voter


def lineage(me: View, epoch: int) -> int:
    """That of the data on which a node begins an epoch."""
    return epoch if me.unlogged else me.lineage


def differs(me: View, primary: View) -> bool:
    """Whether a replica's data may not be the primary's, although its log is; also of one that is about to be."""
    promoting = primary.role is Role.PROMOTING
    return me.unlogged or me.lineage != (lineage(primary, primary.epoch) if promoting else primary.lineage)


def remade(me: View, primary: View, views: list[View]) -> bool:
    """Whether such a replica is copied now: one at a time, since a primary without a replica accepts no writes."""
    waiting = [view.name for view in views if view.role is Role.REPLICA and view.member and differs(view, primary)]
    return primary.role is Role.PRIMARY and differs(me, primary) and all(me.name < name for name in waiting)
