"""The checks of a round: its writes compared with the three copies. Pure functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.evidence.ledger import Outcome
from lab.evidence.probes import Span, good

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.evidence.delays import Delays
    from lab.evidence.ledger import Operation
    from lab.evidence.load_run import Row

CHECKS = {
    "kept": "what was acknowledged is there exactly once, on every node",
    "sealed": "what earlier rounds left is as it was, on every node",
    "equal": "all tables have the same definition and checksum on every node",
    "sum": "the sum of all accounts is what it was, on every node and at every read",
    "reads": "reads through 3306 never go back, and show what was acknowledged before",
    "shown": "what a read through 3307 showed stays",
    "writes": "writes succeed again within the bound of the round's faults, and one node takes them",
    "commits": "no commit is blocked after the cluster recovered",
    "whole": "the cluster recovers by itself, and all nodes reach the same position",
}


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed."""

    check: str
    why: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeCopy:
    """The content of one node, read while no client wrote.

    Attributes:
        ids: ids of the round by table, with duplicates.
        earlier, now: digests by table, of the rows of earlier rounds, and of all rows.
        tables: definition and checksum by name.
        total: sum of all accounts.
    """

    ids: Mapping[str, Sequence[str]]
    earlier: Mapping[str, str]
    now: Mapping[str, str]
    tables: Mapping[str, str]
    total: int


def acknowledged(operations: Mapping[str, Sequence[Operation]], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """By table: acknowledged rows are present, none is duplicated, and refused rows are absent."""
    failures = []
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
                (twice, "are duplicated"),
                (ghosts, "were refused and are present"),
                (strange, "were written by no client"),
            ):
                if ids:
                    failures.append(FailedCheck("kept", f"{len(ids)} {what} in {table} of {node}", tuple(ids)))
    return failures


def sealed(before: Mapping[str, str], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """By table: the rows of earlier rounds still have the same digest."""
    return [
        FailedCheck("sealed", f"earlier rows in {table} of {node} are {copy.earlier.get(table)}, and were {digest}")
        for table, digest in before.items()
        for node, copy in copies.items()
        if copy.earlier.get(table) != digest
    ]


def equal(copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """All nodes have the same tables, with equal definition and content."""
    failures = []
    for table in sorted({table for copy in copies.values() for table in copy.tables}):
        by_node = {node: copy.tables.get(table, "missing") for node, copy in copies.items()}
        if len(set(by_node.values())) > 1:
            versions = ", ".join(f"{node}: {value}" for node, value in by_node.items())
            failures.append(FailedCheck("equal", f"{table} differs: {versions}"))
    return failures


def summed(total: int, copies: Mapping[str, NodeCopy], reads: Sequence[Row]) -> list[FailedCheck]:
    """The sum of all accounts is right, on every node and in every read through 3306."""
    failures = [
        FailedCheck("sum", f"the accounts of {node} have {copy.total}, not {total}")
        for node, copy in copies.items()
        if copy.total != total
    ]
    wrong = [row for row in reads if good(row) and row.value.strip() != str(total)]
    if wrong:
        failures.append(
            FailedCheck("sum", f"{len(wrong)} reads returned a wrong sum, the first {wrong[0].value!r}, not {total}")
        )
    return failures


def shown(reads: Sequence[Row], copies: Mapping[str, NodeCopy]) -> list[FailedCheck]:
    """All rows that reads through 3307 returned are present in the end."""
    values = {row.value.strip() for row in reads if good(row)} - {""}
    return [
        FailedCheck("shown", f"{len(gone)} rows that 3307 returned are not in the ledger of {node}", tuple(gone))
        for node, copy in copies.items()
        if (gone := sorted(values - set(copy.ids.get("ledger", ()))))
    ]


def forward(floor: int, beats: Sequence[tuple[int, Row]], reads: Sequence[Row]) -> list[FailedCheck]:
    """Reads of the counter never go back: a read shows at least the value of every read and write that ended before it.

    Args:
        floor: the highest value known before the round.
        beats: the writes of the counter, with their values.
        reads: the reads.
    """
    known = [(row.due + row.seconds, value) for value, row in beats if good(row)]
    counted = [(row, _number(row)) for row in reads if good(row)]
    known = sorted(known + [(row.due + row.seconds, value) for row, value in counted])
    back: list[str] = []
    highest, reached = floor, 0
    for row, value in sorted(counted, key=lambda one: one[0].due):
        while reached < len(known) and known[reached][0] < row.due:
            highest = max(highest, known[reached][1])
            reached += 1
        if value < highest:
            back.append(f"a read due at {row.due:.3f} returned {value} after {highest}")
    return (
        [FailedCheck("reads", f"{len(back)} of {len(counted)} reads went back; the first: {back[0]}")] if back else []
    )


def _number(row: Row) -> int:
    """The value of a read; -1 without a row."""
    return int(row.value) if row.value.strip().isdecimal() else -1


def written(
    outages: Sequence[Span], helpless: Sequence[Span], allowed: float, delays: Delays
) -> tuple[list[FailedCheck], str]:
    """Outages of writes last no longer than allowed while a majority is connected: the failed checks, and the excuse.

    The excuse names the first outage that is too long only by a stall; empty without one. The time begins again after
    each time without a majority.

    Args:
        outages: the times without a successful write.
        helpless: the times without a connected majority, in order.
        allowed: longest outage with a majority, in seconds.
        delays: those that may hide how long an outage was.
    """
    failures, excuses = [], []
    for part in connected(outages, helpless):
        if part.seconds <= allowed:
            continue
        why = f"no write succeeded for {part.seconds:.1f} s with a connected majority, {allowed:.2f} s is allowed"
        if excuse := delays.hiding(part.begun, part.seconds, allowed):
            excuses.append(f"{why}; {excuse}")
        else:
            failures.append(FailedCheck("writes", why))
    return failures, excuses[0] if excuses else ""


def connected(outages: Sequence[Span], helpless: Sequence[Span]) -> list[Span]:
    """The parts of outages with a connected majority."""
    parts = []
    for outage in outages:
        since = outage.begun
        for span in helpless:
            if span.ended > since and span.begun < outage.ended:
                parts.append(Span(since, max(since, span.begun)))
                since = min(span.ended, outage.ended)
        parts.append(Span(since, outage.ended))
    return parts
