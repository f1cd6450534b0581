"""Log lines of all nodes as they are printed: events in plain words, and the requests that balancers log."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from lab.backends.followed import Followed
from lab.backends.optional import Logs
from lab.errors import LabError
from lab.page.moments import Moments
from lab.services import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lab.backends.base import Backend

AGAIN_SECONDS, END_SECONDS = 1.0, 2.0
OVERLAP = 8  # lines that are read again after a follower ended, and skipped if known
LONGEST_LINE = 400
MOST_HEARD = 400


class LogFollower:
    """Follows the logs of the running nodes, one thread each.

    Attributes:
        heard: events that were not fetched yet: time, node, words, raw line.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend, self._now = backend, Moments(backend.clock)
        self.heard: deque[tuple[float, str, str, str]] = deque(maxlen=MOST_HEARD)
        self._requests: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()
        self._followed: dict[str, _Follower] = {}
        self._known: dict[str, deque[str]] = {}
        self._last_shown: dict[str, float] = {}

    def want(self, nodes: Iterable[str]) -> None:
        """Follows exactly these nodes; the followers of others are ended."""
        if not isinstance(self._backend, Logs):
            return
        names = set(nodes)
        with self._lock:  # works of the page call this as well as its collector
            for node in self._followed.keys() - names:
                self._followed.pop(node).end()
            for node in names:
                follower = self._followed.get(node)
                if follower is None or not follower.thread.is_alive():
                    first = node not in self._known
                    known = self._known.setdefault(node, deque(maxlen=OVERLAP))
                    self._followed[node] = _Follower(self._backend, node, self._one, known, 0 if first else OVERLAP)

    def rest(self) -> None:
        """Follows none; what is printed until the next `want` is not heard."""
        self.want(())
        with self._lock:
            self._known.clear()

    def end(self) -> None:
        """Ends all followers, and waits a short time for their threads."""
        with self._lock:
            followers = list(self._followed.values())
        self.rest()
        for follower in followers:
            follower.thread.join(END_SECONDS)

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

    def _one(self, node: str, line: str) -> None:
        server = lines.request(line)
        if server:
            with self._lock:
                self._requests.setdefault(node, Counter())[server] += 1
        elif event := lines.words(node, line):
            now = self._now()
            if (
                now - self._last_shown.get(event, 0.0) > AGAIN_SECONDS
            ):  # daemons print some twice, as a warning and as a log line
                self._last_shown = {text: at for text, at in self._last_shown.items() if now - at < AGAIN_SECONDS} | {
                    event: now
                }
                self.heard.append((now, node, event, line[:LONGEST_LINE]))


class _Follower:
    """Follows the log of one node in a thread of its own, until `end`; begins again where the log ends."""

    def __init__(
        self, backend: Logs, node: str, hear: Callable[[str, str], None], known: deque[str], tail: int
    ) -> None:
        """Begins.

        Args:
            backend: of the node.
            node: its name.
            hear: takes the node and a line.
            known: the last lines that were heard; kept up to date.
            tail: how many of the last lines are read, of which those that are not known are heard.
        """
        self._backend, self._node, self._hear = backend, node, hear
        self._known, self._tail = known, tail
        self._ended = threading.Event()
        self._lines: Iterator[str] | None = None
        self.thread = threading.Thread(target=self._work, name=f"page log {node}", daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Ends it at once, or with its next line where the backend can't."""
        self._ended.set()
        if isinstance(self._lines, Followed):
            self._lines.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(LabError):  # it is gone, or about to start again
                self._read()
            self._lines, self._tail = None, OVERLAP
            self._ended.wait(AGAIN_SECONDS)

    def _read(self) -> None:
        old = set(self._known)
        self._lines = self._backend.logs(self._node, follow=True, tail=self._tail)
        if self._ended.is_set():  # by 'end', which may have found no log to close
            return
        for line in self._lines:
            if self._ended.is_set():
                return
            if line not in old:
                self._known.append(line)
                self._hear(self._node, line)
