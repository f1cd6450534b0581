"""The checker on histories that are known to be good and bad, and on thousands that a real register could have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.evidence.linear import Access, RegisterAnswer, linearizable
from tests.unit.thorough import part

if TYPE_CHECKING:
    from collections.abc import Sequence


def write(value: str, invoked: float, completed: float | None) -> Access:
    return Access("write", value, invoked, completed)


def read(value: str, invoked: float, completed: float) -> Access:
    return Access("read", value, invoked, completed)


GOOD = {
    "one after the other": [write("1", 0, 1), read("1", 2, 3)],
    "a read during a write may see either": [write("1", 0, 10), read("", 1, 2), read("1", 3, 4)],
    # Herlihy and Wing, Linearizability (1990): operations that overlap may take effect in either order
    "two writes at once in the other order": [write("0", 0, 5), write("1", 1, 4), read("0", 6, 7)],
    "a write that nobody heard of may have been done": [write("1", 0, None), read("1", 5, 6)],
    "or not": [write("1", 0, None), read("", 5, 6)],
    "or later than one looks": [write("1", 0, None), read("", 5, 6), read("1", 7, 8)],
    "nothing happened": [],
}
BAD = {
    "a value that nobody wrote": [write("1", 0, 1), read("2", 2, 3)],
    "a lost write": [write("1", 0, 1), read("", 2, 3)],
    "a stale read": [write("1", 0, 1), write("2", 2, 3), read("1", 4, 5)],
    # Lamport, On Interprocess Communication (1986): regular, and not atomic - new, then old, during one write
    "new-old inversion": [write("1", 0, 1), write("2", 2, 10), read("2", 3, 4), read("1", 5, 6)],
    # Attiya, Bar-Noy, Dolev (1995): what reading without writing back allows two readers to see
    "two readers disagree": [write("1", 0, 20), read("1", 1, 2), read("", 3, 4)],
    "a lost update, seen again": [write("1", 0, 1), write("2", 2, 3), read("2", 4, 5), read("1", 6, 7)],
    "done before it was asked": [read("1", 0, 1), write("1", 2, 3)],
    "unknown, but seen and then gone": [write("1", 0, None), read("1", 2, 3), read("", 4, 5)],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD.keys())
def test_good(history: Sequence[Access]) -> None:
    assert linearizable(history) is RegisterAnswer.YES


@pytest.mark.parametrize("history", BAD.values(), ids=BAD.keys())
def test_bad(history: Sequence[Access]) -> None:
    assert linearizable(history) is RegisterAnswer.NO


def test_too_many_to_try_is_unknown_and_not_good() -> None:
    crowd = [write(str(index), 0, 100) for index in range(30)]
    assert linearizable([*crowd, read("nobody", 200, 201)], most=1000) is RegisterAnswer.UNKNOWN


def test_what_was_asked_of_a_dead_node_again_and_again_hides_nothing() -> None:
    """Each such write may have been done; those that nobody saw are no more to try, and a fault among them is found."""
    asked = [write(f"unheard-{index}", 10 + index, None) for index in range(200)]
    after = [read("1", 300, 301), write("2", 302, 303), read("2", 304, 305)]
    assert linearizable([write("1", 0, 1), *asked, *after]) is RegisterAnswer.YES
    assert linearizable([write("1", 0, 1), *asked, *after, read("1", 306, 307)]) is RegisterAnswer.NO


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(0, 5), st.floats(0, 5)), max_size=25)


@settings(max_examples=part(300))
@given(STEPS)
def test_whatever_one_register_did_is_linearizable(steps: list[tuple[bool, int, float, float]]) -> None:
    """Operations take effect at 0, 10, 20 … and are stretched around that moment, so that they overlap at random."""
    history, value = [], ""
    for index, (writes, chosen, before, after) in enumerate(steps):
        moment = float(index)
        if writes:
            value = str(chosen)
        history.append(Access("write" if writes else "read", value, moment - before, moment + after + 0.001))
    assert linearizable(history) is RegisterAnswer.YES


@settings(max_examples=part(200))
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5), st.floats(0, 5)), max_size=25))
def test_a_read_of_what_was_never_written_is_found(writes: list[tuple[int, float, float]]) -> None:
    history = [write(str(v), i - before, i + after + 0.001) for i, (v, before, after) in enumerate(writes)]
    assert linearizable([*history, read("never", 3, 50)]) is RegisterAnswer.NO
