"""Two threads that ask: what the engine has (often, and at once after an action), and what changes slowly."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from lab.backends.base import Existing, State
from lab.backends.optional import Clusters, noted
from lab.errors import LabError
from lab.faults import present
from lab.lifecycle import expected, resolve
from lab.lifecycle.status import endpoints
from lab.page.moments import Moments
from lab.plan import plan
from lab.services.live import QUESTIONS
from lab.topology.ports import OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.backends.base import Backend
    from lab.faults import Injected
    from lab.plan import Plan
    from lab.services.live import Badge
    from lab.topology import Cluster

CLUSTERS_SECONDS = 5.0
TURN_SECONDS = 1.0


@dataclass(frozen=True)
class Look:
    """What the engine has.

    Attributes:
        at: when it was asked (Unix seconds); 0: never.
        error: why the last question failed; `existing` is of an earlier one then.
        expected: the nodes of the last `up`.
        notes: the texts that are kept with the cluster, by key.
    """

    at: float = 0.0
    existing: Existing = field(default_factory=Existing)
    faults: tuple[Injected, ...] = ()
    expected: tuple[str, ...] = ()
    error: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


class Engine:
    """Asks the engine for nodes and notes; idle while `seconds` is None.

    Attributes:
        look: the last answer.
    """

    def __init__(self, backend: Backend, tell: Callable[[], None] = lambda: None) -> None:
        self.look = Look()
        self.seconds: float | None = None
        self._backend, self._tell, self._moment = backend, tell, Moments(backend.clock)
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="page engine", daemon=True)
        self._thread.start()

    def want(self, seconds: float | None) -> None:
        """Asks every so many seconds; None: not at all."""
        old, self.seconds = self.seconds, seconds
        if seconds is not None and (old is None or seconds < old):
            self._wake.set()

    def now(self) -> None:
        """Asks at once."""
        self._wake.set()

    def end(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._wake.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            seconds = self.seconds
            if seconds is not None:
                self._ask()
                self._tell()
            self._wake.wait(None if seconds is None else self._backend.clock.limit(seconds))
            self._wake.clear()

    def _ask(self) -> None:
        old = self.look
        try:
            at = self._moment()
            existing = self._backend.observe()
            self.look = replace(old, at=at, existing=existing, error="")  # seen at once; the notes take as long again
            self._tell()
            notes = noted(self._backend)
            planned_names = notes.get(expected.NOTE, "").split() if existing.nodes else []
            others = [node.name for node in existing.nodes if node.name not in planned_names]
            faults = tuple(present(self._backend, notes))
            self.look = Look(at, existing, faults, (*planned_names, *others), notes=notes)
        except (LabError, OSError, ValueError) as error:
            what = error.what if isinstance(error, LabError) else str(error)
            self.look = replace(old, error=what.partition("\n")[0])


class SlowFacts:
    """Asks the questions of `lab.services.live` at their own intervals, and for the clusters of the engine."""

    def __init__(self, backend: Backend) -> None:
        self.badges: dict[str, list[Badge]] = {}
        self.clusters: list[dict[str, object]] = []
        self._backend = backend
        self._roles: frozenset[str] = frozenset()
        self._of: dict[str, dict[str, list[Badge]]] = {}
        self._asked_at: dict[str, float] = {}
        self._on = self._ended = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="page slow", daemon=True)
        self._thread.start()

    def want(self, roles: Sequence[str], *, on: bool) -> None:
        """The roles of the cluster; nothing is asked unless `on`."""
        self._roles = frozenset(roles)
        if on and not self._on:
            self._wake.set()
        self._on = on

    def end(self) -> None:
        """Ends the thread."""
        self._ended = True
        self._wake.set()

    def _work(self) -> None:
        while not self._ended:
            if self._on:
                for question in QUESTIONS:
                    if question.role in self._roles and self._due(question.role, question.seconds):
                        self._ask(question.role, question.ask)
                if self._due("", CLUSTERS_SECONDS):
                    self._list()
            self._wake.wait(TURN_SECONDS if self._on else None)
            self._wake.clear()

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._asked_at.get(what, -1e9) < self._backend.clock.limit(seconds):
            return False
        self._asked_at[what] = now
        return True

    def _ask(self, role: str, ask: Callable[[Backend], Mapping[str, list[Badge]]]) -> None:
        try:
            self._of[role] = dict(ask(self._backend))
        except (LabError, OSError, ValueError):
            self._of.pop(role, None)  # not known now: nothing is shown
        merged: dict[str, list[Badge]] = {}
        for of in self._of.values():
            for node, badges in of.items():
                merged.setdefault(node, []).extend(badges)
        self.badges = merged

    def _list(self) -> None:
        if not isinstance(self._backend, Clusters):
            self.clusters = []
            return
        try:
            self.clusters = [_listed(name, one) for name, one in self._backend.clusters().items()]
        except (LabError, OSError):
            self.clusters = []


def _listed(name: str, existing: Existing) -> dict[str, object]:
    states = [node.state for node in existing.nodes]
    return {
        "name": name,
        "nodes": len(states),
        "running": states.count(State.RUNNING),
        "vip": existing.vip,
        "family": existing.family,
        "endpoints": endpoints(existing),
    }


def planned(cluster: Cluster, backend: Backend, existing: Existing) -> tuple[Cluster, Plan]:
    """The topology and the plan of the nodes that exist: with their number, subnet and ports.

    Raises:
        LabError: the topology does not fit.
    """
    chosen = resolve.apps(resolve.timers(cluster, backend), backend)
    chosen = resolve.as_many(chosen, [node.name for node in existing.nodes])
    ports = {name: existing.ports.get(name, OFF) for name in chosen.ports.by_name()}
    update = {"network": IPv4Network(existing.network or "10.90.0.0/24"), "ports": chosen.ports.changed(ports)}
    return chosen, plan(chosen.model_copy(update=update), existing.family or "debian")
