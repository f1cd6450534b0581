"""One node of a Galera cluster: runs mariadbd, and begins the primary component when none is left.

One node at a time is writable. There is no external controller.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import component, wsrep
from .bootstrap import Bootstrap
from .database import Trouble
from .donation import donated
from .node import FULL
from .rules import Role

if TYPE_CHECKING:
    from collections.abc import Generator

    from .component import Seat
    from .settings import Settings

JOINING_SECONDS = 600.0  # for a copy of everything from another node
SHARED_SECONDS = 10.0  # for the next writer to begin
BEGINNING_SECONDS = 120.0  # for the database of the node that begins a component
CLOSE_PATIENCES = 2  # for a former writer to be closed: a statement that runs on keeps it open
BEGIN_PATIENCES = 2  # for a transaction that begins an epoch
PATIENCES_TO_JOIN = 6  # Galera's own views take up to four to be settled


class Galera(Bootstrap):
    """What a node does next."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._primary_seen = time.monotonic()
        self._left_out_at: float | None = None  # since when the others have a component, and this node is in none
        self._without = False  # the writer is not in its component
        self._confirmed_at = 0.0  # when a majority was last known to know that this node takes the writes
        self._shared_at = self._late_at = 0.0  # the last step in a component; the last of these that came late
        self._behind_since: float | None = None  # in the component, and without all that it was sent

    def state(self) -> dict[str, Any]:
        """The same for the other nodes and for people. It confirms no writer that is in another component."""
        me = self.me()
        following = me.writer if self.role is Role.REPLICA else ""
        writer = "" if self._component and self._without else me.writer
        return vars(me) | {
            "writer": writer, "role": me.role.value, "epoch": me.begun if self._component else 0, "serves": self.serves,
            "following": following, "lag": self.lagging, "semi_sync": False, "copies": self.copies,
            "because": self.because or (FULL if me.full else ""),
        }  # fmt: skip

    @property
    def serves(self) -> bool:
        """Whether this is the node to write to, in touch with a majority, and its database answers.

        One that was paused, or whose database was, says so only when it is confirmed again: others may write by now.
        """
        recent = time.monotonic() - self._confirmed_at < self.settings.patience
        return super().serves and self._component and recent

    @property
    def fresh(self) -> bool:
        """Whether this is another node of the component, and has all that it was sent."""
        return self.role is Role.REPLICA and self._component

    readable = fresh

    @property
    def lagging(self) -> float | None:
        """Seconds behind the writer; None where that is not known."""
        return 0.0 if self.fresh else None

    def questions(self, path: str, values: dict[str, Any]) -> dict[str, Any] | Generator[bytes, None, None] | None:
        """What other nodes ask."""
        if path == "/vote":
            return self._vote(**values)
        donor = path == "/clone" and self._component
        return donated(self.settings.patience, galera=True) if donor else None

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
            self._started()
            self._share(figures, views, now)
        else:
            self._out(figures, views, now)

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
        members = {name for name, at in self.settings.nodes.items() if at in figures.members}
        down = {view.name for view in views if view.role is Role.DOWN}  # Galera counts one that waits for a copy
        self._without = me.writer not in members - down
        # One whose database ended amid its epoch opens in another one: the others may have begun that meanwhile.
        leads = me.begun > self._former
        if leads and component.confirmed(me, self._asked_since(views), self.size):
            self._confirmed_at = now
            if self.role is not Role.PRIMARY and not self._handing:
                self._open = True
                self.database.open()
                self.role, self._contact = Role.PRIMARY, now
            self._say("")
            return
        if leads and component.confirmed(me, views, self.size):
            return  # by what was said before it, or its database, was paused
        self._close()
        again = me.writer == me.name and me.begun <= self._former
        if again or component.takes_over(me, members - down):
            self._begin(1 + max(seat.promised for seat in (me, *views)), me.name, self.position)
        self._say("" if me.writer != me.name else "too few other nodes know that it takes the writes")

    def _asked_since(self, views: list[Seat]) -> list[Seat]:
        """The views for which others were asked after the last step that came late."""
        now, before = time.monotonic(), self._shared_at
        self._shared_at = now
        if now - before > self.settings.patience / 2:
            self._late_at = now
        return [view for view in views if self.peers.last(view.name)[0] > self._late_at]

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
        """Mariadbd runs and does not answer: it hangs, or waits for those whom it is to join.

        `now` is when it was asked. One question without an answer is no hang: on a busy machine it may take longer than
        the patience. It is ended when the next one, asked after a patience without an answer, has none either. No bound
        waits for that: `serves` is false after the first, and Galera removes a member that is silent by itself.
        """
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
