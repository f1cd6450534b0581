"""The ledger: what was written with an id of its own, what became of it, and what every replica has at the end."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

from lab.errors import BackendError, LabError
from lab.evidence.asking import LONGEST_SECONDS, Asking, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.evidence.asking import Row
    from lab.plan import Plan

ENOUGH = 20
"""Acknowledged writes without which nothing is said of a service."""

WRITE_PATIENCE = 10.0
READ_SECONDS = 30.0
MORE_SECONDS = 60.0
DELIVERY_SECONDS = 90.0
"""Postfix tries again what it could not deliver after ten to forty seconds (`main.cf`)."""
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
    """One write. `invoked`, `completed`: Unix seconds of this machine; `said` is what came back."""

    id: str
    invoked: float
    completed: float
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True)
class Judgement:
    """What became of a service's acknowledged writes.

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


class GuestBook:
    """Posts in the guest book: in the database, or, where there is none, each on the web node that took it."""

    name = "guestbook"

    def __init__(self, plan: Plan, site: str) -> None:
        self._nodes = {node.name: node.address for node in plan.role("web")}
        self._url = f"{'https' if plan.role('http-lb') else 'http'}://{site}/api/posts"
        self.everywhere = bool(plan.role("mysql"))

    def stream(self, run: str, rate: float) -> Stream:
        # Each on a connection of its own: on one that was used before, a client may send a form again by itself when
        # the balancer closes without an answer, and there would be two posts where the ledger knows of one.
        return Stream(self.name, self._url, rate, keep=False, post=f"author={run}&message={run}-{{n}}")

    def replicas(self) -> Sequence[str]:
        return list(self._nodes)

    def posts(self, backend: Backend, replica: str, run: str) -> list[dict[str, str]]:
        """The posts of a run that a web node shows."""
        url = f"http://{self._nodes[replica]}/api/posts?author={run}"
        done = backend.run("client", ["curl", "-fsS", "--max-time", str(READ_SECONDS), url], seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.said}", where=replica)
        return list(json.loads(done.stdout)["posts"])

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        return [post["message"] for post in self.posts(backend, replica, run)]


class Uploads(GuestBook):
    """Posts with a picture: there is a post where its picture is whole, by its name, which is its checksum."""

    name = "uploads"

    def stream(self, run: str, rate: float) -> Stream:
        return replace(super().stream(run, rate), upload="upload")

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        settings = "sed -n 's/^uploads = \"\\(.*\\)\"/\\1/p' /etc/lab/guestbook.ini"
        done = backend.run(replica, ["sh", "-c", f'cd "$({settings})" && sha256sum *.png'], seconds=READ_SECONDS)
        lines = (line.split() for line in done.stdout.splitlines())
        whole = {file for digest, file in lines if file == f"{digest}.png"}
        return [post["message"] for post in self.posts(backend, replica, run) if post["upload"] in whole]


class Mysql:
    """Rows in the database, each inserted by a new visitor through the writable address."""

    name = "mysql"
    everywhere = True

    def __init__(self, plan: Plan, site: str) -> None:
        del site
        self._nodes = [node.name for node in plan.role("mysql")]
        self._url = database(plan)

    def stream(self, run: str, rate: float) -> Stream:
        insert = f"INSERT INTO ledger (run, id) VALUES ('{run}', '{run}-{{n}}')"  # noqa: S608  both are this module's
        return Stream(self.name, self._url, rate, keep=False, post=insert)

    def replicas(self) -> Sequence[str]:
        return self._nodes

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        select = f"SELECT id FROM evidence.ledger WHERE run = '{run}'"  # noqa: S608
        done = backend.run(replica, ["mariadb", "--skip-column-names", "--execute", select], seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.said}", where=replica)
        return done.stdout.split()


def database(plan: Plan, port: int = 3306) -> str:
    """Where the client finds the database: at the VIP, or where there is none at its first node."""
    return f"mysql://evidence@{plan.vip or plan.role('mysql')[0].address}:{port}/evidence"


class Mail:
    """Messages, each submitted by a new visitor with a login, to the mailbox of the lab's own account."""

    name = "mail"
    everywhere = True

    def __init__(self, plan: Plan, site: str) -> None:
        del site
        self._nodes = [node.name for node in plan.role("mail")]
        self._address = f"evidence@{plan.cluster}.test"
        self._url = f"smtp://{self._address.replace('@', '%40')}@{plan.vip or plan.role('mail')[0].address}:587"

    def stream(self, run: str, rate: float) -> Stream:
        message = f"From: {self._address}\nTo: {self._address}\nSubject: {run}-{{n}}\n\nWritten down.\n"
        return Stream(self.name, self._url, rate, keep=False, post=message)

    def replicas(self) -> Sequence[str]:
        return self._nodes

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        self._await_delivery(backend)
        asked = ["doveadm", "-c", "/etc/lab/dovecot.conf", "-f", "flow", "fetch", "-u", self._address]
        argv = [*asked, "hdr.subject", "mailbox", "INBOX", "subject", run]
        done = backend.run(replica, argv, seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.said}", where=replica)
        return [line.removeprefix("hdr.subject=") for line in done.stdout.split() if line.startswith("hdr.subject=")]

    def _await_delivery(self, backend: Backend) -> None:
        """What was accepted may wait in any node's queue; it is not lost, and not in the mailbox yet."""
        for node in self._nodes:
            backend.clock.until(
                f"an empty queue on {node}",
                DELIVERY_SECONDS,
                partial(backend.run, node, ["postqueue", "-j"], seconds=READ_SECONDS),
                lambda said: said.ok and not said.stdout.strip(),
            )


