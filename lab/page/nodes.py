"""The state of a node as it is proven: by the engine, by the client's probes, and by the node's own readiness check."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.backends.base import State
from lab.clock import REAL
from lab.errors import LabError
from lab.evidence import probes
from lab.lifecycle import hand
from lab.page.moments import Moments
from lab.services import live

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.backends.base import Backend, Observed
    from lab.clock import Clock
    from lab.evidence.load_run import Row

CHECK_SECONDS = 4.0  # limit of a readiness check
TURN_SECONDS = 0.5
EVERY_SECONDS = 6.0  # between two readiness checks of a node without a probe
SOON_SECONDS = 1.0  # the same of a node that is not ready
PROBE_AGE = 3.0
CHECK_AGE = 20.0
"""Older proofs show nothing: the node is unknown. Ages and intervals are those of an ordinary processor."""


class NodeState(StrEnum):
    """What is proven of a node; `by-hand`: it runs, and a person does what its services would do."""

    READY = "ready"
    NOT_READY = "not-ready"
    BY_HAND = "by-hand"
    PAUSED = "paused"
    STOPPED = "stopped"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """A node's state, the reason, and when it was proven (Unix seconds; None: never)."""

    state: NodeState
    reason: str = ""
    at: float | None = None


class Checks:
    """A thread that runs the readiness check of nodes, one after the other; the nodes without a probe in turn."""

    def __init__(self, backend: Backend) -> None:
        self.proofs: dict[str, Proof] = {}
        self._backend, self._now = backend, Moments(backend.clock)
        self._intervals: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="page checks", daemon=True)
        self._thread.start()

    def want(self, intervals: dict[str, float]) -> None:
        """Checks exactly these nodes, each after so many seconds again; none: the thread waits."""
        self._intervals = intervals

    def forget(self, node: str) -> None:
        """Drops the proof of a node that no longer runs."""
        self.proofs.pop(node, None)

    def end(self) -> None:
        """Ends the thread."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.wait(TURN_SECONDS):
            now = self._now()
            due = [(self._age(name, now) - seconds, name) for name, seconds in list(self._intervals.items())]
            late = [pair for pair in due if pair[0] >= 0]
            if late:
                self._check(max(late)[1])

    def _age(self, name: str, now: float) -> float:
        proof = self.proofs.get(name)
        return now - proof.at if proof and proof.at is not None else 1e6

    def _check(self, name: str) -> None:
        try:
            done = self._backend.run(name, ["/usr/lib/lab/ready"], seconds=CHECK_SECONDS)
            state = NodeState.READY if done.ok else NodeState.NOT_READY
            self.proofs[name] = Proof(state, "" if done.ok else done.last_line, self._now())
        except LabError:
            self.proofs[name] = Proof(NodeState.NOT_READY, "its readiness check can't be run", self._now())


def proven(  # noqa: PLR0913  the sources
    node: Observed,
    row: Row | None,
    check: Proof | None,
    *,
    stopped: bool,
    engine_at: float,
    now: float,
    killed: float | None = None,
    clock: Clock = REAL,
) -> Proof:
    """The state of an existing node.

    Args:
        node: as the engine has it.
        row: the last answer to its probe.
        check: the result of its readiness check.
        stopped: whether a fault stopped it cleanly.
        engine_at: when the engine was asked.
        now: Unix seconds.
        killed: when a fault killed it, which the engine may not have listed yet.
        clock: of the nodes.
    """
    if node.state is State.PAUSED:
        return Proof(NodeState.PAUSED, "paused: it holds its connections and answers nothing", engine_at)
    if node.state is not State.RUNNING:
        if stopped:
            return Proof(NodeState.STOPPED, "stopped cleanly", engine_at)
        return Proof(NodeState.DEAD, "does not run" if node.state is State.STOPPED else "not started yet", engine_at)
    if killed is not None and row is not None and row.due >= killed and not probes.good(row):
        return Proof(NodeState.DEAD, "killed: no answer", row.due + row.seconds)
    proof = _running(node, row, check, now, clock)
    services = hand.left_services(node) if proof.state is NodeState.NOT_READY else []
    return Proof(NodeState.BY_HAND, hand.says(services), proof.at) if services else proof


def _running(node: Observed, row: Row | None, check: Proof | None, now: float, clock: Clock) -> Proof:
    if row is not None and now - (row.due + row.seconds) <= clock.limit(PROBE_AGE):
        good, why = live.judged(node.role, row)
        own = check.reason if check and check.state is NodeState.NOT_READY and check.reason else ""
        return Proof(
            NodeState.READY if good else NodeState.NOT_READY,
            "" if good else "; ".join(filter(None, (why, own))),
            row.due + row.seconds,
        )
    if check is not None and check.at is not None and now - check.at <= clock.limit(CHECK_AGE):
        return check
    return Proof(NodeState.UNKNOWN, "runs; not proven yet that it serves", check.at if check else None)


def to_check(
    nodes: Iterable[Observed], probed: Sequence[str], proofs: dict[str, Proof], *, fed: bool, clock: Clock = REAL
) -> dict[str, float]:
    """The nodes whose readiness check is to run, and after how many seconds again.

    Args:
        nodes: all that exist.
        probed: those with a probe.
        proofs: the last state of each.
        fed: whether the probes' answers arrive.
        clock: of the nodes; an emulated processor is asked less often.
    """
    intervals = {}
    for node in nodes:
        if node.state is not State.RUNNING:
            continue
        state = proofs.get(node.name, Proof(NodeState.UNKNOWN)).state
        if state in (NodeState.NOT_READY, NodeState.UNKNOWN):
            intervals[node.name] = clock.limit(SOON_SECONDS)
        elif node.name not in probed or not fed:
            intervals[node.name] = clock.limit(EVERY_SECONDS)
    return intervals
