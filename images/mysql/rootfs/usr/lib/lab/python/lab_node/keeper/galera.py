"""One node of a Galera cluster: runs mariadbd, and begins the primary component when none is left.

One node at a time is writable. There is no external controller.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import component, wsrep
from .clone import Copy, donated, position
from .component import Seat
from .database import Trouble
from .node import FULL, Base
from .rules import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

JOINING_SECONDS = 600.0  # for a copy of everything from another node
SHARED_SECONDS = 10.0  # for the next writer to begin
BEGINNING_SECONDS = 120.0  # for the database of the node that begins a component
COPY_AGAIN_SECONDS = 5.0
FAILED_STARTS = 3
CLOSE_PATIENCES = 2  # for a former writer to be closed: a statement that runs on keeps it open
BEGIN_PATIENCES = 2  # for a transaction that begins an epoch
PATIENCES_TO_JOIN = 6  # Galera's own views take up to four to be settled


class Galera(Base):
    """What a node does next."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, component.seat)
        self._component = False
        self._running_since = 0.0
        self._primary_seen = time.monotonic()
        self._left_out_at: float | None = None  # since when the others have a component, and this node is in none
        self._beginning = 0  # the epoch of a component that this node was elected to begin
        self._read: tuple[str, int] | None = None  # what is on the disk, while nothing runs
        self._open = False  # to writers, or not known to be closed
        self._closing_since = 0.0
        self._voted_for = ""  # for whom this node voted last
        self._copy: Copy | None = None
        self._copy_at, self._copies_begun = 0.0, 0
        self._behind_since: float | None = None  # in the component, and without all that it was sent

    def me(self) -> Seat:
        """This node as the rules see it."""
        promise = self.promise
        return Seat(
            self.settings.node, self.role, self.server.running, self._component, promise.epoch, promise.begun,
            promise.writer, self.position, promise.member, self.history, self.full,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """The same for the other nodes and for people."""
        me = self.me()
        following = me.writer if self.role is Role.REPLICA else ""
        return vars(me) | {
            "role": me.role.value, "epoch": me.begun if self._component else 0, "serves": self.serves,
            "following": following, "lag": self.lagging, "semi_sync": False, "copies": self.copies,
            "because": self.because or (FULL if me.full else ""),
        }  # fmt: skip

    @property
    def serves(self) -> bool:
        """Whether this is the node to write to, in touch with a majority, and its database answers."""
        return super().serves and self._component

    @property
    def fresh(self) -> bool:
        """Whether this is another node of the component, and has all that it was sent."""
        return self.role is Role.REPLICA and self._component

    readable = fresh

    @property
    def lagging(self) -> float | None:
        """Seconds behind the writer; None where that is not known."""
        return 0.0 if self.fresh else None

    def questions(self, path: str, values: dict[str, Any]) -> dict[str, Any] | Iterator[bytes] | None:
        """What other nodes ask."""
        if path == "/vote":
            return self._vote(**values)
        return donated("--galera-info") if path == "/clone" and self._component else None

    def _step(self, views: list[Seat], now: float) -> None:
        if any(view.component for view in views):
            self._primary_seen = now
        if self._reclone and self.server.running and any(view.component for view in views):
            self._fall(f"to be made anew: {self._reclone}")
        if not self.server.running:
            self._component = False
            self._start(views)
            return
        try:
            figures = wsrep.figures(self.database, self.settings.patience)
        except Trouble as error:
            self._silent(error, now)
            return
        self._answered = time.monotonic()
        self.position = figures.position
        if self.full and component.replaceable(views, self.size):
            self._fall(FULL)  # its statements would fail
        elif figures.primary and figures.synced:
            self._primary_seen, self._left_out_at, self._behind_since = now, None, None
            self._share(figures, views, now)
        else:
            self._out(figures, views, now)

    # -- none runs here --

    def _start(self, views: list[Seat]) -> None:
        self._beginning = 0
        if self.server.ended():
            self._forget()
        begun = [view for view in views if view.component]
        if begun and self._reclone:
            if self._fetch_copy(begun):
                self._run([])
            return
        if self.server.failures >= FAILED_STARTS:
            self._say("mariadbd does not start; 'lab mysql reclone' makes this node anew from the others")
        if self._waits_for_space() or time.monotonic() < self._start_at or not self._read_disk():
            return
        if not begun:
            self._start_component(views)
            return
        self._reclone = self._differs(max(begun, key=lambda view: view.begun))
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
            if self._read is None:
                mariadbd = self.settings.binaries["mariadbd"]
                self._read = wsrep.recovered(mariadbd) if self.promise.member else ("", 0)
        except Trouble as error:
            self.server.failures = FAILED_STARTS
            self._start_at = time.monotonic() + self.settings.patience
            self._say(f"{error}; 'lab mysql reclone' makes this node anew from the others")
            return False
        self.position = self._read[1]
        return True

    def _differs(self, newest: Seat) -> str:
        """Why what is here is no beginning of the component's history; nothing where it is."""
        if not self.promise.member:
            return "its disk is new"
        if component.diverged(self.promise.begun, self.position, newest.history):
            return f"what is here goes on where epoch {newest.begun} had begun"
        return ""

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
        self._copy = None
        if copy.fresh is None or copy.epoch != max(view.begun for view in donors):
            self._say(f"cloning {copy.donor}: {copy.failed or 'another epoch has begun'}")
            self._copy_at = time.monotonic() + COPY_AGAIN_SECONDS
            return False
        self.promise.keep(member=False)
        self.server.replace(copy.fresh)
        wsrep.remember(*copy.origin)
        self._read, self._reclone, self.server.failures, self._start_at = copy.origin, "", 0, 0.0
        self.copies += 1
        self._copies_begun = 0
        return True

    def _run(self, more: list[str]) -> None:
        uuid, number = self._read or ("", 0)
        where = [f"--wsrep-start-position={uuid}:{number}"] if uuid else []
        self._voted_for = ""
        self.server.run([*where, *more])
        self._read, self._start_at = None, time.monotonic() + self.settings.patience
        self._answered = self._running_since = time.monotonic()
        self._say("starting")

    def _elected(self, views: list[Seat]) -> bool:
        me = self.me()
        epoch = 1 + max(seat.promised for seat in (me, *views))
        answers = self.peers.ask_all(
            "/vote", lambda _: False, epoch=epoch, reach=list(me.reach), candidate=self.settings.node
        )
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

    # -- in a component --

    def _share(self, figures: wsrep.Figures, views: list[Seat], now: float) -> None:
        self._component = True
        if self._beginning:
            self._begin(self._beginning, self.settings.node, self.position)
            self._beginning = 0
        rows = wsrep.epochs(self.database)
        self.history = tuple((epoch, after) for epoch, _, after in rows)
        if rows:
            epoch, writer, _ = max(rows)
            self.promise.keep(epoch=epoch, begun=(epoch, writer), member=True)
        me = self.me()
        if component.confirmed(me, views, self.size):
            if self.role is not Role.PRIMARY and not self._handing:
                self._open = True
                self.database.open()
                self.role, self._contact = Role.PRIMARY, now
            self._say("")
            return
        self._close()
        if component.takes_over(me, {name for name, at in self.settings.nodes.items() if at in figures.members}):
            self._begin(1 + max(seat.promised for seat in (me, *views)), me.name, self.position)
        self._say("" if me.writer != me.name else "too few other nodes know that it takes the writes")

    def _begin(self, epoch: int, node: str, after: int) -> None:
        wsrep.begin(self.database, epoch, node, after, BEGIN_PATIENCES * self.settings.patience)

    def _close(self) -> None:
        """Serves no more at once; closed only when the database says so, and tried again until then."""
        self.role = Role.REPLICA
        if not self._open:
            return
        self._closing_since = self._closing_since or time.monotonic()
        try:
            self.database.ask("SET GLOBAL read_only = ON", seconds=self.settings.patience)
            self.database.disconnect()
        except Trouble as error:
            if time.monotonic() - self._closing_since > CLOSE_PATIENCES * self.settings.patience:
                self._fall(f"it can't be closed to writers ({error})")
            raise
        self._open, self._closing_since = False, 0.0

    def _silent(self, error: Trouble, now: float) -> None:
        """Mariadbd runs and does not answer: it hangs, or waits for those whom it is to join."""
        self._component = False
        joining = self.role is Role.DOWN
        self._say("joining" if joining else f"mariadbd does not answer ({error})")
        lonely = now > max(self._primary_seen, self._running_since) + 2 * self.settings.patience
        if joining and lonely and not self._beginning:
            self._fall("those whom it was to join are in no primary component")
        elif now > self._answered + self._silence(joining=joining):
            self._fall(f"mariadbd does not answer ({error})")

    def _silence(self, *, joining: bool) -> float:
        if joining:
            return BEGINNING_SECONDS if self._beginning else JOINING_SECONDS
        return self.settings.patience

    def _out(self, figures: wsrep.Figures, views: list[Seat], now: float) -> None:
        """In no primary component: it comes back by itself, unless those are gone with whom it could."""
        self._component = False
        if self._open:
            self._close()
        self.role = Role.DOWN
        self._behind_since = (self._behind_since or now) if figures.primary else None
        if figures.primary or not any(view.component for view in views):
            self._left_out_at = None
        elif self._left_out_at is None:
            self._left_out_at = now
        waiting = self._in_contact() and any(not view.running for view in views)
        if not figures.members and now > self._running_since + self.settings.patience:
            self._fall("Galera has left the group and does not try again: mariadbd is started anew")
        elif waiting and now > max(self._primary_seen, self._running_since) + self.settings.patience:
            self._fall("no primary component, and those who could make one with it don't run")
        elif self._left_out_at and now > self._left_out_at + PATIENCES_TO_JOIN * self.settings.patience:
            # Seen once, after all had been killed: two nodes in a view without a majority, one of them long elsewhere.
            self._fall("the others have a primary component that does not take it in: mariadbd is started anew")
        elif self._behind_since and now > self._behind_since + JOINING_SECONDS:
            self._fall(f"in the component for {JOINING_SECONDS:.0f} s, and still {figures.state.lower()}")
        elif figures.primary:
            self._say(f"in the component, and {figures.state.lower()}")
        else:
            self._say(f"in no primary component, with {len(figures.members)} of {self.size} nodes")

    # -- what it is asked --

    def switchover(self, to: str = "") -> dict[str, Any]:
        """A planned change of the node that takes the writes."""
        with self._lock:
            if self.role is not Role.PRIMARY:
                return {"done": False, "because": f"{self.settings.node} is not the primary"}
            able = [view.name for view in self.peers.states() if view.component and to in ("", view.name)]
            if not able:
                return {"done": False, "because": f"{to or 'no other node'} is not in the component"}
            chosen, epoch = min(able), self.promise.epoch + 1
            try:
                self.database.close_to_writers()
                self._handing = True
                self._begin(epoch, chosen, self.database_position())
            except Trouble as error:
                self._handing = False
                self._reopen()
                return {"done": False, "because": str(error)}
            try:
                self._close()
            except Trouble as error:
                self._log(f"{chosen} takes the writes, and connections here could not be ended yet: {error}")
        deadline = time.monotonic() + SHARED_SECONDS
        while not (done := self._begun(chosen, epoch)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._handing = False
        return {"done": done, "primary": chosen, "because": "" if done else f"{chosen} did not begin"}

    def _reopen(self) -> None:
        """Lets clients write again; a database that does not is ended. If the epoch began, the next step closes it."""
        try:
            self.database.open()
        except Trouble as error:
            self._fall(f"it can't be opened to writers ({error})")

    def _renew_database(self) -> None:
        super()._renew_database()
        self.database.set(wsrep_provider_options="socket.ssl_reload=1")  # Galera 26.4.7 and newer

    def _begun(self, name: str, epoch: int) -> bool:
        views = self.peers.states()
        return any(view.name == name and view.role is Role.PRIMARY and view.begun >= epoch for view in views)

    def database_position(self) -> int:
        """The number of the last transaction, asked now."""
        return wsrep.figures(self.database, self.settings.patience).position

    def stop(self) -> None:
        """A clean stop: a writable node hands over first."""
        if self.role is Role.PRIMARY and self.size > 1:
            self.switchover()
        with self._lock:
            self.server.stop()

    def _fall(self, because: str) -> None:
        super()._fall(because)
        self._component, self._read, self._left_out_at, self._behind_since = False, None, None, None
        self._open, self._closing_since = False, 0.0
