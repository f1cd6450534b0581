"""Doing a fault to a cluster, so that it is proven, written down first, and undone by whoever comes next.

The note is kept by the engine (`Backend.note`) before anything is done: a lab that was killed leaves nothing that
`lab heal` would not find, and nothing is removed but what a note speaks of.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from lab.backends.base import State
from lab.errors import BackendError, LabError, NotReady, SpecError, Unable
from lab.faults import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.faults.fault import Fault, Look

PROOF_SECONDS = 10.0
GONE_SECONDS = 60.0
PREFIX = "fault-"


@dataclass
class Injected:
    """A fault in a cluster; a context manager that undoes it.

    Attributes:
        mark: eight hexadecimal digits, carried by all that it left in nodes.
        begun, bitten, mending, ended: Unix seconds; when it was about to be done, when it was proven, when it was
            about to be undone, and when that had taken effect.
        proof: what the probe saw when it bit.
    """

    backend: Backend
    fault: Fault
    mark: str
    begun: float
    facts: Mapping[str, str] = field(default_factory=dict)
    proof: str = ""
    bitten: float | None = None
    mending: float | None = None
    ended: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.ended is None:
            self.heal()

    def heal(self) -> Look:
        """Undoes it, shows that it is gone, and forgets the note.

        Raises:
            NotReady: it still bites.
        """
        self.mending = time.time()
        self.fault.undo(self.backend, self.mark, self.facts)
        look = self._gone() if self.fault.lasting else self._look()
        self.backend.note(PREFIX + self.mark, None)
        self.ended = time.time()
        return look

    def prove(self) -> None:
        """Waits until a probe shows that it bites.

        Raises:
            BackendError: it does not.
        """
        what = f"'{self.fault}' to bite"
        try:
            self.proof = self.backend.clock.until(what, PROOF_SECONDS, self._look, lambda now: now.bites).seen
            self.bitten = time.time()
        except NotReady as error:
            next_step = "'lab status' tells whether the cluster is whole; if it is, this machine can't be broken so"
            raise BackendError(f"the fault was done and does not bite: {error.what}", next_step=next_step) from error

    def keep(self) -> None:
        """Writes it down in the engine."""
        text = {"fault": self.fault.told(), "begun": self.begun, "facts": dict(self.facts), "proof": self.proof}
        self.backend.note(PREFIX + self.mark, json.dumps(text, separators=(",", ":")))

    def _look(self) -> Look:
        return self.fault.look(self.backend, self.mark, self.facts)

    def _gone(self) -> Look:
        what = f"'{self.fault}' to be gone"
        return self.backend.clock.until(what, GONE_SECONDS, self._look, lambda now: not now.bites)


def inject(backend: Backend, fault: Fault) -> Injected:
    """Does a fault and proves that it bites; what did not bite is reverted.

    Raises:
        Unable: the backend can't; nothing was done.
        SpecError: a node is down already; nothing was done.
        BackendError: it was refused, or did not bite.
    """
    admit(backend, fault)
    injected = Injected(backend, fault, uuid.uuid4().hex[:8], time.time())
    injected.keep()
    try:
        injected.facts = fault.apply(backend, injected.mark)
        injected.prove()
    except BaseException as error:
        left = _take_back(injected)
        if isinstance(error, LabError) and left:
            error.next_step = f"{error.next_step}; {left}" if error.next_step else left
        raise
    if fault.lasting:
        injected.keep()
    else:
        backend.note(PREFIX + injected.mark, None)
        injected.ended = time.time()
    return injected


def _take_back(injected: Injected) -> str:
    """After a failure, which is what is told; says what is left where that can't be undone."""
    try:
        injected.heal()
    except LabError as error:
        return f"and 'lab heal {injected.mark}', since it could not be reverted: {error.what}"
    return ""


def admit(backend: Backend, fault: Fault) -> None:
    """Whether a fault can be done here and now.

    Raises:
        Unable, SpecError: it can't; says why.
    """
    lacking = fault.needs(backend.capabilities())
    if lacking:
        raise Unable(f"'{fault}' can't be done on {backend.name}: {lacking}")
    states = {node.name: node.state for node in backend.observe().nodes}
    for name in (*fault.nodes, *getattr(fault, "others", ())):
        if name not in states:
            raise SpecError(f"the cluster '{backend.cluster}' has no node '{name}'")
        if states[name] is not State.RUNNING:
            raise SpecError(
                f"{name} is {states[name]} already: '{fault}' would show nothing",
                where=name,
                next_step=f"'lab start {name}' or 'lab heal' first",
            )
    for other in present(backend):
        if other.fault.kind == fault.kind and set(other.fault.nodes) & set(fault.nodes):
            raise SpecError(f"'{other.fault}' is on already", next_step=f"'lab heal {other.mark}' reverts it")


def present(backend: Backend) -> list[Injected]:
    """The faults that are noted, the oldest first, whoever did them."""
    found = []
    for key, text in backend.notes().items():
        if key.startswith(PREFIX):
            told = json.loads(text)
            mark = key.removeprefix(PREFIX)
            found.append(
                Injected(backend, kinds.fault(told["fault"]), mark, told["begun"], told["facts"], told["proof"])
            )
    return sorted(found, key=lambda injected: injected.begun)


def heal(backend: Backend, marks: Sequence[str] = ()) -> list[Injected]:
    """Undoes what is noted, or those of it that are named, the newest first; returns what was undone.

    Raises:
        SpecError: there is no such mark.
        LabError: one is still there; the others were undone all the same.
    """
    found = {injected.mark: injected for injected in present(backend)}
    unknown = [mark for mark in marks if mark not in found]
    if unknown:
        raise SpecError(f"there is no fault '{unknown[0]}'", next_step="'lab fault list' shows what there is")
    failed: list[LabError] = []
    healed = []
    for injected in reversed([one for mark, one in found.items() if not marks or mark in marks]):
        try:
            injected.heal()
            healed.append(injected)
        except LabError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return healed
