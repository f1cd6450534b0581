"""The ledger of the user's own class: writes and reads back from this machine, as a visitor of the site.

docs/decisions/057-a-ledger-of-ones-own.md says where it runs, and why.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Self

import requests

from lab.errors import BackendError, LabError, NotReady, SpecError
from lab.evidence import bounded
from lab.evidence.ledger import ACKNOWLEDGED, MORE_SECONDS, REFUSED, WRITE_PATIENCE, Operation, Outcome, judge
from lab.evidence.stalls import Meter
from lab.evidence.writers import description, place, source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.backends.base import Backend
    from lab.evidence.ledger import Judgement
    from lab.evidence.stalls import Stall
    from lab.evidence.visitor import Visitor
    from lab.evidence.writers import Writer
    from lab.services.entrances import Entrance

FASTEST = 100.0  # writes per second: each has a thread and a connection of its own
READ_SECONDS = 30.0
TRY_SECONDS = 20.0
END_SECONDS = 10.0  # beyond the time limit of the last write
READINGS = 4  # per node: balancers send several readings to the same one
REACH_SECONDS = 20.0  # for more readings, until every node has answered one


class OwnLedger:
    """A context manager that writes until it is left; afterwards `judge` reads everything back.

    It begins with one write that is read back, before any fault: a class that fails in that is refused.

    Attributes:
        operations: afterwards all writes, by the ledger's name.
        stalls: the stalls of this machine.
    """

    def __init__(self, backend: Backend, writer: Writer, entrance: Entrance, rate: float) -> None:
        self.name = type(writer).__name__
        self.run = f"ledger-{uuid.uuid4().hex[:8]}"
        self.operations: dict[str, list[Operation]] = {self.name: []}
        self._backend, self._writer, self._entrance = backend, writer, entrance
        self._rate = backend.clock.rate(min(rate, FASTEST))
        self._patience = backend.clock.guard(WRITE_PATIENCE)
        self._file = source(type(writer))
        self._done: list[Operation] = []
        self._writes: list[tuple[threading.Thread, int, float]] = []
        self._ended = threading.Event()
        self._meter = Meter(backend.clock)

    def __enter__(self) -> Self:
        self._try()
        self._meter.__enter__()
        self._thread = threading.Thread(target=self._write_all, name=f"ledger {self.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        deadline = time.monotonic() + self._patience + END_SECONDS
        for thread, _number, _due in self._writes:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._meter.__exit__()
        operations = {operation.id: operation for operation in self._done}
        for _thread, number, due in self._writes:
            unfinished = Operation(self._id(number), due, self._backend.clock.now(), Outcome.UNKNOWN, "did not end")
            operations.setdefault(unfinished.id, unfinished)
        self.operations = {self.name: sorted(operations.values(), key=lambda operation: operation.invoked)}

    @property
    def load_run(self) -> Self:
        """The object that measures stalls, as of a `Ledger`."""
        return self

    @property
    def stalls(self) -> list[Stall]:
        """The stalls of this machine."""
        return self._meter.stalls

    def count(self) -> int:
        """The number of writes that have ended so far."""
        return len(self._done)

    def more(self, count: int, seconds: float = MORE_SECONDS) -> None:
        """Waits until `count` more writes have ended."""
        before = self.count()
        self._backend.clock.until(f"{count} more writes", seconds, self.count, lambda now: now >= before + count)

    def judge(self) -> list[Judgement]:
        """Reads everything back, from every node of the site, and judges the acknowledged writes."""
        readings, unread = self._readings()
        operations = self.operations[self.name]
        unknown = [operation.answer for operation in operations if operation.outcome is Outcome.UNKNOWN]
        judgement = judge(self.name, operations, readings, unread, everywhere=True)
        if judgement.counts[Outcome.ACKNOWLEDGED] == 0 and unknown:
            unread = [f"no write was acknowledged; the first: {unknown[0]}"]
            judgement = judge(self.name, operations, {}, unread, everywhere=True)
        return [judgement]

    def _try(self) -> None:
        """Writes one record and reads it back.

        Raises:
            SpecError: either fails; names the line.
        """
        first = f"try-{self.run}"
        visitor = self._visitor()
        try:
            limit = self._patience + END_SECONDS
            outcome, reason = bounded.call(lambda: self._outcome(visitor, first), limit, self._file)
        except bounded.Endless as error:
            raise self._endless("write", limit, error) from None
        if outcome is not Outcome.ACKNOWLEDGED:
            hint = "correct it, or the application; nothing has been broken"
            raise SpecError(f"'{self.name}.write' was not acknowledged: {reason}", where=self._file, next_step=hint)
        ask = lambda: self._ids(self._visitor())  # noqa: E731  a question for `until`
        try:
            self._backend.clock.until("the first record", TRY_SECONDS, ask, lambda ids: first in ids)
        except NotReady as error:
            raise SpecError(
                f"'{self.name}.write' wrote '{first}', and '{self.name}.read' gives back {error.last}",
                where=self._file,
                next_step="'read' returns the ids of all records; nothing has been broken",
            ) from None

    def _write_all(self) -> None:
        """Open loop: each write has its own time, and a thread of its own."""
        clock, number = self._backend.clock, 0
        begun = clock.now()
        while True:
            due = begun + number / self._rate
            clock.wait(due - clock.now(), self._ended)
            if self._ended.is_set():
                return
            thread = threading.Thread(target=self._write, args=(number, due), daemon=True)
            self._writes.append((thread, number, due))
            thread.start()
            number += 1

    def _write(self, number: int, due: float) -> None:
        outcome, reason = self._outcome(self._visitor(), self._id(number))
        self._done.append(Operation(self._id(number), due, self._backend.clock.now(), outcome, reason))

    def _outcome(self, http: Visitor, id_: str) -> tuple[Outcome, str]:
        """The outcome of one write as the client knows it, and the reason."""
        try:
            with http:
                result = self._writer.write(http, id_)
        except requests.HTTPError as error:
            if error.response is not None:
                return _by_status(error.response)
            return Outcome.UNKNOWN, description(error)
        except requests.RequestException as error:
            return Outcome.UNKNOWN, description(error)
        except Exception as error:  # noqa: BLE001  the user's code may raise any error
            return Outcome.UNKNOWN, f"{place(error, self._file)}: {description(error)}"
        if isinstance(result, requests.Response):
            return _by_status(result)
        return (Outcome.FAILED, "refused") if result is False else (Outcome.ACKNOWLEDGED, "")

    def _readings(self) -> tuple[dict[str, list[str]], list[str]]:
        """The ids by the node that gave them, and the reasons of failed readings; every node of the site is asked."""
        readings: dict[str, list[str]] = {}
        missing = set(self._entrance.nodes)

        def read() -> bool:
            """One reading; whether there is no need of more."""
            http = self._visitor(READ_SECONDS)
            ids = self._ids(http)
            node = "+".join(sorted(http.served)) or "the site"
            readings[node if node not in readings else f"{node}, reading {len(readings) + 1}"] = ids
            missing.difference_update(http.served)
            return not missing or (not http.served and len(readings) > 1)

        try:
            if not any(read() for _ in range(READINGS * max(1, len(missing)))):
                # A node that has returned gets few visitors at first: balancers raise its share slowly.
                self._backend.clock.until("every node to answer a reading", REACH_SECONDS, read)
        except NotReady:
            return readings, [f"{', '.join(sorted(missing))} answered none of {len(readings)} readings"]
        except LabError as error:
            return readings, [error.what]
        return readings, []

    def _ids(self, http: Visitor) -> list[str]:
        """The ids of this run that `read` returns.

        Raises:
            BackendError: the application can't be read.
            SpecError: `read` has a mistake, or returns something other than texts.
        """
        method = f"'{self.name}.read'"
        try:
            with http:
                limit = self._backend.clock.guard(READ_SECONDS) + END_SECONDS
                ids = bounded.call(lambda: list(_texts(self._writer.read(http))), limit, self._file)
        except bounded.Endless as error:
            raise self._endless("read", limit, error) from None
        except requests.RequestException as error:
            raise BackendError(f"{method} failed: {description(error)}", where=place(error, self._file)) from None
        except _NoText as error:
            raise SpecError(
                f"{method} returned {error}", where=self._file, next_step="it returns the ids, as texts"
            ) from None
        except Exception as error:  # noqa: BLE001  the user's code may raise any error
            where = place(error, self._file)
            raise SpecError(f"{method} failed: {description(error)}", where=where, next_step="correct it") from None
        return [id_ for id_ in ids if self.run in id_]

    def _endless(self, method: str, limit: float, error: bounded.Endless) -> SpecError:
        what = f"'{self.name}.{method}' did not return within {limit:.0f} s"
        return SpecError(what, where=error.line or self._file, next_step="correct it: it has no end, or awaits one")

    def _id(self, number: int) -> str:
        return f"{self.run}-{number}"

    def _visitor(self, patience: float = WRITE_PATIENCE) -> Visitor:
        return self._entrance.visitor(self._backend.clock.guard(patience))


class _NoText(Exception):  # noqa: N818  names what was returned instead
    """`read` returned something other than a list of texts."""


def _texts(result: object) -> Iterable[str]:
    if isinstance(result, str | bytes | dict) or not hasattr(result, "__iter__"):
        raise _NoText(f"a {type(result).__name__}, no list of ids")
    for id_ in result:
        if not isinstance(id_, str):
            raise _NoText(f"the id {id_!r} of the type {type(id_).__name__}, which is no text")
        yield id_


def _by_status(response: requests.Response) -> tuple[Outcome, str]:
    status = response.status_code
    otherwise = Outcome.FAILED if status in REFUSED else Outcome.UNKNOWN
    return Outcome.ACKNOWLEDGED if status in ACKNOWLEDGED else otherwise, str(status)
