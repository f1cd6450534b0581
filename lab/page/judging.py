"""Faults as they begin and end, and the promises with what was just measured, by the checks of runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.clock import REAL
from lab.errors import LabError
from lab.evidence import probes
from lab.evidence.checks import CHECKS, judged
from lab.evidence.load import answer
from lab.evidence.promises import promises
from lab.evidence.verdicts import FaultEvent, PromiseVerdict, RunData
from lab.page.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.clock import Clock
    from lab.evidence.load_run import Row
    from lab.evidence.promises import Promise
    from lab.evidence.stalls import Stall
    from lab.faults import Injected
    from lab.plan import Plan
    from lab.topology import Cluster

KEPT_SECONDS = 130.0
BEFORE_SECONDS = 4.0  # of the measurements before a fault, by which its effect is judged
APART_SECONDS = 5.0  # faults that follow each other by less are judged together
JUDGED_SECONDS = 25.0  # after the last revert
"""All of them on an ordinary processor: an emulated one is asked less often, and answers later."""


@dataclass(frozen=True)
class FaultSeen:
    """A fault that is active, or was in the last two minutes; Unix seconds.

    Attributes:
        ended: None while it is active.
        mending: when the start of reverting was observed, or told by this page.
        until: when it is reverted by itself, if that is known.
    """

    mark: str
    kind: str
    text: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    begun: float
    proof: str
    mending: float | None = None
    ended: float | None = None
    until: float | None = None

    def event(self, now: float) -> FaultEvent:
        """It as the checks read it; an active fault ends now."""
        ended = self.ended or now
        return FaultEvent(
            self.kind, self.text, self.nodes, self.begun, self.begun, min(self.mending or ended, ended), ended
        )


class FaultLog:
    """The faults that the engine's notes show, from their first sight to their end; `clock`: of the nodes."""

    def __init__(self, clock: Clock = REAL) -> None:
        self._clock = clock
        self.by_mark: dict[str, FaultSeen] = {}

    def note(self, present: Iterable[Injected], running: Iterable[str], now: float) -> list[tuple[str, FaultSeen]]:
        """Takes the active faults of this moment; returns what changed: `begun` or `ended`, with the fault."""
        up, changes = set(running), []
        active = {one.mark: one for one in present}
        for mark, one in active.items():
            known = self.by_mark.get(mark)
            if known is None:
                edges = getattr(one.fault, "edges", None)
                cut = tuple(edges()) if edges and getattr(one.fault, "others", ()) else ()
                fault = FaultSeen(mark, one.fault.kind, str(one.fault), one.fault.nodes, cut, one.begun, one.proof)
                self.by_mark[mark] = fault
                changes.append(("begun", fault))
            elif one.proof and one.proof != known.proof:
                self.by_mark[mark] = replace(known, proof=one.proof)
            elif known.mending is None and known.proof and known.kind in ("kill", "stop") and set(known.nodes) <= up:
                self.by_mark[mark] = replace(known, mending=now)
        for mark, known in list(self.by_mark.items()):
            if mark not in active and known.ended is None:
                self.by_mark[mark] = replace(known, ended=now, mending=known.mending or now)
                changes.append(("ended", self.by_mark[mark]))
            elif known.ended is not None and known.ended < now - self._clock.limit(KEPT_SECONDS):
                del self.by_mark[mark]
        return changes

    def tell(self, mark: str, *, until: float | None = None, mending: float | None = None) -> None:
        """What this page knows of a fault that it injected itself."""
        known = self.by_mark.get(mark)
        if known:
            self.by_mark[mark] = replace(known, until=until or known.until, mending=mending or known.mending)

    @property
    def active(self) -> list[FaultSeen]:
        """The active ones, oldest first."""
        # A copy: actions ask in threads of their own, while the collector adds faults.
        return sorted((one for one in list(self.by_mark.values()) if one.ended is None), key=lambda one: one.begun)

    def latest(self, now: float) -> list[FaultSeen]:
        """The faults to be judged together: the last ones, if the newest is active or ended recently."""
        ordered = sorted(self.by_mark.values(), key=lambda one: one.begun)
        chosen: list[FaultSeen] = []
        for one in reversed(ordered):
            if chosen and (one.ended or now) < chosen[-1].begun - self._clock.limit(APART_SECONDS):
                break
            chosen.append(one)
        if not chosen or max(one.ended or now for one in chosen) < now - self._clock.limit(JUDGED_SECONDS):
            return []
        return chosen[::-1]


class Judge:
    """The promises of a cluster, each with its bound and the last figure."""

    def __init__(self, plan: Plan, cluster: Cluster, clock: Clock) -> None:
        self._plan, self._clock, self._now = plan, clock, Moments(clock)
        self._bounds: dict[str, tuple[Promise, float | None]] = {}
        self.shown: dict[str, dict[str, Any]] = {}
        self._reported: set[tuple[str, PromiseVerdict, str]] = set()
        roles = {node.role for node in plan.nodes}
        for name, one in promises().items():
            if one.role not in roles or one.declared.check not in CHECKS:
                continue
            try:
                bound = one.bound(cluster)
            except LabError:
                continue  # it speaks of a role that this topology lacks
            self._bounds[name] = (one, bound)
            self.shown[name] = {
                "role": one.role,
                "event": one.declared.event,
                "says": one.declared.says,
                "formula": one.formula,
                "bound": bound,
            }

    def judge(  # noqa: PLR0913  the parts of a run
        self,
        faults: Sequence[FaultSeen],
        probed: Mapping[str, Sequence[Row]],
        visits: Sequence[Row],
        *,
        rate: float,
        stalls: Sequence[Stall],
        holders: Sequence[str],
    ) -> list[str]:
        """Judges all promises by the last faults; returns those whose result is new, or final, for the first time.

        `rate`: the lowest number of probes a second since the first of these faults. A page at rest measures a fault
        that is injected elsewhere less exactly than those of its buttons.
        """
        now, changed = self._now(), []
        begun = faults[0].begun - self._clock.limit(BEFORE_SECONDS)
        data = RunData(
            plan=self._plan,
            answers=[answer(row) for row in visits if row.due >= begun],
            rows={name: [row for row in rows if row.due >= begun] for name, rows in probed.items()},
            faults=[one.event(now) for one in faults],
            judgements={},
            clock=self._clock,
            begun=begun,
            ended=now,
            holders=holders,
            stalls=stalls,
            rate=rate,
        )
        active = any(one.ended is None for one in faults)
        for name, (one, bound) in self._bounds.items():
            result = judged(one, bound, data)
            if result.result is PromiseVerdict.UNKNOWN and (active or not result.excused or result.seconds is None):
                continue
            figure = {
                "result": result.result.value,
                "figure": result.figure + (f", seen {rate:g} times a second" if rate < probes.RATE else ""),
                "seconds": result.seconds,
                "of": self._cause(one, faults).text,
                "live": active,
                "at": self._cause(one, faults).begun,
            }
            fresh = {**self.shown[name], **figure}
            self.shown[name] = fresh
            key = (name, result.result, self._cause(one, faults).mark)
            if key not in self._reported and not (active and result.holds):
                self._reported.add(key)
                changed.append(name)
        return changed

    def _cause(self, one: Promise, faults: Sequence[FaultSeen]) -> FaultSeen:
        """The last fault of a node that the promise speaks of; else the last one."""
        names = {node.name for node in self._plan.role(one.role)}
        return next((fault for fault in reversed(faults) if names & set(fault.nodes)), faults[-1])
