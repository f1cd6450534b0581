"""Linearizability of a register's history: the search of Wing and Gong, with Lowe's cache of visited states.

J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects, J. Parallel Distrib. Comput. 17 (1993);
G. Lowe: Testing for Linearizability, Concurrency Computat. Pract. Exper. 29 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_STATES = 200_000
INITIAL = ""


class RegisterAnswer(StrEnum):
    """Whether some order explains a history; `UNKNOWN` when the search was too long."""

    YES = "linearizable"
    NO = "not linearizable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Access:
    """One operation on a register.

    Attributes:
        value: the written or read value.
        invoked, completed: times of one clock; `completed` is None if the outcome is unknown: the operation may take
            effect at any time after its invocation, or never.
    """

    kind: Literal["read", "write"]
    value: str
    invoked: float
    completed: float | None


def linearizable(history: Sequence[Access], initial: str = INITIAL, most: int = MOST_STATES) -> RegisterAnswer:
    """Whether some order of all completed operations, within their times, is that of one register."""
    # A read with unknown outcome constrains nothing, nor does a write with unknown outcome whose value was never read:
    # an order that is valid with it is valid without it. Each one left would double the search.
    read = {access.value for access in history if access.kind == "read" and access.completed is not None}
    relevant = [access for access in history if access.completed is not None or _was_read(access, read)]
    ordered = sorted(relevant, key=lambda access: access.invoked)
    ends = [float("inf") if access.completed is None else access.completed for access in ordered]
    must = sum(1 << index for index, access in enumerate(ordered) if access.completed is not None)
    stack: list[tuple[int, str]] = [(0, initial)]  # completed operations, and the register's value then
    visited = {(0, initial)}
    while stack:
        done, value = stack.pop()
        if done & must == must:
            return RegisterAnswer.YES
        if len(visited) > most:
            return RegisterAnswer.UNKNOWN
        for index in _next(ordered, ends, done):
            access = ordered[index]
            if access.kind == "read" and access.value != value:
                continue
            state = done | 1 << index, access.value if access.kind == "write" else value
            if state not in visited:
                visited.add(state)
                stack.append(state)
    return RegisterAnswer.NO


def _was_read(access: Access, read: set[str]) -> bool:
    return access.kind == "write" and access.value in read


def _next(ordered: Sequence[Access], ends: Sequence[float], done: int) -> list[int]:
    """The possible next operations: invoked before any remaining one completed."""
    candidates = []
    earliest = float("inf")
    for index, access in enumerate(ordered):
        if done >> index & 1:
            continue
        if access.invoked > earliest:
            break
        candidates.append(index)
        earliest = min(earliest, ends[index])
    return candidates
