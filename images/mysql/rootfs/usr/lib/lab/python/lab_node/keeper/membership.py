"""Whose majorities elect: those of the members that were agreed on, and of each change that may have been since.

A change is proposed by a candidate, and agreed on when that one is elected; a voter does not learn whether it was.
Until it follows a primary, a node asks the majority of both: otherwise two voters of a change that was not agreed on
would elect one of them beside the primary that the members still have. (Raft calls two majorities at once joint
consensus; there the change is in the log, here it is on the disks of the voters.)

Pure, as `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Members:
    """What a node knows of the members.

    Attributes:
        since: the epoch whose primary's election has agreed on `names`; 0: none has yet.
        proposed: the changes after that which this node has voted for, or heard of: the epoch of the candidate, and the
            members by it.
    """

    since: int
    names: tuple[str, ...]
    proposed: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def memberships(self, configured: Iterable[str]) -> list[set[str]]:
        """Whose majorities elect a node of this knowledge and configuration."""
        return [set(self.names), *(set(names) for _, names in self.proposed), set(configured)]

    def changing(self, configured: Iterable[str]) -> bool:
        """Whether these are not all the same."""
        first, *others = self.memberships(configured)
        return any(one != first for one in others)

    def admits(self, candidate: Members, configured: Iterable[str]) -> bool:
        """Whether a voter of this knowledge may vote for a candidate: it asks all that may have been agreed on.

        What was proposed up to `candidate.since` was known to who was elected then, or never agreed on.
        """
        memberships = candidate.memberships(configured)
        unknown = [names for epoch, names in self.proposed if epoch > candidate.since and set(names) not in memberships]
        return candidate.since >= self.since and not unknown

    def heard(self, other: Members) -> Members:
        """This and what another node knows."""
        latest = max(self, other, key=lambda one: one.since)
        proposed = {one for one in (*self.proposed, *other.proposed) if one[0] > latest.since}
        return Members(latest.since, latest.names, tuple(sorted(proposed)))

    def voted(self, candidate: Members, configured: Iterable[str], epoch: int) -> Members:
        """After a vote for a candidate."""
        known = self.heard(candidate)
        if not candidate.changing(configured):
            return known
        return replace(known, proposed=(*known.proposed, (epoch, tuple(sorted(configured)))))

    def elected(self, configured: Iterable[str], epoch: int) -> Members:
        """Of a candidate that was elected by all of these majorities."""
        return Members(epoch, tuple(sorted(configured))) if self.changing(configured) else self

    def following(self, primary: Members, epoch: int) -> Members:
        """Of a replica: what its primary does not know, and was proposed before its epoch, was never agreed on."""
        known = self.heard(primary)
        return replace(known, proposed=tuple(one for one in known.proposed if one[0] > epoch))
