"""The loop: whose turn it is, and what curl waits for."""

from __future__ import annotations

import contextlib
import json
import select
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

import pycurl

from .rows import Answer, row, stall
from .turns import Turns
from .web import MailStream, Stream

if TYPE_CHECKING:
    from .database import DatabaseStream

EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
CLOSED = (pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR)
CONNECTIONS = 4000
FLUSH_SECONDS = 0.25  # a write costs as much as a question; a reader looks seldom


def stream(index: int, entry: dict[str, Any], timeout: float, ca: str) -> Stream | DatabaseStream:
    """A stream of the plan, by the kind of its URL."""
    kind = entry["url"].partition(":")[0]
    if kind == "mysql":
        from .database import DatabaseStream  # only who asks a database pays for its library

        return DatabaseStream(index, entry, timeout, ca)
    return (MailStream if kind == "smtp" else Stream)(index, entry, timeout, ca)


class Asker:
    """Asks all streams of a plan.

    Args:
        plan: see __main__.
        out: receives the answers; `stalls`: receives the stalls of this node.
    """

    def __init__(self, plan: dict[str, Any], out: TextIO, stalls: TextIO) -> None:
        self._stalls, self._interval, self._shortest = stalls, plan["meter"], plan["shortest"]
        self._streams = [stream(i, entry, plan["timeout"], plan["ca"]) for i, entry in enumerate(plan["streams"])]
        self._databases = [one for one in self._streams if not isinstance(one, Stream)]
        self._out, self._ended, self._open = out, False, 0
        self._seconds, self._timeout = plan["seconds"], plan["timeout"]
        self._begun = self._flushed = 0.0
        self._epoll, self._watched = select.epoll(), set[int]()
        self._timer: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def end(self, *_: object) -> None:
        """Asks no more."""
        self._ended = True

    def run(self) -> None:
        """Asks until the time is over or it is ended, and then until all is answered or too late."""
        self._begun = begun = time.monotonic()
        threading.Thread(target=self._meter, daemon=True).start()
        self._out.write(json.dumps({"monotonic": begun, "unix": time.time()}) + "\n")
        turns = Turns([one.entry["rate"] for one in self._streams], begun)
        last = None
        while self._open or not self._ended:
            now = time.monotonic()
            if now >= begun + self._seconds:
                self._ended = True
            last = now + self._timeout if self._ended and last is None else last
            if last is not None and now > last:
                return  # what is open is more than could be asked: it has no row
            if not self._ended:
                self._ask(turns, now)
            self._wait(None if self._ended else turns.next)
            self._collect()
            if now > self._flushed + FLUSH_SECONDS:
                self._out.flush()
                self._flushed = now

    def _ask(self, turns: Turns, now: float) -> None:
        for index, due in turns.due(now):
            source = self._streams[index]
            if isinstance(source, Stream):
                self._multi.add_handle(source.question(due))
            else:
                source.ask(due)
            self._open += 1
            if self._ended:
                return

    def _meter(self) -> None:
        """Records the stalls of this node: how late a sleeping thread was woken."""
        while True:
            due = time.monotonic() + self._interval
            time.sleep(self._interval)
            over = time.monotonic() - due
            if over >= self._shortest:
                self._stalls.write(stall(due, over, self._begun))

    def _wait(self, until: float | None) -> None:
        """Until curl has something to do, or the next question is due."""
        times = [moment for moment in (until, self._timer, time.monotonic() + FLUSH_SECONDS) if moment is not None]
        # epoll counts in milliseconds, and would ask up to one too late; select in microseconds.
        ready, _, _ = select.select([self._epoll], [], [], max(0, min(times) - time.monotonic()))
        for fd, event in self._epoll.poll(0) if ready else ():
            done = pycurl.CSELECT_IN if event & (select.EPOLLIN | select.EPOLLHUP) else 0
            done |= pycurl.CSELECT_OUT if event & select.EPOLLOUT else 0
            self._multi.socket_action(fd, done | (pycurl.CSELECT_ERR if event & select.EPOLLERR else 0))
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self) -> None:
        more = 1
        while more:
            more, good, bad = self._multi.info_read(100)
            for curl in good:
                self._write(curl, curl.getinfo(pycurl.RESPONSE_CODE), "")
            for curl, code, message in bad:
                if code in CLOSED and curl.stream.again(curl):
                    self._multi.remove_handle(curl)
                    self._multi.add_handle(curl)
                else:
                    self._write(curl, 0, message or "no answer")
        for source in self._databases:
            while source.ended:
                self._row(source.ended.popleft())

    def _write(self, curl: Any, status: int, error: str) -> None:  # noqa: ANN401  pycurl has no types
        took, source = time.monotonic() - curl.due, curl.stream
        self._row(Answer(source.index, curl.number, curl.due, took, status, source.value(curl), error))
        self._multi.remove_handle(curl)
        source.done(curl)

    def _row(self, answer: Answer) -> None:
        self._out.write(row(answer, self._begun))
        self._open -= 1

    def _socket(self, event: int, fd: int, *_: object) -> None:
        if event == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            with contextlib.suppress(OSError):  # curl may have closed it already
                self._epoll.unregister(fd)
        elif fd in self._watched:
            self._epoll.modify(fd, EVENTS.get(event, 0))
        else:
            self._watched.add(fd)
            self._epoll.register(fd, EVENTS.get(event, 0))

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
