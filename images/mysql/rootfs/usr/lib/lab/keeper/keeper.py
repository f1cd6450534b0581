"""One node of the MySQL cluster: runs mariadbd, and is primary or replica as the rules say. Nobody outside steers it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import rules
from clone import adopted, cloned, donated
from database import Trouble
from election import Elections
from rules import Role, View

if TYPE_CHECKING:
    from collections.abc import Iterator

HUNG, STARTING = 2, 60  # times the patience with a replica's database that lives and does not answer
FAILED_STARTS = 3
RESTART_SECONDS = 2.0  # between two tries to start what did not start
EMPTY_ENOUGH = 1000  # transactions that are quicker fetched than cloned
NEW_DISK = "its disk is new"
LOG_LOST = (1236, 1595, 1597)  # errors of a primary that can't go on from where this log ends


class Keeper(Elections):
    """What a node does next."""

    def _step(self, views: list[View], now: float) -> None:
        if any(view.role is Role.PRIMARY and view.epoch >= self.promise.epoch for view in views):
            self._heard = self._since = now
        if not self.server.running:
            self._start(views)
            return
        if not self._alive(now):
            return
        if self.role is Role.DOWN:
            self.database.adopt()
            self.database.replay()
            self.position = self.database.position()
            self.history = self.database.history()
            self.role = Role.REPLICA
            self._since = now  # a primary has its time to be heard of
        if self.role is Role.PROMOTING:
            self._fall("its promotion was broken off")
            return
        if self.role is Role.PRIMARY:
            self._lead(views)
            return
        primary = rules.leader(self.me(), views)
        if primary and now >= self._follow_at:
            self._follow(primary, views)
        elif primary:
            self._say("the primary broke off")
        else:
            self.lagging = None
            self._maybe_stand(views, now)

    def _start(self, views: list[View]) -> None:
        ended = self.server.ended()
        self.role, self.epoch, self.following, self.lagging = Role.DOWN, 0, "", None
        self.database.forget()
        if self._reclone and self._clone(views):
            return
        if ended and self.server.failures >= FAILED_STARTS:
            self._say("mariadbd does not start; 'lab mysql reclone' makes this node anew from the primary")
        if time.monotonic() < self._start_at:
            return
        self._start_at = time.monotonic() + (RESTART_SECONDS if self.server.failures >= FAILED_STARTS else 0)
        newer = [view for view in views if view.role is Role.PRIMARY and view.epoch > max(self.promise.epoch, 0)]
        self.server.start(truncate=bool(newer))
        self._answered = time.monotonic()

    def _alive(self, now: float) -> bool:
        """Whether mariadbd answers; one that hangs is ended."""
        try:
            self.position = self.database.position()
        except Trouble as error:
            starting = self.role is Role.DOWN and self._answered <= now
            times = STARTING if starting else 1 if self.role in (Role.PRIMARY, Role.PROMOTING) else HUNG
            if time.monotonic() - self._answered > times * self.settings.patience:
                self._fall(f"mariadbd does not answer ({error})")
            elif starting:
                self._say("mariadbd is starting")
            return False
        self._answered = time.monotonic()
        return True

    # -- a primary --

    def _lead(self, views: list[View]) -> None:
        if self._handing:
            return
        if rules.outdated(self.me(), views):
            self._fall("another node was promised a newer epoch")
        elif self.size > 1 and not self._is_on("master"):
            self._fall("semi-synchronous replication is off")
        elif not self._in_contact():
            self._say("too few other nodes are reached: nothing would be acknowledged")
        else:
            self.database.nudge()
            self._say("")

    def _maybe_stand(self, views: list[View], now: float) -> None:
        me = self.me()
        if self.following and now >= self._since + self.settings.patience / 2:
            # Early, and before anybody asks: it takes as long as a connection to a dead host is waited for.
            self.following = ""
            self.database.stop_receiving()
        if not rules.may_stand(me, views, self.size):
            self._say("no primary, and no election could be won: " + self._short_of(views))
            return
        if now >= max(self._waits_until, self._since + self.settings.patience * self._share(me, views)):
            self._stand(views)
        else:
            self._say("no primary is heard")

    def _is_on(self, side: str) -> bool:
        self.semi_sync = self.database.counter(f"Rpl_semi_sync_{side}_status") == "ON"
        return self.semi_sync

    def _share(self, me: View, views: list[View]) -> float:
        """How much of the patience a node has before it stands: nothing while everybody is there and agrees."""
        rank = rules.rank(me, views) / 2
        if len(views) + 1 < self.size:
            return 1 + rank
        return rank if all(view.role is Role.REPLICA for view in views) else 0.5 + rank

    def _short_of(self, views: list[View]) -> str:
        there = [view.name for view in views if view.role is Role.REPLICA]
        if 2 * (1 + len(there)) <= self.size:
            return f"{1 + len(there)} of {self.size} nodes are there"
        ahead = [view.name for view in views if view.position > self.position]
        return f"{', '.join(ahead)} has more" if ahead else "a node whose disk is new needs all the others"

    # -- a replica --

    def _follow(self, primary: View, views: list[View]) -> None:
        self.promise.keep(epoch=primary.epoch)
        wanted = f"{primary.name} of epoch {primary.epoch}"
        if self.following != wanted:
            self.position = self.database.stop_receiving()
            self.lagging = None
        if rules.diverged(self.position, primary.history):
            self._reclone = "its log goes on where the primary's had ended"
        elif self._reclone in ("", NEW_DISK):
            new = not self.promise.member and self.position == 0
            self._reclone = NEW_DISK if new and self._long(primary) and rules.copies(primary, views) else ""
        if self._reclone:
            self._clone([primary])
            return
        if self.following != wanted:
            self.database.follow(primary.name, acknowledging=self.promise.member)
            self.following, self.history, self._receives = wanted, primary.history, False
            return
        if not self.promise.member and rules.joins(self.me(), primary, views, self.size):
            self.promise.keep(member=True)
            self.following = ""  # again, and now it acknowledges
            return
        self._watch(self.database.slave())

    def _long(self, primary: View) -> bool:
        return len(primary.history) > 1 or primary.position % rules.SPAN > EMPTY_ENOUGH

    def _watch(self, slave: dict[str, Any]) -> None:
        """A replica as it should be; replication that has stopped is begun again, or says why it can't."""
        if slave.get("Last_IO_Errno") in LOG_LOST:
            self._reclone = f"the primary does not have its log: {slave['Last_IO_Error']}"
            return
        if slave.get("Slave_SQL_Running") != "Yes":
            self.lagging = None
            self._say(f"replication stands still: {slave.get('Last_SQL_Error') or 'stopped'}")
            if not slave.get("Last_SQL_Errno"):
                self.database.ask("START SLAVE")
            return
        receiving = slave["Slave_IO_Running"] == "Yes"
        behind = slave["Seconds_Behind_Master"]
        self.lagging = float(behind) if receiving and behind is not None else None
        if self._receives and not receiving:
            # Before it tries again: a thread that waits for a dead host is long in stopping, and a vote waits for that.
            self.database.ask("STOP SLAVE IO_THREAD")
            self.following, self._receives = "", False
            self._follow_at = time.monotonic() + self.settings.patience / 2
            return
        self._receives = receiving
        if not receiving:
            self._say(f"replication is connecting: {slave['Last_IO_Error'] or slave['Slave_IO_State']}")
        elif not self.promise.member:
            self._say("its disk is new: it counts when it has everything and all other nodes are there")
        elif not self._is_on("slave"):
            self._say("it does not acknowledge")
        else:
            self._say("")

    def _clone(self, views: list[View]) -> bool:
        """Makes this node anew from the primary; true when it has begun to run on that."""
        donor = next((view for view in views if view.role is Role.PRIMARY), None)
        if donor is None:
            return False
        self._say(f"cloning {donor.name}: {self._reclone}")
        fresh = cloned(self.peers, donor.name)
        adopted(fresh)
        self.server.kill()
        self.database.forget()
        self.promise.keep(member=False)
        self.server.replace(fresh)
        self.server.failures = 0
        self.role, self.following, self._reclone = Role.DOWN, "", ""
        self.server.start(truncate=False)
        self._answered = time.monotonic()
        return True

    # -- what it is asked --

    def questions(self, path: str, values: dict[str, Any]) -> dict[str, Any] | Iterator[bytes] | None:
        """What other nodes ask."""
        if path == "/vote":
            return self.vote(**values)
        if path == "/stand":
            return self.stand(**values)
        return donated() if path == "/clone" else None

    def stop(self) -> None:
        """A clean stop: a primary hands over first; if nobody takes it, it ends as if it had been killed."""
        handed = self.role is not Role.PRIMARY or self.size == 1 or self.switchover()["done"]
        with self._lock:
            if handed:
                self.server.stop()
            else:
                self.server.kill()
