"""How a node of a Galera cluster starts: into a component that is there, by a copy, or as the first of a new one."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from . import component, wsrep
from .clone import Copy, position
from .component import Seat
from .database import Trouble
from .node import FAILED_STARTS, Base
from .rules import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

COPY_AGAIN_SECONDS = 5.0
UNSAFE = "mariadbd ended amid a change of a definition"


class Bootstrap(Base):
    """A node whose database does not run yet."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, component.seat)
        self._component = False
        self._running_since = 0.0
        self._beginning = 0  # the epoch of a component that this node was elected to begin
        self._former = 0  # the newest epoch that had begun when its database was started
        self._read: tuple[str, int] | None = None  # what is on the disk, while nothing runs
        self._open = False  # to writers, or not known to be closed
        self._closing_since = 0.0
        self._voted_for = ""  # for whom this node voted last
        self._copy: Copy | None = None
        self._copy_at, self._copies_begun = 0.0, 0

    def me(self) -> Seat:
        """This node as the rules see it."""
        promise = self.promise
        return Seat(
            self.settings.node, self.role, self.server.running, self._component, promise.epoch, promise.begun,
            promise.writer, self.position, promise.member, self.history, self.full,
        )  # fmt: skip

    def _start(self, views: list[Seat]) -> None:
        self._beginning = 0
        if self.server.ended():
            self._forget()
        if self.server.failures >= FAILED_STARTS:
            self._does_not_start()
        begun = [view for view in views if view.component]
        if begun and self._reclone:
            if self._fetch_copy(begun):
                self._run([])
            return
        if self._waits_for_space() or time.monotonic() < self._start_at or not self._read_disk():
            return
        if not begun:
            self._start_component(views)
            return
        self._reclone = self._reclone or self._differs(max(begun, key=lambda view: view.begun))
        if not self._reclone:  # else the next step copies
            self._run([])

    def _start_component(self, views: list[Seat]) -> None:
        """Begins a component where none is, unless another node has to."""
        if (because := component.short_of(self.me(), views, self.size)) or (because := self._awaited(views)):
            self._say(because)
        elif self._elected(views):
            wsrep.allow_beginning()
            self._run(["--wsrep-new-cluster"])

    def _forget(self) -> None:
        self._read = None
        self.role, self._open, self._handing, self._closing_since = Role.DOWN, False, False, 0.0
        self.database.forget()

    def _read_disk(self) -> bool:
        try:
            if self._read is None and self.promise.member:
                self.server.refuse_two()
                with self._elsewhere():  # InnoDB's recovery takes minutes where much was written
                    read = wsrep.recovered(self.settings.binaries["mariadbd"])
                self._read = read
                return False  # what the others said is old by now: the next step goes on
            self._read = self._read or ("", 0)
        except Trouble as error:
            self.server.failures = FAILED_STARTS
            self._start_at = time.monotonic() + self.settings.patience
            self._log(str(error))
            return False
        self.position = self._read[1]
        return True

    def _differs(self, newest: Seat) -> str:
        """Why what is here is no beginning of the component's history; nothing where it is."""
        if not self.promise.member:
            return "its disk is new"
        if component.diverged(self.promise.begun, self.position, newest.history):
            return f"what is here goes on where epoch {newest.begun} had begun"
        return UNSAFE if wsrep.unsafe() else ""

    def _fetch_copy(self, donors: list[Seat]) -> bool:
        """Whether a copy of another node's data is here; the node that takes the writes is the last to be asked.

        Fetched without the lock: others are answered meanwhile.
        """
        copy = self._copy
        if copy is None:
            if time.monotonic() >= self._copy_at:
                newest = [view for view in donors if view.begun == max(one.begun for one in donors)]
                able = sorted(newest, key=lambda view: (view.role is Role.PRIMARY, view.name))
                donor = able[self._copies_begun % len(able)]  # another one, if the first can't
                self._copies_begun += 1
                self._log(f"cloning {donor.name}: {self._reclone}")
                self._copy = Copy(self.peers, donor.name, donor.begun, idle=True, read=position)
            return False
        self._say(f"cloning {copy.donor}: {self._reclone}")
        if copy.fetching:
            return False
        self.server.refuse_two()  # before the copy is given up
        self._copy = None
        if copy.fresh is None or copy.epoch != max(view.begun for view in donors):
            self._say(f"cloning {copy.donor}: {copy.failed or 'another epoch has begun'}")
            self._copy_at = time.monotonic() + COPY_AGAIN_SECONDS
            return False
        self.promise.keep(member=False)
        self.server.replace(copy.fresh)
        wsrep.remember(*copy.origin)
        self._copied()
        self._read, self._start_at = copy.origin, 0.0
        self._copies_begun = 0
        return True

    def _run(self, more: list[str]) -> None:
        uuid, number = self._read or ("", 0)
        where = [f"--wsrep-start-position={uuid}:{number}"] if uuid else []
        self._voted_for = ""
        self._former = self.promise.begun
        self.server.run([*where, *more])
        self._read, self._start_at = None, time.monotonic() + self.settings.patience
        self._answered = self._running_since = time.monotonic()
        self._say("starting")

    def _elected(self, views: list[Seat]) -> bool:
        me = self.me()
        epoch = 1 + max(seat.promised for seat in (me, *views))
        promised = self.promise.epoch
        with self._elsewhere():
            answers = self.peers.ask_all(
                "/vote", lambda _: False, epoch=epoch, reach=list(me.reach), candidate=self.settings.node
            )
        if self.promise.epoch != promised:
            self._say(f"epoch {epoch}: not begun (another candidate got this node's own vote meanwhile)")
            return False
        granted = [one["name"] for one in answers if one["granted"]]
        voters = [seat for seat in views if seat.name in granted]
        if because := component.short_of(me, voters, self.size):
            refusals = "; ".join(f"{one['name']}: {one['because']}" for one in answers if not one["granted"])
            self._say(f"epoch {epoch}: {because} ({refusals or 'nobody refused'})")
            return False
        self.promise.keep(epoch=epoch)
        self._beginning = epoch
        self._log(f"epoch {epoch}: begun with {', '.join(granted) or 'nobody else'}, at {self.position}")
        return True

    @contextlib.contextmanager
    def _elsewhere(self) -> Iterator[None]:
        """Others may be answered meanwhile; what was true before may not be then."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _awaited(self, views: list[Seat]) -> str:
        """Why no other node may begin: the one for which this node voted runs. It is ended if that lasts."""
        runs = any(view.name == self._voted_for and view.running for view in views)
        return f"{self._voted_for}, for which it voted, begins" if runs else ""

    def _vote(self, epoch: int, reach: list[int], candidate: str) -> dict[str, Any]:
        if not self._lock.acquire(timeout=1):
            return {"granted": False, "name": self.settings.node, "because": "busy"}
        try:
            because = component.grants(epoch, (reach[0], reach[1]), self.me())
            if not because and candidate != self._voted_for:
                because = self._awaited(self.peers.states())
            if not because and not self.server.running and self._read is None:
                because = "it has not read its disk yet"
            if not because:
                self.promise.keep(epoch=epoch)
                self._voted_for = candidate
                self._start_at = time.monotonic() + self.settings.patience  # whom it voted for has its time
                self._log(f"epoch {epoch}: its vote is for {candidate}")
        finally:
            self._lock.release()
        return {"granted": not because, "name": self.settings.node, "because": because}
