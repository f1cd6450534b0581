"""The ledger: writes with ids, their outcomes, and the ids that every replica has at the end."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from lab.errors import LabError
from lab.evidence.load_run import LONGEST_SECONDS, LoadRun, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.evidence.load_run import Row

ENOUGH = 20
"""Acknowledged writes without which nothing is said of a service."""

WRITE_PATIENCE = 10.0
MORE_SECONDS = 60.0
REFUSED = range(400, 500)
ACKNOWLEDGED = range(200, 400)


class Outcome(StrEnum):
    """What a client knows of its operation."""

    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What is known of a service; `UNKNOWN` is never success."""

    HOLDS = "holds"
    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Operation:
    """One write. `invoked`, `completed`: Unix seconds of the nodes; `answer` is what came back."""

    id: str
    invoked: float
    completed: float
    outcome: Outcome
    answer: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a service's acknowledged writes.

    Attributes:
        ids: those that are lost, duplicated or stale.
        counts: operations by outcome.
        replicas: how many of the ids each replica has; those that could not be read are missing here.
    """

    service: str
    verdict: Verdict
    why: str
    ids: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)


class Service(Protocol):
    """Something that acknowledges writes.

    Attributes:
        everywhere: whether every replica has to have all of them, or each of them only one.
    """

    name: str
    everywhere: bool

    def stream(self, run: str, rate: float) -> Stream:
        """The writes of a run, as questions whose number makes their id `run-number`."""

    def replicas(self) -> Sequence[str]:
        """The nodes that have what was written."""

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        """The ids of a run that a replica has, twice where it has one twice.

        Raises:
            BackendError: it can't be read.
        """


class Ledger:
    """A context manager: writes go on inside it; afterwards `judge` reads everything back."""

    def __init__(
        self, backend: Backend, services: Sequence[Service], rate: float, seconds: float = LONGEST_SECONDS
    ) -> None:
        self.run = f"ledger-{uuid.uuid4().hex[:8]}"
        self.services = {service.name: service for service in services}
        self.operations: dict[str, list[Operation]] = {}
        self._backend = backend
        streams = [service.stream(self.run, backend.clock.rate(rate)) for service in services]
        self.load_run = LoadRun(backend, streams, seconds=seconds, patience=WRITE_PATIENCE)

    def __enter__(self) -> Self:
        self.load_run.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.load_run.__exit__(*exc_info)
        rows = self.load_run.rows
        self.operations = {name: [operation(self.run, row) for row in rows[name]] for name in self.services}

    def count(self) -> int:
        """How many writes have ended so far."""
        return self.load_run.count()

    def more(self, count: int, seconds: float = MORE_SECONDS) -> None:
        """Waits until `count` more writes have ended."""
        begun = self.count()
        self._backend.clock.until(f"{count} more writes", seconds, self.count, lambda now: now >= begun + count)

    def judge(self) -> list[Judgement]:
        """Reads every service back from every replica, and judges its acknowledged writes."""
        return [self._judge(service) for service in self.services.values()]

    def _judge(self, service: Service) -> Judgement:
        contents: dict[str, list[str]] = {}
        unread = []
        for replica in service.replicas():
            try:
                contents[replica] = service.read(self._backend, replica, self.run)
            except LabError as error:
                unread.append(error.what)
        return judge(service.name, self.operations[service.name], contents, unread, everywhere=service.everywhere)


def operation(run: str, row: Row) -> Operation:
    """A row of a ledger's stream as an operation."""
    refused = row.status in REFUSED
    done = Outcome.ACKNOWLEDGED if row.status in ACKNOWLEDGED else Outcome.FAILED if refused else Outcome.UNKNOWN
    return Operation(f"{run}-{row.number}", row.due, row.due + row.seconds, done, row.error or str(row.status))


def judge(
    service: str,
    operations: Sequence[Operation],
    contents: Mapping[str, Sequence[str]],
    unread: Sequence[str] = (),
    *,
    everywhere: bool,
) -> Judgement:
    """Judges acknowledged writes by the content of every replica.

    Args:
        service: its name.
        operations: all writes.
        contents: the ids in each replica that could be read.
        unread: why the others could not be.
        everywhere: whether every replica has to have all of them.
    """
    ids = {outcome: [one.id for one in operations if one.outcome is outcome] for outcome in Outcome}
    counts = {outcome.value: len(of) for outcome, of in ids.items()}
    verdict, why, which = _verdict(ids, contents, unread, everywhere=everywhere)
    return Judgement(service, verdict, why, tuple(which), counts, {name: len(of) for name, of in contents.items()})


def _verdict(
    ids: Mapping[Outcome, Sequence[str]],
    contents: Mapping[str, Sequence[str]],
    unread: Sequence[str],
    *,
    everywhere: bool,
) -> tuple[Verdict, str, Sequence[str]]:
    """The worst that is certain; then what is not known; then that it holds."""
    acknowledged = ids[Outcome.ACKNOWLEDGED]
    replicas = [Counter(of) for of in contents.values()]
    somewhere = sum(replicas, Counter[str]())
    lost = [one for one in acknowledged if not somewhere[one]]
    if lost and contents and not unread:
        return Verdict.LOST, f"{len(lost)} of {len(acknowledged)} acknowledged are nowhere", lost
    twice = sorted({one for of in (replicas if everywhere else [somewhere]) for one, count in of.items() if count > 1})
    ghosts = [one for one in ids[Outcome.FAILED] if somewhere[one]]
    if twice or ghosts:
        why = f"{len(twice)} are there more than once" if twice else f"{len(ghosts)} were refused and are there"
        return Verdict.DUPLICATED, why, twice or ghosts
    stale = [one for one in acknowledged if everywhere and somewhere[one] and not all(of[one] for of in replicas)]
    if stale:
        return Verdict.STALE, f"{len(stale)} are missing on one replica at least", stale
    if unread or not contents:
        return Verdict.UNKNOWN, unread[0] if unread else "there is no replica to read", ()
    if len(acknowledged) < ENOUGH:
        return Verdict.UNKNOWN, f"only {len(acknowledged)} writes were acknowledged, {ENOUGH} are needed", ()
    return Verdict.HOLDS, f"all {len(acknowledged)} acknowledged are there once", ()
