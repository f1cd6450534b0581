"""Injection of faults: recorded in the engine first, then injected, verified, and reverted.

The engine keeps the note (`Backend.note`) from before the injection: after a SIGKILL of the lab, `lab heal` finds
every fault by its note, and reverts nothing else.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from lab import interrupts
from lab.backends.base import State
from lab.backends.optional import noted, notes
from lab.errors import BackendError, LabError, NotReady, SpecError, Unable
from lab.faults import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.faults.fault import Fault, ProbeResult

PROOF_SECONDS = 10.0
GONE_SECONDS = 60.0
PREFIX = "fault-"


@dataclass
class Injected:
    """An injected fault; a context manager that reverts it, unless a second Ctrl-C did not wait for that.

    Attributes:
        mark: identifier, eight hexadecimal digits, in everything that the fault creates in nodes.
        begun, bitten, mending, restored, ended: Unix seconds of the start of injection, its verification, the start of
            reverting, its end (nodes run, and need not be ready), and the verification of that.
        proof: evidence of the probe that verified it.
        deferral: of interrupts, from the injection to the end of its revert.
    """

    backend: Backend
    fault: Fault
    mark: str
    begun: float
    facts: Mapping[str, str] = field(default_factory=dict)
    proof: str = ""
    bitten: float | None = None
    mending: float | None = None
    restored: float | None = None
    ended: float | None = None
    deferral: interrupts.Deferral = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.deferral = interrupts.Deferral(f"reverting '{self.fault}'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.ended is None and not self.deferral.twice:
            self.heal()

    @property
    def left(self) -> str:
        """The next step where it was not reverted."""
        return f"'lab heal {self.mark}' reverts '{self.fault}'"

    def heal(self) -> ProbeResult:
        """Reverts the fault, verifies that, and removes the note; the first interrupt waits for it.

        Raises:
            NotReady: the fault is still active.
        """
        try:
            with self.deferral.block():
                return self._revert()
        except LabError:
            raise
        except BaseException as error:
            if self.ended is None:
                error.add_note(self.left)  # lab.cli.main prints it
            raise

    def _revert(self) -> ProbeResult:
        self.mending = self.backend.clock.now()
        self.fault.revert(self.backend, self.mark, self.facts)
        self.restored = self.backend.clock.now()
        self.fault.await_ready(self.backend)
        result = self._gone() if self.fault.lasting else self._probe()
        self._forget()
        return result

    def apply(self) -> None:
        """Writes the note and injects the fault; the first interrupt waits for both, as the revert needs `facts`."""
        with self.deferral.block():
            self._keep()
            self.facts = self.fault.apply(self.backend, self.mark)

    def prove(self) -> None:
        """Waits until a probe verifies the fault; its note has the proof then, and a fault that does not last has none.

        Raises:
            BackendError: the fault is not effective.
        """
        what = f"'{self.fault}' to be effective"
        try:
            self.proof = self.backend.clock.until(what, PROOF_SECONDS, self._probe, lambda now: now.active).observation
        except NotReady as error:
            next_step = (
                "'lab status' shows whether the cluster is ready; if it is, this machine does not support the fault"
            )
            raise BackendError(
                f"the fault was injected, and is not effective: {error.what}", next_step=next_step
            ) from error
        with self.deferral.block():
            self.bitten = self.backend.clock.now()
            if self.fault.lasting:
                self._keep()
            else:
                self._forget()

    def _keep(self) -> None:
        """Writes the note into the engine."""
        text = {"fault": self.fault.as_dict(), "begun": self.begun, "facts": dict(self.facts), "proof": self.proof}
        notes(self.backend).note(PREFIX + self.mark, json.dumps(text, separators=(",", ":")))

    def _forget(self) -> None:
        """Removes the note."""
        notes(self.backend).note(PREFIX + self.mark, None)
        self.ended = self.backend.clock.now()

    def _probe(self) -> ProbeResult:
        return self.fault.probe(self.backend, self.mark, self.facts)

    def _gone(self) -> ProbeResult:
        what = f"'{self.fault}' to be reverted"
        return self.backend.clock.until(what, GONE_SECONDS, self._probe, lambda now: not now.active)


def inject(backend: Backend, fault: Fault) -> Injected:
    """Injects a fault and verifies it; an ineffective fault is reverted.

    Raises:
        Unable: the backend does not support it; nothing was changed.
        SpecError: a node is not running; nothing was changed.
        BackendError: the injection failed, or was not effective.
    """
    admit(backend, fault)
    injected = Injected(backend, fault, uuid.uuid4().hex[:8], backend.clock.now())
    try:
        injected.apply()
        injected.prove()
    except BaseException as error:
        left = _reverted(injected)
        if left and isinstance(error, LabError):
            error.next_step = f"{error.next_step}; {left}" if error.next_step else left
        elif left:
            error.add_note(left)  # lab.cli.main prints it
        raise
    return injected


def _reverted(injected: Injected) -> str:
    """Reverts a failed injection; the next step for the user if that fails too or was not waited for, else empty."""
    if injected.ended is not None:
        return ""
    if injected.deferral.twice:
        return injected.left
    try:
        injected.heal()
    except LabError as error:
        return f"then 'lab heal {injected.mark}': reverting failed: {error.what}"
    return ""


def admit(backend: Backend, fault: Fault) -> None:
    """Refuses a fault that cannot be injected here and now.

    Raises:
        Unable: the backend does not support it.
        SpecError: a node does not exist or is not running, or such a fault is active on it.
    """
    lacking = fault.needs(backend.capabilities())
    if lacking:
        raise Unable(f"'{fault}' is not supported on {backend.name}: {lacking}")
    states = {node.name: node.state for node in backend.observe().nodes}
    for name in (*fault.nodes, *getattr(fault, "others", ())):
        if name not in states:
            raise SpecError(f"the cluster '{backend.cluster}' has no node '{name}'")
        if states[name] is not State.RUNNING:
            raise SpecError(
                f"{name} is {states[name]}; a fault needs a running node",
                where=name,
                next_step=f"run 'lab start {name}' or 'lab heal' first",
            )
    for other in present(backend):
        if other.fault.kind == fault.kind and set(other.fault.nodes) & set(fault.nodes):
            raise SpecError(f"'{other.fault}' is already active", next_step=f"'lab heal {other.mark}' reverts it")


def present(backend: Backend, known: Mapping[str, str] | None = None) -> list[Injected]:
    """All active faults by their notes, oldest first; `known`: the notes, if they were read already."""
    active = []
    for key, text in (noted(backend) if known is None else known).items():
        if key.startswith(PREFIX):
            note = json.loads(text)
            mark = key.removeprefix(PREFIX)
            active.append(
                Injected(backend, kinds.fault(note["fault"]), mark, note["begun"], note["facts"], note["proof"])
            )
    return sorted(active, key=lambda injected: injected.begun)


def heal(backend: Backend, marks: Sequence[str] = ()) -> list[Injected]:
    """Reverts active faults, newest first; all, or those of `marks`. Returns the reverted ones.

    Raises:
        SpecError: an unknown mark.
        LabError: one could not be reverted; the others were.
    """
    active = {injected.mark: injected for injected in present(backend)}
    unknown = [mark for mark in marks if mark not in active]
    if unknown:
        raise SpecError(f"there is no active fault '{unknown[0]}'", next_step="'lab fault list' lists them")
    failed: list[LabError] = []
    healed = []
    for injected in reversed([one for mark, one in active.items() if not marks or mark in marks]):
        try:
            injected.heal()
            healed.append(injected)
        except LabError as error:
            failed.append(error)
        except BaseException as error:
            for other in failed:
                error.add_note(str(other))
            raise
    if failed:
        raise failed[0]
    return healed
