"""Answers as they come: probes of every address, and visitors, from the client by the lab's load generator."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.evidence.load_run import ANSWER_SECONDS, LoadRun
from lab.evidence.probes import PATIENCE
from lab.evidence.stalls import INTERVAL
from lab.page.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lab.backends.base import Backend
    from lab.evidence.load_run import Row, Stream
    from lab.evidence.stalls import Stall

WINDOW_SECONDS = 130.0
ROLL_SECONDS = 1200.0
"""A generator is replaced after this time, so that its file in the client stays small."""

AGAIN_SECONDS = 1.0
LEFT_SECONDS = 120.0
"""A generator ends by itself so long after it should have been replaced, also if the page was killed."""


@dataclass(frozen=True)
class Pace:
    """How closely the cluster is observed.

    Attributes:
        rate: probes per second of each address.
        read: seconds between two readings of the answers.
        meter: seconds that the stall meters sleep.
        roles: those whose addresses are probed at this rate, the others as at rest; None: all.
    """

    rate: float
    read: float
    meter: float
    roles: frozenset[str] | None = None

    def includes(self, roles: frozenset[str] | None) -> bool:
        """Whether the addresses of these roles are probed at its rate; None: those of all."""
        return self.roles is None or (roles is not None and roles <= self.roles)

    def of(self, roles: frozenset[str]) -> float:
        """The lowest rate of the addresses of some roles."""
        return self.rate if self.includes(roles) else min(self.rate, REST.rate)


REST = Pace(2.0, 0.8, 0.1)
CLOSE = Pace(20.0, 0.25, INTERVAL)
"""At rest; and while something is broken, so that times are measured to one twentieth of a second."""


class Paces:
    """The pace now, and the former ones with their ends: a time is as exact as the slowest of its interval."""

    def __init__(self) -> None:
        self.now: Pace | None = None
        self._former: deque[tuple[float, Pace]] = deque(maxlen=200)

    def change(self, pace: Pace | None, at: float) -> None:
        """Notes another pace, or that there is none; `at`: Unix seconds."""
        if self.now is not None:
            self._former.append((at, self.now))
        self.now = pace

    def slowest(self, since: float, roles: frozenset[str]) -> float:
        """The lowest rate of the addresses of some roles since then; where nothing was probed, that at rest."""
        former = [pace.of(roles) for ended, pace in list(self._former) if ended >= since]
        return min([*former, *([self.now.of(roles)] if self.now else [])], default=REST.rate)


class Answers:
    """The last answers by stream; `window`: for how many seconds, by `now`."""

    def __init__(self, now: Callable[[], float], window: float) -> None:
        self._now, self._window = now, window
        self._lock = threading.Lock()
        self._rows: dict[str, deque[Row]] = {}
        self.latest: dict[str, Row] = {}
        self.heard: float | None = None
        self._changed: set[tuple[str, int]] = set()

    def add(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Adds answers, and drops those that are too old."""
        now = self._now()
        with self._lock:
            for name, row in rows:
                self._rows.setdefault(name, deque()).append(row)
                self.heard = max(self.heard or 0.0, row.due + row.seconds)
                known = self.latest.get(name)
                if known is None or row.due >= known.due:  # a late failure says less than a newer answer
                    self.latest[name] = row
                self._changed.add((name, int(row.due)))
            for queue in self._rows.values():
                while queue and queue[0].due < now - self._window:
                    queue.popleft()

    def rows(self, since: float = 0.0) -> dict[str, list[Row]]:
        """The answers to requests that were due since then, by stream, in order of time."""
        with self._lock:
            copied = {name: list(queue) for name, queue in self._rows.items()}
        return {
            name: sorted((row for row in queue if row.due >= since), key=lambda row: row.due)
            for name, queue in copied.items()
        }

    def changed(self) -> set[int]:
        """The seconds (Unix) that have new answers since the last call."""
        with self._lock:
            seconds = {second for _, second in self._changed}
            self._changed.clear()
        return seconds

    def forget(self, names: Iterable[str]) -> None:
        """Drops the streams of other names."""
        keep = set(names)
        with self._lock:
            for name in list(self._rows):
                if name not in keep:
                    del self._rows[name]
                    self.latest.pop(name, None)


