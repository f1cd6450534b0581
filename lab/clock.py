"""The clock of a cluster's nodes: the only place that knows what time it is for them, and how slow they are.

Callers give limits and rates of an ordinary processor. A backend's clock converts both to those of its nodes. Promises
are never stretched.

Nodes may have a time of their own, which stops while their host gets no processor. What is measured and awaited is
counted in it, and a delay of this machine is none of theirs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lab.errors import BackendError, NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
POLL_SECONDS = 0.1
SLICE_SECONDS = 1.0
FEWEST = 10  # minimum number of requests
GUARD = 40.0
"""Seconds of this machine for one of nodes with their own time: measured were 2 at rest and 17 with five busy ones."""
TLS_COST = 2.5  # two emulated processors serve about five pages a second over TLS: load asks for less than half of it


def wait(seconds: float, ended: threading.Event | None = None) -> None:
    """Waits for `seconds`, or until `ended`, as short waits one after the other.

    A signal that arrives while the interpreter begins a wait is handled at the end of that wait: in a single one,
    Ctrl-C would have no effect for `seconds`.
    """
    event = ended or threading.Event()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not event.wait(min(left, SLICE_SECONDS)):
        pass


class Moment(NamedTuple):
    """A moment of nodes that have their own time: its date (Unix seconds), and seconds free of its changes."""

    unix: float
    steady: float


@dataclass(frozen=True)
class Clock:
    """The nodes' time, and their speed relative to this machine's processor.

    Attributes:
        slowdown: how many times as long as on a processor of this machine a node needs for the same work, by its own
            time; 1, or more where its processor is emulated in this machine's time.
        defaults: by role, the values of a topology's options that nodes so slow need; they apply where the topology
            writes none (`lab.topology.defaults`).
        reading: reads the time of nodes that have their own; None where it is this machine's.
    """

    slowdown: float = 1.0
    defaults: Mapping[str, Mapping[str, float]] = field(default_factory=dict, compare=False)
    reading: Callable[[], Moment] | None = field(default=None, compare=False)

    @property
    def emulated(self) -> bool:
        """Whether the nodes' processors are emulated in this machine's time."""
        return self.slowdown > 1

    @property
    def own(self) -> bool:
        """Whether the nodes have a time of their own, in which a delay of this machine takes none."""
        return self.reading is not None

    def now(self) -> float:
        """Unix seconds of the nodes.

        Raises:
            BackendError: their host does not tell its time.
        """
        return time.time() if self.reading is None else self.reading().unix

    def steady(self) -> float:
        """Seconds for durations of the nodes' time: a change of a date does not change them.

        Raises:
            BackendError: their host does not tell its time.
        """
        return time.monotonic() if self.reading is None else self.reading().steady

    def limit(self, seconds: float) -> float:
        """Seconds of the nodes' time that a node may take for what an ordinary processor does in `seconds`."""
        return seconds * self.slowdown

    def option(self, seconds: float) -> str:
        """The same as a word of a command line that runs in a node, such as that of `--max-time`."""
        return f"{self.limit(seconds):g}"

    def guard(self, seconds: float) -> float:
        """Seconds of this machine after which a process or a connection here is taken for hung.

        It is no bound of anything: nodes with a time of their own may need several times as long as by their clock.
        """
        return self.limit(seconds) * (GUARD if self.own else 1.0)

    def wait(self, seconds: float, ended: threading.Event | None = None) -> None:
        """Waits for so many seconds of the nodes' time, or until `ended`."""
        event, deadline = ended or threading.Event(), self.steady() + seconds
        while (left := deadline - self.steady()) > 0 and not event.is_set():
            wait(min(left, SLICE_SECONDS), event)

    def rate(self, per_second: float) -> float:
        """The request rate for these nodes, where an ordinary processor would get `per_second`."""
        return per_second / self.slowdown

    def requests(self, count: int) -> int:
        """How many requests at a `page_rate` take as long, by the nodes' time, as `count` on an ordinary processor."""
        return max(min(count, FEWEST), round(count / TLS_COST)) if self.emulated else count

    def page_rate(self, per_second: float) -> float:
        """The same for whole pages over TLS, which cost an emulated processor more than other work."""
        return self.rate(per_second) / (TLS_COST if self.emulated else 1.0)

    def until(self, what: str, seconds: float, ask: Callable[[], T], good: Callable[[T], bool] = bool) -> T:
        """Polls until the answer is good, and returns it.

        Args:
            what: the awaited condition, for the message.
            seconds: the limit on an ordinary processor.
            ask: called about ten times per second; an engine's error counts as a bad answer.
            good: whether an answer is good; default: whether it is true.

        Raises:
            NotReady: no good answer within the limit; carries the condition and the last answer.
        """
        limit = self.limit(seconds)
        deadline = self.steady() + limit
        while True:
            try:
                answer: T | BackendError = ask()
            except BackendError as error:
                answer = error
            if not isinstance(answer, BackendError) and good(answer):
                return answer
            if self.steady() >= deadline:
                raise NotReady(
                    f"after {limit:g} s still waiting for: {what}; last seen: {answer!r}",
                    awaited=what,
                    last=repr(answer),
                )
            time.sleep(POLL_SECONDS)

    def through(self, seconds: float, ask: Callable[[], T], good: Callable[[T], bool] = bool) -> T:
        """Polls for `seconds`, or until an answer is not good, and returns the last answer.

        Args:
            seconds: on an ordinary processor; 0: it is asked once.
            ask: called about ten times per second.
            good: as for `until`.
        """
        deadline = self.steady() + self.limit(seconds)
        while good(answer := ask()) and self.steady() < deadline:
            time.sleep(POLL_SECONDS)
        return answer


REAL = Clock()
"""The clock of this machine, and of nodes that run on its own processor."""

GENTLE: Mapping[str, Mapping[str, float]] = {
    # A keeper may take seconds to ask another node for its state; the checks of mysql nodes wait for that as well.
    "mysql": {
        "mysql.patience": 15,
        "tcp-lb.check.inter": 2,
        "tcp-lb.check.fastinter": 1,
        "tcp-lb.check.timeout": 8,
    },
    "http-lb": {
        "http-lb.check.inter": 1,
        "http-lb.check.fastinter": 0.5,
        "http-lb.check.timeout": 5,
        "http-lb.answer-timeout": 10,
    },
    "tcp-lb": {
        "tcp-lb.check.inter": 1,
        "tcp-lb.check.fastinter": 0.5,
        "tcp-lb.check.timeout": 5,
        "tcp-lb.advert-int": 0.5,
    },
    "storage": {"storage.ping-timeout": 30},
}
"""For emulated processors. Earlier roles win: in a cluster with `mysql`, its values of `tcp-lb.check` apply."""

EMULATED = Clock(slowdown=10.0, defaults=GENTLE)
"""An emulated processor needs 10 to 30 times as long; 10 is enough, since most waits are not for computing."""
