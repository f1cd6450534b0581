"""The state of the page: a frozen snapshot with a sequence number, and the deltas that lead to it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEPT_DELTAS = 240
KEPT_EVENTS = 300
KEPT_POINTS = 120


@dataclass(frozen=True)
class Delta:
    """A change of the state.

    Attributes:
        seq: number of the snapshot that it leads to.
        at: Unix seconds.
        set: new values, by key.
        gone: keys that are no more.
        points: seconds of the charts, new or changed; `events`: new events.
    """

    seq: int
    at: float
    set: Mapping[str, Any] = field(default_factory=dict)
    gone: Sequence[str] = ()
    points: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Mapping[str, Any]] = ()

    def json(self, now: float) -> str:
        """One line for the stream; empty parts are left out. `now`: the nodes' Unix seconds, when it is sent."""
        parts = {"set": dict(self.set), "gone": self.gone, "points": self.points, "events": self.events}
        body = {"seq": self.seq, "at": round(self.at, 3), "sent": round(now, 3)} | {
            key: value for key, value in parts.items() if value
        }
        return json.dumps(body, separators=(",", ":"))


@dataclass(frozen=True)
class StateSnapshot:
    """All of the state at one moment; `values` by key, such as `node/web1`."""

    epoch: str
    seq: int
    at: float
    values: Mapping[str, Any]
    points: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()

    def nested(self) -> dict[str, Any]:
        """The documented form: the parts of each key are levels."""
        levels: dict[str, Any] = {"epoch": self.epoch, "seq": self.seq, "at": round(self.at, 3)}
        for key, value in self.values.items():
            level, _, name = key.partition("/")
            if name:
                levels.setdefault(level, {})[name] = value
            else:
                levels[level] = value
        return levels | {"points": list(self.points), "events": list(self.events)}

    def json(self, now: float) -> str:
        """One line for the stream; `now` as in `Delta.json`."""
        body = {"epoch": self.epoch, "seq": self.seq, "at": round(self.at, 3), "set": dict(self.values)}
        return json.dumps(
            body | {"sent": round(now, 3), "points": self.points, "events": self.events}, separators=(",", ":")
        )


class Store:
    """The current snapshot, and the last deltas; one writer, any number of readers.

    Attributes:
        epoch: identifier of this life of the store; sequence numbers of another one mean nothing here.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._moment = now
        self.epoch = uuid.uuid4().hex[:8]
        self._lock = threading.Lock()
        self._now = StateSnapshot(self.epoch, 0, now(), MappingProxyType({}))
        self._deltas: deque[Delta] = deque(maxlen=KEPT_DELTAS)
        self._listeners: dict[object, Callable[[], None]] = {}

    @property
    def snapshot(self) -> StateSnapshot:
        """The current one."""
        return self._now

    def publish(
        self,
        values: Mapping[str, Any],
        points: Sequence[Mapping[str, Any]] = (),
        events: Sequence[Mapping[str, Any]] = (),
        *,
        at: float | None = None,
    ) -> Delta:
        """Replaces all values, adds points and events, and tells the listeners. A beat if nothing changed."""
        old = self._now
        moment = self._moment() if at is None else at
        delta = Delta(
            old.seq + 1,
            moment,
            {key: value for key, value in values.items() if key not in old.values or old.values[key] != value},
            tuple(key for key in old.values if key not in values),
            tuple(points),
            tuple(events),
        )
        merged = {point["at"]: point for point in (*old.points, *points)}
        with self._lock:
            self._now = StateSnapshot(
                self.epoch,
                delta.seq,
                moment,
                MappingProxyType(dict(values)),
                tuple(merged[second] for second in sorted(merged)[-KEPT_POINTS:]) if points else old.points,
                (*old.events, *events)[-KEPT_EVENTS:],
            )
            self._deltas.append(delta)
            listeners = list(self._listeners.values())
        for tell in listeners:
            tell()
        return delta

    def since(self, last: str) -> tuple[StateSnapshot | None, list[Delta]]:
        """What a reader lacks that has seen `EPOCH-SEQ`: the deltas since then, or a whole snapshot."""
        epoch, _, number = last.partition("-")
        with self._lock:
            now, deltas = self._now, list(self._deltas)
        if epoch != self.epoch or not number.isdecimal() or int(number) > now.seq:
            return now, []
        missed = [delta for delta in deltas if delta.seq > int(number)]
        if len(missed) != now.seq - int(number):
            return now, []
        return None, missed

    def listen(self, tell: Callable[[], None]) -> object:
        """Calls `tell` after each delta, in the writer's thread, until `leave`."""
        key = object()
        with self._lock:
            self._listeners[key] = tell
        return key

    def leave(self, key: object) -> None:
        """Ends what `listen` began."""
        with self._lock:
            self._listeners.pop(key, None)

    @property
    def viewers(self) -> int:
        """The number of listeners."""
        return len(self._listeners)
