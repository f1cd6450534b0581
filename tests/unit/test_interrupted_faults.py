"""Ctrl-C while a fault is injected: at each moment it is reverted, after what was begun."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, TypeVar

import pytest

from lab.backends.base import State
from lab.faults import Cut, Fault, Kill, Pause, Slow, Stop, inject, present
from tests.unit.backends import breakable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Result
    from lab.backends.memory import MemoryBackend
    from lab.topology import Cluster

T = TypeVar("T")
LATE_SECONDS = 0.3
"""How long the engine takes for what it was asked, where nothing of the revert comes before."""


@pytest.fixture
def made(full: Cluster) -> MemoryBackend:
    """A cluster that is up, whose nodes answer no ping."""
    return breakable(full)


@pytest.mark.parametrize("count", [1, 2], ids=["before it is done", "with its proof"])
def test_a_fault_that_is_interrupted_while_it_is_noted_is_reverted(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The engine has the note already, and its answer is awaited."""
    note, written = made.note, []

    def interrupted(key: str, text: str | None) -> None:
        note(key, text)
        written.append(key)
        if len(written) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(made, "note", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inject(made, Kill(("web1",)))
    assert not present(made)
    assert _states(made) == {State.RUNNING}


@pytest.mark.parametrize("kind", [Kill, Stop, Pause])
def test_a_fault_is_reverted_after_what_it_began(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, kind: type[Fault]
) -> None:
    """The engine is at it: a node that runs still would be reverted first, and killed then."""
    monkeypatch.setattr("lab.faults.injection.GONE_SECONDS", 1.0)
    verbs, before = [f"{kind.kind} web1", "start web1"], len(made.done)
    monkeypatch.setattr(made, kind.kind, _late(getattr(made, kind.kind)))
    with pytest.raises(KeyboardInterrupt):
        inject(made, kind(("web1",)))
    assert [entry for entry in made.done[before:] if entry in verbs] == verbs
    assert not present(made)
    assert _states(made) == {State.RUNNING}


@pytest.mark.parametrize("wanted", [Cut(("web1",)), Slow(("web1",), delay=0.1)], ids=["cut", "slow"])
def test_rules_are_deleted_after_they_were_made(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, wanted: Fault
) -> None:
    tool, calls = made.run_in_network, []

    def recorded(node: str, argv: Sequence[str]) -> Result:
        calls.append(" ".join(argv))
        return tool(node, argv)

    late = _late(recorded)

    def first_late(node: str, argv: Sequence[str]) -> Result:
        return (recorded if calls else late)(node, argv)

    monkeypatch.setattr(made, "run_in_network", first_late)
    with pytest.raises(KeyboardInterrupt):
        inject(made, wanted)
    making = "table" if wanted.kind == "cut" else "qdisc add"
    assert making in calls[0], calls
    assert calls[1:], "the revert looks, and deletes"


def _late(verb: Callable[..., T]) -> Callable[..., T]:
    """The same, from a moment after Ctrl-C on."""

    def call(*given: object) -> T:
        threading.Event().wait(LATE_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)  # raised in the main thread, which waits for this one
        threading.Event().wait(LATE_SECONDS)
        return verb(*given)

    return call


def _states(made: MemoryBackend) -> set[State]:
    return {node.state for node in made.observe().nodes}
