"""A node that follows a primary: applies what it receives, retries on errors, then is copied."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from . import acknowledging, rules
from .clone import Copy, adopted
from .node import ASKED
from .replay import STILL, Replay
from .rules import Role, View

if TYPE_CHECKING:
    from .settings import Settings

EMPTY_ENOUGH = 1000  # transactions that are quicker fetched than cloned
NEW_DISK = "its disk is new"
UNLOGGED = "its data may not be the primary's: a database was ended while others wrote"
WENT_ON = "its log goes on where the primary's had ended"
LOG_LOST = (1236, 1595, 1597)  # errors of a primary that can't go on from where this log ends
COPY_AGAIN_SECONDS = 5.0
AGAIN_SECONDS = 1.0  # between two acknowledgements that are said again


class Replica(Replay):
    """What a replica does."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._copy: Copy | None = None
        self._copy_at = self._again_at = self._silent_since = 0.0

    # -- with a primary --

    def _follow(self, primary: View, views: list[View]) -> None:
        members = self.promise.members.following(primary.members, primary.epoch)
        self.promise.keep(epoch=primary.epoch, members=members)
        target = rules.target(primary)
        if self.following != target:
            self.following, self.lagging = "", None
            self.database.stop_receiving()
            self._read_position()
            if rules.diverged(self.applied, primary.history):
                self._reclone = WENT_ON
            elif self._reclone in (WENT_ON, UNLOGGED):
                self._reclone = ""  # found again once it follows: a primary without a replica can't be copied
            if self._reclone in ("", NEW_DISK):
                new = not self.promise.member and self.position == 0
                far = self._long(primary) or rules.differs(self.me(), primary)
                self._reclone = NEW_DISK if new and far and rules.copies(primary, views) else ""
            # A requested copy can wait: perhaps only this node can receive the primary's epoch. What was received may
            # be applied before the copy is made.
            if self._reclone not in ("", ASKED, STILL) or not self._all_applied():
                return
            self.database.follow(self.others[primary.name], acknowledging=self.promise.member)
            self.following, self.history, self._receives = target, primary.history, False
            self._distrust_lag()
            return
        if not self.promise.member and rules.joins(
            self.me(), primary, [view for view in views if view.name in self.settings.nodes], self.size
        ):
            self.promise.keep(member=True)
            self.following = ""  # again, and now it acknowledges
            return
        if self.database.wrote_last and rules.epoch_of(self.applied) == primary.epoch:
            self._reclone = f"it has a transaction of its own, {self.applied}"
        self._watch(primary, views)

    def _long(self, primary: View) -> bool:
        return len(primary.history) > 1 or primary.position % rules.SPAN > EMPTY_ENOUGH

    def _watch(self, primary: View, views: list[View]) -> None:  # noqa: C901, PLR0912  all that may be wrong, in order
        """Watches a replica: stopped replication is restarted, or this node is copied."""
        slave = self.slave
        if slave.get("Last_IO_Errno") in LOG_LOST:
            self._reclone = f"the primary does not have its log: {slave['Last_IO_Error']}"
            return
        if slave.get("Slave_SQL_Running") != "Yes":
            self.lagging = None
            self._try_again(f"replication stands still: {slave.get('Last_SQL_Error') or 'stopped'}")
            return
        self._differs = rules.differs(self.me(), primary)
        receiving = slave["Slave_IO_Running"] == "Yes"
        behind = slave["Seconds_Behind_Master"]
        self.lagging = float(behind) if receiving and behind is not None and self._caught_up(primary) else None
        if self._receives and not receiving:
            # Before it tries again: a thread that waits for a dead host is long in stopping, and a vote waits for that.
            self.database.stop_receiving()
            self.following, self._receives = "", False
            self._follow_at = time.monotonic() + self.settings.patience / 2
            return
        if self._tries and self.applied == self.position and time.monotonic() > self._try_at:
            self._tries = 0
        self._receives = receiving
        if not receiving:
            self._say(f"replication is connecting: {slave['Last_IO_Error'] or slave['Slave_IO_State']}")
        elif not self.promise.member:
            self._say("its disk is new: it counts when it has everything and all other nodes are there")
        elif self._differs and not self._reclone:
            self._say(UNLOGGED)
            if rules.remade(self.me(), primary, views):
                self._reclone = UNLOGGED
        elif not self._is_on("slave"):
            self._say("it does not acknowledge")
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() > self._silent_since + self.settings.patience:
                self.following, self._silent_since = "", 0.0  # reconnects, to acknowledge
        elif self.changing:
            self._say(self._members_differ())
            self._ask_to_lead(primary)
        elif not (self._reclone and self._copy):  # without the first, the copy is left from before it was a primary
            self._silent_since = 0.0
            self._say("")
        if receiving and primary.waiting and self.promise.member and time.monotonic() > self._again_at:
            self._again_at = time.monotonic() + AGAIN_SECONDS
            threading.Thread(target=self._acknowledge, args=(self.others[primary.name], slave), daemon=True).start()

    def _caught_up(self, primary: View) -> bool:
        """Whether this node has what the primary had after it was followed, and after this node was last paused."""
        asked_at, state = self.peers.last(primary.name)
        if self._catches_up_to is None and state and asked_at > self._asks_from:
            self._catches_up_to = state.position
        return self._catches_up_to is not None and self.applied >= self._catches_up_to

    def _ask_to_lead(self, primary: View) -> None:
        """The first of the new members asks the primary of the former ones to hand over: a majority then agrees."""
        members = set(self.settings.nodes)
        if primary.name not in members and self.settings.node == min(members) and time.monotonic() > self._again_at:
            self._again_at = time.monotonic() + 5 * AGAIN_SECONDS
            request = {"to": self.settings.node}
            threading.Thread(
                target=self.peers.ask, args=(primary.name, "/hand-over"), kwargs=request, daemon=True
            ).start()

    def _acknowledge(self, host: str, slave: dict[str, object]) -> None:
        try:
            acknowledging.again(self.settings, host, slave)
        except Exception as error:  # noqa: BLE001  what replication says may not be what was expected
            self._log(f"{host} waits for an acknowledgement, and could not be told again: {error}")

    # -- copies --

    def _drop_unwanted(self) -> None:
        """Forgets a copy whose reason is gone: a later request must not get it. The next copy removes its files."""
        if not self._reclone and self._copy and not self._copy.fetching:
            self._copy = None

    def _clone(self, views: list[View]) -> bool:
        """Copies this node from the primary, or from one in promotion; true when it runs on the copy.

        That one's log has all that this node has ever acknowledged, since its epoch is not older than the promise here.
        The copy lacks what was acknowledged during its transfer: that is owed.
        """
        donor = rules.leader(self.me(), views)
        if self.role in (Role.PRIMARY, Role.PROMOTING) or donor is None or self._standing:
            return False
        copy = self._copy
        if copy is None:
            if time.monotonic() >= self._copy_at:
                self._log(f"cloning {donor.name}: {self._reclone}")
                self._copy = Copy(self.peers, donor.name, donor.epoch, idle=self.role is Role.DOWN, read=adopted)
            return False
        self._say(f"cloning {donor.name}: {self._reclone}")
        if copy.fetching:
            return False
        self._copy = None
        if copy.fresh is None or (copy.donor, copy.epoch) != (donor.name, donor.epoch):
            self._say(f"cloning {copy.donor}: {copy.failed or 'another node leads now'}")
            self._copy_at = time.monotonic() + COPY_AGAIN_SECONDS
            return False
        if self.role is Role.REPLICA:
            self.database.stop_receiving()
            self._read_position()
            self.promise.keep(owes=self.position)
        elif not copy.idle:
            return False  # its database was killed meanwhile: what it had acknowledged by then is unknown
        self.promise.keep(epoch=donor.epoch)
        self.server.kill()
        self.database.forget()
        self.server.replace(copy.fresh)
        self.promise.keep(unlogged=False, lineage=donor.lineage)
        self._copied()
        self.role, self.following, self.lagging = Role.DOWN, "", None
        self._unread()
        self._tries = 0
        self.server.start(truncate=False)
        self._answered = time.monotonic()
        return True
