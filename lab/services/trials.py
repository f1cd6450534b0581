"""Checks of what needs to know roles: a promise that is tried with a fault, and who holds the VIP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from lab.evidence import written
from lab.evidence.checks import BREAKS, judged
from lab.evidence.outcomes import CheckInput, green, kind, red, unknown
from lab.evidence.pages import broken
from lab.evidence.promises import promise
from lab.evidence.verdicts import FaultEvent, PromiseVerdict, RunData
from lab.evidence.written import WrittenValue
from lab.lifecycle.status import vip_holders
from lab.services.streams import cluster_probes

if TYPE_CHECKING:
    from lab.evidence.outcomes import CheckOutcome, Scene
    from lab.evidence.verdicts import PromiseResult
    from lab.faults import Injected

VIP_HOLDER = "vip-holder"
SETTLE_SECONDS = 2.0
AWAKE_SECONDS = 60.0
BROKEN_BY = tuple(dict.fromkeys(cause.value for causes in BREAKS.values() for cause in causes))


class HolderCheck(CheckInput):
    """That exactly one node holds the VIP."""

    among: list[str] = Field([], description="it is one of these")


@kind("holder", HolderCheck, ("no-holder", "two-holders", "other-holder"))
def holder(scene: Scene, check: HolderCheck) -> CheckOutcome:
    """Asks every node that may hold the VIP."""
    silent: list[str] = []
    held = vip_holders(scene.backend, scene.backend.observe(), silent)
    if silent:
        return unknown(f"{' and '.join(sorted(silent))} did not say whether it has the VIP {scene.plan.vip}")
    if not held:
        return red("no-holder", f"no node has the VIP {scene.plan.vip}", "0 holders", "1 holder")
    if len(held) > 1:
        return red("two-holders", f"{' and '.join(held)} both have the VIP {scene.plan.vip}", f"{len(held)} holders")
    if check.among and held[0] not in check.among:
        return red("other-holder", f"{held[0]} has the VIP", held[0], " or ".join(check.among))
    return green(f"{held[0]} has the VIP {scene.plan.vip}", held[0])


class PromiseCheck(CheckInput):
    """A promise of a role, tried with a fault and judged as scenarios and the suite judge it.

    Attributes:
        promise: its name.
        fault: the kind of fault.
        target: its nodes, as `lab fault` takes them.
        asks: the longest time that is allowed, in seconds; unset: what the formula allows.
        reads: the person's own values, by the names that the formula reads; others are the topology's options.
        noun: the event in the past, such as `the VIP moved`.
    """

    promise: str
    fault: str = "kill"
    target: str
    settings: dict[str, str | float] = Field({}, description="of the fault, such as its service")
    seconds: float = Field(5, ge=1, le=120, description="how long the fault lasts")
    asks: float | None = None
    reads: dict[str, WrittenValue] = Field({}, description="values by name")
    noun: str = "it took"

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """What may break this promise, and what its parameters ask for."""
        possible = {
            "no-holder": self.target == VIP_HOLDER,
            "two-holders": self.target == VIP_HOLDER,
            "no-value": any(place.default is None for place in self.reads.values()),
            "late": self.asks is not None,
        }
        return (
            *(reason for reason, applies in possible.items() if applies),
            *BREAKS[promise(self.promise).declared.check],
        )


@kind("promise", PromiseCheck, ("no-holder", "two-holders", "no-value", "late", *BROKEN_BY), breaks=True)
def tried(scene: Scene, check: PromiseCheck) -> CheckOutcome:
    """Probes the cluster, injects the fault, reverts it, and judges the promise."""
    declared = promise(check.promise)
    if check.target == VIP_HOLDER and not (before := holder(scene, HolderCheck())).green:
        return before
    values = written.read(scene.backend, check.reads)
    if missing := [name for name in check.reads if name not in values]:
        place = check.reads[missing[0]]
        return red("no-value", f"{place.path} of {place.node} has no {missing[0]}")
    bound = declared.bound(scene.cluster, values)
    result = _measured(scene, check, bound)
    formula = f"{declared.formula} = {bound:.2f} s" if bound is not None else ""
    verb = "allows" if len(values) == 1 else "allow"
    yours = f"; your {_yours(check, values)} {verb} {bound:.2f} s" if values and bound is not None else ""
    summary = f"{check.noun} in {result.figure}" if result.seconds is not None else result.figure
    limit = "" if check.asks is None else f", the lesson asks for under {check.asks:g} s"
    if check.asks is not None and bound is not None and bound >= check.asks:  # a stall hides nothing of that
        return red("late", f"{summary}{yours}{limit}", result.figure, formula)
    if result.result is PromiseVerdict.UNKNOWN:
        outcome = unknown(f"it could not be judged: {result.figure}", figure=result.figure, formula=formula)
        return replace(outcome, excused=result.excused)
    if not result.holds:
        return red(result.broken_by, f"{summary}{yours}{limit}", result.figure, formula)
    return green(f"{summary}{yours}{limit}", result.figure, formula)


def _yours(check: PromiseCheck, values: dict[str, float]) -> str:
    """The person's own values in words; a count has no unit."""
    texts = [f"`{name}` of {value:g}{' s' if check.reads[name].unit else ''}" for name, value in values.items()]
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def _measured(scene: Scene, check: PromiseCheck, bound: float | None) -> PromiseResult:
    """The promise as judged from the probes around one fault."""
    backend = scene.backend
    begun = backend.clock.now()
    measured = cluster_probes(backend, scene.plan, scene.cluster.site)
    with measured:
        _pause(scene, SETTLE_SECONDS)
        injected = broken(scene, check.fault, check.target, **check.settings)
        try:
            _pause(scene, max(check.seconds, (bound or 0) + SETTLE_SECONDS))
        finally:
            injected.heal()
            _until_awake(scene, injected)
        _pause(scene, SETTLE_SECONDS)
    holders = vip_holders(backend, backend.observe()) if scene.plan.vip else []
    run = RunData(
        plan=scene.plan,
        answers=(),
        rows=measured.rows,
        faults=[_event(injected)],
        judgements={},
        clock=backend.clock,
        begun=begun,
        ended=backend.clock.now(),
        holders=holders,
        stalls=measured.load_run.stalls,
    )
    return judged(promise(check.promise), bound, run)


def _event(one: Injected) -> FaultEvent:
    now = one.backend.clock.now()
    times = (one.begun, one.bitten or one.begun, one.mending or now, one.ended or now)
    return FaultEvent(one.fault.kind, str(one.fault), one.fault.nodes, *times)


def _until_awake(scene: Scene, injected: Injected) -> None:
    """Waits until the nodes of the fault are ready again, those that are by hand too where they can be."""
    from lab.errors import LabError
    from lab.lifecycle import ready

    for name in injected.fault.nodes:
        try:
            ready.node(scene.backend, name, AWAKE_SECONDS)
        except LabError:
            if not scene.plan.node(name).by_hand:
                raise


def _pause(scene: Scene, seconds: float) -> None:
    """Lets the cluster be measured for a while: nothing is awaited."""
    clock = scene.backend.clock
    clock.wait(clock.limit(seconds))