SERVICES: dict[str, type[GuestBook | Mysql | Mail]] = {
    "guestbook": GuestBook,
    "uploads": Uploads,
    "mysql": Mysql,
    "mail": Mail,
}
"""What a ledger can be kept of, by name; a role that acknowledges writes adds one line."""


class Ledger:
    """A context manager: writes go on inside it; afterwards `judge` reads everything back."""

    def __init__(
        self, backend: Backend, services: Sequence[Service], rate: float, seconds: float = LONGEST_SECONDS
    ) -> None:
        self.run = f"ledger-{uuid.uuid4().hex[:8]}"
        self.services = {service.name: service for service in services}
        self.operations: dict[str, list[Operation]] = {}
        self._backend = backend
        made = [service.stream(self.run, backend.clock.rate(rate)) for service in services]
        self.asking = Asking(backend, made, seconds=seconds, patience=WRITE_PATIENCE)

    def __enter__(self) -> Self:
        self.asking.__enter__()
        return self

    def __exit__(self, *said: object) -> None:
        self.asking.__exit__(*said)
        rows = self.asking.rows
        self.operations = {name: [operation(self.run, row) for row in rows[name]] for name in self.services}

    def count(self) -> int:
        """How many writes have ended so far."""
        return self.asking.count()

    def more(self, count: int, seconds: float = MORE_SECONDS) -> None:
        """Waits until `count` more writes have ended."""
        begun = self.count()
        self._backend.clock.until(f"{count} more writes", seconds, self.count, lambda now: now >= begun + count)

    def judge(self) -> list[Judgement]:
        """Reads every service back from every replica, and says what became of what was acknowledged."""
        return [self._judge(service) for service in self.services.values()]

    def _judge(self, service: Service) -> Judgement:
        found: dict[str, list[str]] = {}
        unread = []
        for replica in service.replicas():
            try:
                found[replica] = service.read(self._backend, replica, self.run)
            except LabError as error:
                unread.append(error.what)
        return judge(service.name, self.operations[service.name], found, unread, everywhere=service.everywhere)


def operation(run: str, row: Row) -> Operation:
    """A row of a ledger's stream as an operation."""
    refused = row.status in REFUSED
    done = Outcome.ACKNOWLEDGED if row.status in ACKNOWLEDGED else Outcome.FAILED if refused else Outcome.UNKNOWN
    return Operation(f"{run}-{row.number}", row.due, row.due + row.seconds, done, row.error or str(row.status))


def judge(
    service: str,
    operations: Sequence[Operation],
    found: Mapping[str, Sequence[str]],
    unread: Sequence[str] = (),
    *,
    everywhere: bool,
) -> Judgement:
    """What became of acknowledged writes, by what every replica has.

    Args:
        service: its name.
        operations: all writes.
        found: the ids in each replica that could be read.
        unread: why the others could not be.
        everywhere: whether every replica has to have all of them.
    """
    ids = {outcome: [one.id for one in operations if one.outcome is outcome] for outcome in Outcome}
    counts = {outcome.value: len(of) for outcome, of in ids.items()}
    verdict, why, which = _verdict(ids, found, unread, everywhere=everywhere)
    return Judgement(service, verdict, why, tuple(which), counts, {name: len(of) for name, of in found.items()})


def _verdict(
    ids: Mapping[Outcome, Sequence[str]],
    found: Mapping[str, Sequence[str]],
    unread: Sequence[str],
    *,
    everywhere: bool,
) -> tuple[Verdict, str, Sequence[str]]:
    """The worst that is certain; then what is not known; then that it holds."""
    acknowledged = ids[Outcome.ACKNOWLEDGED]
    replicas = [Counter(of) for of in found.values()]
    somewhere = sum(replicas, Counter[str]())
    lost = [one for one in acknowledged if not somewhere[one]]
    if lost and found and not unread:
        return Verdict.LOST, f"{len(lost)} of {len(acknowledged)} acknowledged are nowhere", lost
    twice = sorted({one for of in (replicas if everywhere else [somewhere]) for one, count in of.items() if count > 1})
    ghosts = [one for one in ids[Outcome.FAILED] if somewhere[one]]
    if twice or ghosts:
        why = f"{len(twice)} are there more than once" if twice else f"{len(ghosts)} were refused and are there"
        return Verdict.DUPLICATED, why, twice or ghosts
    stale = [one for one in acknowledged if everywhere and somewhere[one] and not all(of[one] for of in replicas)]
    if stale:
        return Verdict.STALE, f"{len(stale)} are missing on one replica at least", stale
    if unread or not found:
        return Verdict.UNKNOWN, unread[0] if unread else "there is no replica to read", ()
    if len(acknowledged) < ENOUGH:
        return Verdict.UNKNOWN, f"only {len(acknowledged)} writes were acknowledged, {ENOUGH} are needed", ()
    return Verdict.HOLDS, f"all {len(acknowledged)} acknowledged are there once", ()