class Feed:
    """A thread that keeps one generator in the client running, and reads its answers.

    Attributes:
        answers: what it read.
        lost: why there are no answers now; empty while there are.
        target_pace: the wanted pace; None stops the generator.
        paces: of the running generator, and of those before it.
    """

    def __init__(self, backend: Backend, name: str, patience: float = PATIENCE) -> None:
        self._now = Moments(backend.clock)
        self.answers, self.lost = Answers(self._now, backend.clock.limit(WINDOW_SECONDS)), ""
        self.target_pace: Pace | None = None
        self._backend, self._patience = backend, patience
        self._streams: tuple[Stream, ...] = ()
        self._run: LoadRun | None = None
        self._running: tuple[Pace, tuple[Stream, ...]] | None = None
        self.paces = Paces()
        self._begun = 0.0
        self._stalls: deque[Stall] = deque(maxlen=2000)
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"page {name}", daemon=True)
        self._thread.start()

    def want(self, streams: Sequence[Stream], pace: Pace | None) -> None:
        """Sets the streams, with their own rates, and the pace; takes effect at once."""
        ordered = tuple(streams)
        if (ordered, pace) != (self._streams, self.target_pace):
            self._streams, self.target_pace = ordered, pace
            self._wake.set()

    def stalls(self, since: float) -> list[Stall]:
        """The stalls of this machine since then."""
        local = self._run.stalled_here() if self._run else []
        return [stall for stall in (*self._stalls, *local) if stall.ended >= since]

    def end(self) -> None:
        """Ends the thread and its generator."""
        self._ended.set()
        self._wake.set()
        self._thread.join(10)

    def _work(self) -> None:
        while not self._ended.is_set():
            seconds = AGAIN_SECONDS
            try:
                seconds = self._turn()
                self.lost = ""
            except (LabError, OSError, ValueError) as error:
                self.lost = error.what if isinstance(error, LabError) else str(error)
                self._stop()
            self._wake.wait(self._backend.clock.limit(seconds) if seconds else None)
            self._wake.clear()
        self._stop()

    def _turn(self) -> float:
        """Starts, replaces or stops the generator as wanted, and reads; returns the seconds until the next turn."""
        pace, streams = self.target_pace, self._streams
        if pace is None or not streams:
            self._stop()
            return 0.0
        old = self._run
        if self._running != (pace, streams) or time.monotonic() > self._begun + ROLL_SECONDS:
            run = LoadRun(
                self._backend, streams, seconds=ROLL_SECONDS + LEFT_SECONDS, patience=self._patience, meter=pace.meter
            )
            run.__enter__()
            if old is not None:
                self.answers.add(old.fresh())
            self._stop()
            self._run, self._running, self._begun = run, (pace, streams), time.monotonic()
            self.paces.change(pace, self._now())
            self.answers.forget(stream.name for stream in streams)
        if self._run is not None:
            self.answers.add(self._run.fresh())
        return pace.read

    def _stop(self) -> None:
        run, self._run, self._running = self._run, None, None
        self.paces.change(None, self._now())
        if run is not None:
            self._stalls.extend(run.stalled_here())
            try:
                run.drop()
            except (LabError, OSError):
                return  # the client is gone, and the generator with it


def at_pace(
    streams: Sequence[Stream], pace: Pace, rate: Callable[[float], float], shows: Callable[[str], frozenset[str]]
) -> list[Stream]:
    """The streams at the rate of a pace.

    `rate` converts to the nodes' clock; `shows`: the roles whose faults the stream of a name shows.
    """
    return [replace(stream, rate=rate(pace.of(shows(stream.name)))) for stream in streams]


def latest_by_node(answers: Answers, names: Mapping[str, str]) -> dict[str, Row]:
    """The last answer of each node that has a probe of its name."""
    return {name: row for name, row in list(answers.latest.items()) if name in names}


__all__ = ["ANSWER_SECONDS", "CLOSE", "REST", "Answers", "Feed", "Pace", "at_pace", "latest_by_node"]
