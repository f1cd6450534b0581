"""Log lines of all nodes as they are printed: events in plain words, and the requests that balancers log."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from lab.backends.optional import Logs
from lab.errors import LabError
from lab.services import lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.backends.base import Backend

AGAIN_SECONDS = 1.0
OVERLAP = 8  # lines that are read again after a follower ended, and skipped if known
LONGEST_LINE = 400
MOST_HEARD = 400


class LogFollower:
    """Follows the logs of the running nodes, one thread each.

    Attributes:
        heard: events that were not fetched yet: time, node, words, raw line.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.heard: deque[tuple[float, str, str, str]] = deque(maxlen=MOST_HEARD)
        self._requests: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()
        self._nodes: frozenset[str] = frozenset()
        self._followed: dict[str, threading.Thread] = {}
        self._last_shown: dict[str, float] = {}

    def want(self, nodes: Iterable[str]) -> None:
        """Follows exactly these nodes; followers of others end with the next line, or with their node."""
        self._nodes = frozenset(nodes) if isinstance(self._backend, Logs) else frozenset()
        for node in self._nodes:
            thread = self._followed.get(node)
            if thread is None or not thread.is_alive():
                first = thread is None
                thread = threading.Thread(target=self._follow, args=(node, first), name=f"page log {node}", daemon=True)
                self._followed[node] = thread
                thread.start()

    def requests(self) -> dict[str, Counter[str]]:
        """The requests that were logged since the last call: by balancer, by server."""
        with self._lock:
            counts, self._requests = self._requests, {}
        return counts

    def fetch(self) -> list[tuple[float, str, str, str]]:
        """The events since the last call."""
        events = []
        while self.heard:
            events.append(self.heard.popleft())
        return events

    def _follow(self, node: str, first: bool) -> None:  # noqa: FBT001  of a thread
        known: deque[str] = deque(maxlen=OVERLAP)
        while node in self._nodes:
            with contextlib.suppress(LabError):  # it is gone, or about to start again
                self._read(node, 0 if first else OVERLAP, known)
            first = False
            if node not in self._nodes:
                return
            time.sleep(AGAIN_SECONDS)

    def _read(self, node: str, tail: int, known: deque[str]) -> None:
        assert isinstance(self._backend, Logs)  # noqa: S101  `want` follows no others
        old = set(known)
        for line in self._backend.logs(node, follow=True, tail=tail):
            if line in old:
                continue
            known.append(line)
            self._one(node, line)
            if node not in self._nodes:
                return

    def _one(self, node: str, line: str) -> None:
        server = lines.request(line)
        if server:
            with self._lock:
                self._requests.setdefault(node, Counter())[server] += 1
        elif event := lines.words(node, line):
            now = time.time()
            if (
                now - self._last_shown.get(event, 0.0) > AGAIN_SECONDS
            ):  # daemons print some twice, as a warning and as a log line
                self._last_shown = {text: at for text, at in self._last_shown.items() if now - at < AGAIN_SECONDS} | {
                    event: now
                }
                self.heard.append((now, node, event, line[:LONGEST_LINE]))
