"""What a round's writes and the three copies say of each other. Plain values in, failures out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.evidence.ledger import Outcome
from lab.evidence.probes import good

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.evidence.asking import Row
    from lab.evidence.ledger import Operation
    from lab.evidence.probes import Span

WRITES_SECONDS = 10.0
"""Within this time a majority that is up and connected takes writes."""

CHECKS = {
    "kept": "what was acknowledged is there exactly once, on every node",
    "sealed": "what earlier rounds left is as it was, on every node",
    "equal": "all tables have the same definition and checksum on every node",
    "sum": "the sum of all accounts is what it was, on every node and at every read",
    "reads": "reads through 3306 never go back, and show what was acknowledged before",
    "shown": "what a read through 3307 showed stays",
    "writes": "writes are taken within ten seconds, and one node takes them",
    "commits": "no commit waits once the cluster is whole",
    "whole": "the cluster becomes whole by itself, and all nodes come to the same position",
}


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed."""

    check: str
    why: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeCopy:
    """What one node has, read while nobody wrote.

    Attributes:
        ids: by table, those of the round, twice where one is there twice.
        earlier, now: by table, a digest of what the rounds before left, and of that with this round.
        tables: by name, definition and checksum.
        total: the sum of all accounts.
    """

    ids: Mapping[str, Sequence[str]]
    earlier: Mapping[str, str]
    now: Mapping[str, str]
    tables: Mapping[str, str]
    total: int


def kept(operations: Mapping[str, Sequence[Operation]], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """Acknowledged is there, nothing is there twice, and what was refused is not there; by table."""
    found = []
    for table, done in operations.items():
        by = {outcome: {one.id for one in done if one.outcome is outcome} for outcome in Outcome}
        for node, copy in copies.items():
            there = Counter(copy.ids.get(table, ()))
            lost = sorted(by[Outcome.ACKNOWLEDGED] - set(there))
            twice = sorted(one for one, count in there.items() if count > 1)
            ghosts = sorted(by[Outcome.FAILED] & set(there))
            strange = sorted(set(there) - {one.id for one in done})
            count = len(by[Outcome.ACKNOWLEDGED])
            for ids, what in (
                (lost, f"of {count} acknowledged are missing"),
                (twice, "are there more than once"),
                (ghosts, "were refused and are there"),
                (strange, "were written by nobody"),
            ):
                if ids:
                    found.append(FailedCheck("kept", f"{len(ids)} {what} in {table} of {node}", tuple(ids)))
    return found


def sealed(before: Mapping[str, str], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """What earlier rounds left, against its digest as it was then; by table."""
    return [
        FailedCheck("sealed", f"earlier rows in {table} of {node} are {copy.earlier.get(table)}, and were {digest}")
        for table, digest in before.items()
        for node, copy in copies.items()
        if copy.earlier.get(table) != digest
    ]


def equal(copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """The same tables, with the same definition and content."""
    found = []
    for table in sorted({table for copy in copies.values() for table in copy.tables}):
        seen = {node: copy.tables.get(table, "not there") for node, copy in copies.items()}
        if len(set(seen.values())) > 1:
            told = ", ".join(f"{node}: {value}" for node, value in seen.items())
            found.append(FailedCheck("equal", f"{table} differs: {told}"))
    return found


def summed(total: int, copies: Mapping[str, NodeCopy], reads: Sequence[Row]) -> list[FailedCheck]:
    """The sum of all accounts, on every node and in every read through 3306."""
    found = [
        FailedCheck("sum", f"the accounts of {node} have {copy.total}, not {total}")
        for node, copy in copies.items()
        if copy.total != total
    ]
    wrong = [row for row in reads if good(row) and row.value.strip() != str(total)]
    if wrong:
        found.append(
            FailedCheck("sum", f"{len(wrong)} reads found another sum, the first {wrong[0].value!r}, not {total}")
        )
    return found


def shown(reads: Sequence[Row], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """Ids of rows that reads through 3307 showed, against what is there in the end: nothing is taken back."""
    seen = {row.value.strip() for row in reads if good(row)} - {""}
    return [
        FailedCheck("shown", f"{len(gone)} rows that 3307 showed are not in the ledger of {node}", tuple(gone))
        for node, copy in copies.items()
        if (gone := sorted(seen - set(copy.ids.get("ledger", ()))))
    ]


def forward(floor: int, beats: Sequence[tuple[int, Row]], reads: Sequence[Row]) -> list[FailedCheck]:
    """Reads of a counter: one that began after another read or an acknowledged write ended shows no less.

    Args:
        floor: the highest value that was known before.
        beats: the writes of the counter, each with the value that it wrote.
        reads: the reads.
    """
    known = [(row.due + row.seconds, value) for value, row in beats if good(row)]
    seen = [(row, _number(row)) for row in reads if good(row)]
    known = sorted(known + [(row.due + row.seconds, value) for row, value in seen])
    back: list[str] = []
    highest, reached = floor, 0
    for row, value in sorted(seen, key=lambda one: one[0].due):
        while reached < len(known) and known[reached][0] < row.due:
            highest = max(highest, known[reached][1])
            reached += 1
        if value < highest:
            back.append(f"one due at {row.due:.3f} saw {value}, and {highest} was known before")
    return [FailedCheck("reads", f"{len(back)} of {len(seen)} reads went back; the first: {back[0]}")] if back else []


def _number(row: Row) -> int:
    """The value of a read; no row at all is less than any."""
    return int(row.value) if row.value.strip().isdecimal() else -1


def written(
    outages: Sequence[Span], helpless: Sequence[Span], allowed: float, stalled: Mapping[Span, float]
) -> list[FailedCheck]:
    """Outages of writing that took too long.

    Args:
        outages: the stretches in which no write was taken.
        helpless: the stretches in which no majority was there.
        allowed: seconds that an outage may go on where a majority is.
        stalled: seconds of each outage in which a machine stood still.
    """
    found = []
    for outage in outages:
        since = outage.begun
        for span in helpless:
            if span.begun <= outage.ended and span.ended > since:
                since = min(span.ended, outage.ended)
        late = outage.ended - since
        if late > allowed + stalled.get(outage, 0.0):
            found.append(FailedCheck("writes", f"no write was taken for {late:.1f} s with a majority there"))
    return found
