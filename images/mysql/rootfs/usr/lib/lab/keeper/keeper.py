"""One node of the MySQL cluster: runs mariadbd, and is primary or replica as the rules say. Nobody outside steers it."""

from __future__ import annotations

import datetime
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import rules
from clone import cloned, donated
from database import Database, Trouble
from promise import Promise
from rules import Role, View
from server import HOME, Server
from wire import Peers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

LOOK_SECONDS = 0.25
HUNG_SECONDS = 4.0  # of a replica's database that lives and does not answer
FAILED_STARTS = 3
EMPTY_ENOUGH = 1000  # transactions that are quicker fetched than cloned
PROMOTION_SECONDS = 60.0
LOG_LOST = (1236, 1595, 1597)  # errors of a primary that can't go on from where this log ends


class Keeper:
    """What a node is, what it has promised, and what it does next. One lock: a vote and a step never mix."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server = Server(settings)
        new = self.server.prepare()
        self.database = Database(settings)
        self.promise = Promise(HOME / "keeper.json")
        if new:
            self.promise.keep(member=False)
        self.peers = Peers(settings)
        self.role, self.epoch, self.position = Role.DOWN, 0, 0
        self.history: tuple[tuple[int, int], ...] = ()
        self.because = "starting"
        self.lagging: float | None = None
        self.following = ""
        self.semi_sync = False
        self.size = len(settings.nodes)
        self._lock = threading.RLock()
        now = time.monotonic()
        self._heard = now - 3600  # a primary that serves; none yet
        self._since = now  # of what a node is patient: of the primary's silence, or of its own last try
        self._contact = now  # enough others
        self._answered = now  # this node's own database
        self._follow_at = now
        self._receives = False
        self._reclone = ""
        self._handing = False
        self._told = ""

    # -- what others see --

    def me(self) -> View:
        """This node as the rules see it."""
        member = self.promise.member
        return View(self.settings.node, self.role, self.promise.epoch, self.position, member, self.epoch, self.history)

    def state(self) -> dict[str, Any]:
        """The same for the other nodes and for people."""
        me = self.me()
        return {
            "name": me.name, "role": me.role.value, "promised": me.promised, "position": me.position,
            "member": me.member, "epoch": me.epoch, "history": me.history, "serves": self.serves, "lag": self.lagging,
            "following": self.following, "because": self.because, "semi_sync": self.semi_sync,
        }  # fmt: skip

    @property
    def serves(self) -> bool:
        """Whether this is the node to write to: a primary that could have a replica's word."""
        return self.role is Role.PRIMARY and not self._handing and self._in_contact()

    @property
    def fresh(self) -> bool:
        """Whether this is a replica to read from."""
        return self.role is Role.REPLICA and self.lagging is not None and self.lagging <= self.settings.lag

    def _in_contact(self) -> bool:
        return self.size == 1 or time.monotonic() - self._contact < self.settings.patience

    # -- the loop --

    def run(self) -> None:
        """Looks and acts, for ever."""
        while True:
            views = self.peers.states()
            now = time.monotonic()
            if 2 * (1 + len(views)) > self.size:
                self._contact = now
            if any(view.role is Role.PRIMARY and view.epoch >= self.promise.epoch for view in views):
                self._heard = self._since = now
            with self._lock:
                try:
                    self._step(views, now)
                except (Trouble, OSError, subprocess.SubprocessError) as error:
                    self._say(str(error))
            time.sleep(LOOK_SECONDS)

    def _say(self, because: str) -> None:
        self.because = because
        if because != self._told:
            self._log(because or f"{self.role.value} of epoch {self.epoch or rules.epoch_of(self.position)}")
            self._told = because

    def _log(self, text: str) -> None:
        print(f"{datetime.datetime.now(datetime.timezone.utc):%H:%M:%S.%f} {text}", flush=True)

    def _step(self, views: list[View], now: float) -> None:
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
        if self.server.failures >= FAILED_STARTS:
            time.sleep(1)
        newer = [view for view in views if view.role is Role.PRIMARY and view.epoch > max(self.promise.epoch, 0)]
        self.server.start(truncate=bool(newer))
        self._answered = time.monotonic()

    def _alive(self, now: float) -> bool:
        """Whether mariadbd answers; one that hangs is ended."""
        try:
            self.position = self.database.position()
        except Trouble as error:
            starting = self.role is Role.DOWN and self._answered <= now
            limit = 30 * HUNG_SECONDS if starting else HUNG_SECONDS
            if self.role in (Role.PRIMARY, Role.PROMOTING):
                limit = self.settings.patience
            if time.monotonic() - self._answered > limit:
                self._fall(f"mariadbd does not answer ({error})")
            elif starting:
                self._say("mariadbd is starting")
            return False
        self._answered = time.monotonic()
        return True

    def _fall(self, because: str) -> None:
        """Ends the database at once, so that nobody who waits is told that all is well."""
        self._say(because)
        self.role, self.epoch, self._handing = Role.DOWN, 0, False
        self.server.kill()
        self.database.forget()

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
        if now >= self._since + self.settings.patience * self._share(me, views):
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

    def _stand(self, views: list[View], handover: int = 0) -> bool:
        """An election with this node as the candidate."""
        epoch = rules.next_epoch([self.me(), *views])
        self._since = time.monotonic()  # a next try has its time
        if not handover and not self._voters(epoch, handover, trial=True):
            return False  # nothing was promised: a node that only this one does not hear stays primary
        self.promise.keep(epoch=epoch)
        self.position = self.database.stop_receiving()
        voters = self._voters(epoch, handover)
        if not voters:
            return False
        self._log(f"epoch {epoch}: elected by {', '.join(one.name for one in voters)}, at {self.position}")
        self.promise.keep(member=True)
        self._promote(epoch)
        return True

    def _voters(self, epoch: int, handover: int, *, trial: bool = False) -> list[View]:
        """Those who vote for this node, if they are enough."""

        def voters(answers: list[dict[str, Any]]) -> list[View]:
            given = [one for one in answers if one["granted"]]
            return [self.me(), *(View(one["name"], Role.REPLICA, member=one["member"]) for one in given)]

        asked = {"epoch": epoch, "position": self.position, "candidate": self.settings.node, "handover": handover}
        answers = self.peers.ask_all(
            "/vote", lambda answers: rules.elected(voters(answers), self.size), trial=trial, **asked
        )
        found = voters(answers)
        if rules.elected(found, self.size):
            return found
        said = "; ".join(f"{one['name']}: {one['because']}" for one in answers if not one["granted"])
        self._say(f"epoch {epoch}: not elected ({said or 'nobody else answered'})")
        return []

    def _promote(self, epoch: int) -> None:
        after = self.position
        self.history = (*self.database.history(), (epoch, after))
        self.role, self.epoch = Role.PROMOTING, epoch
        self.following, self.lagging = "", None
        self._say("waiting until a replica has the new epoch")
        begun: list[str] = []

        def begin() -> None:
            try:
                self.database.begin_epoch(epoch, after, alone=self.size == 1)
                begun.append("")
            except Trouble as error:
                begun.append(str(error))

        writing = threading.Thread(target=begin, daemon=True)
        writing.start()
        deadline = time.monotonic() + PROMOTION_SECONDS
        while writing.is_alive():
            writing.join(0.05)
            self._update_position()
            self.database.nudge()
            if time.monotonic() > deadline or rules.outdated(self.me(), self.peers.states()):
                self._fall(f"epoch {epoch} was not begun: no replica took it, or a newer one was promised")
                return
        if begun != [""]:
            self._fall(begun[0])
            return
        self.database.open()
        self.role, self._contact = Role.PRIMARY, time.monotonic()
        self._say("")

    def _update_position(self) -> None:
        """While the epoch is being written: what the others compare themselves with."""
        try:
            self.position = self.database.position()
            self._answered = time.monotonic()
        except Trouble:
            pass

    # -- a replica --

    def _follow(self, primary: View, views: list[View]) -> None:
        self.promise.keep(epoch=primary.epoch)
        wanted = f"{primary.name} of epoch {primary.epoch}"
        if self.following != wanted:
            self.position = self.database.stop_receiving()
            self.lagging = None
        if rules.diverged(self.position, primary.history):
            self._reclone = "its log goes on where the primary's had ended"
        elif not self.promise.member and self.position == 0 and self._long(primary):
            self._reclone = "its disk is new"
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
        return primary.epoch > 1 or primary.position % rules.SPAN > EMPTY_ENOUGH

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

    def vote(
        self, epoch: int, position: int, candidate: str, handover: int = 0, *, trial: bool = False
    ) -> dict[str, Any]:
        """A candidate asks for this node's vote; a trial asks whether it would get it, and promises nothing."""
        if not self._lock.acquire(timeout=5):
            return self._refused("busy")
        try:
            return self._vote(epoch, position, candidate, handover, trial=trial)
        except (Trouble, OSError) as error:
            return self._refused(str(error))
        finally:
            self._lock.release()

    def _refused(self, because: str) -> dict[str, Any]:
        return {"granted": False, "name": self.settings.node, "member": self.promise.member, "because": because}

    def _granted(self) -> dict[str, Any]:
        return {"granted": True, "name": self.settings.node, "member": self.promise.member, "because": ""}

    def _vote(self, epoch: int, position: int, candidate: str, handover: int, *, trial: bool) -> dict[str, Any]:
        if epoch <= self.promise.epoch:
            return self._refused(f"it has promised epoch {self.promise.epoch}")
        if self.role is Role.DOWN:
            return self._refused("its database is not there")
        if not (handover and handover >= max(self.epoch, rules.epoch_of(self.position))):
            if self.serves or self.role is Role.PROMOTING:
                return self._refused("it is the primary itself")
            if self.role is Role.REPLICA and time.monotonic() - self._heard < self.settings.patience / 2:
                return self._refused("it hears the primary")
        if self.role is Role.PRIMARY and not self._handing:
            self._fall(f"{candidate} asks for epoch {epoch}, and this node's writers have no replica")
            return self._refused("it is stepping down")
        if trial:
            longer = self.database.position() > position
            return self._refused("its log is longer") if longer else self._granted()
        self.promise.keep(epoch=epoch)
        if self.role is Role.PRIMARY:
            self.database.demote()
            self.role, self.epoch = Role.REPLICA, 0
        self.position = self.database.stop_receiving()
        self.following = ""
        self._since = time.monotonic()
        if not rules.grants(epoch, position, epoch - 1, self.position):
            return self._refused(f"its log is longer, {self.position}")
        self._heard = self._since  # whom it voted for has its time to begin
        return self._granted()

    def switchover(self, to: str = "") -> dict[str, Any]:
        """A planned change of the primary: writers wait or are refused, for a moment; none of them fails half-way."""
        with self._lock:
            if self.role is not Role.PRIMARY:
                return {"done": False, "because": f"{self.settings.node} is not the primary"}
            views = self.peers.states()
            chosen = self._successor(views, to)
            if chosen is None:
                able = [view.name for view in views if view.role is Role.REPLICA and view.member]
                return {"done": False, "because": f"{to or 'no node'} can't be; replicas are: {', '.join(able) or '-'}"}
            try:
                self.database.close_to_writers()
            except Trouble as error:
                return {"done": False, "because": str(error)}
            self._handing, epoch = True, self.epoch
        answer = self.peers.ask(chosen, "/stand", handover=epoch, position=self.database.position())
        done = bool(answer and answer.get("elected"))
        with self._lock:
            self._handing = False
            if self.role is Role.PRIMARY:
                self.database.open()
        because = "" if done else str((answer or {}).get("because") or f"{chosen} did not answer")
        return {"done": done, "primary": chosen if done else self.settings.node, "because": because}

    def _successor(self, views: list[View], to: str) -> str | None:
        able = [view for view in views if view.role is Role.REPLICA and view.member and view.name in (to or view.name)]
        return max(able, key=lambda view: view.position).name if able else None

    def stand(self, handover: int, position: int) -> dict[str, Any]:
        """The primary hands over to this node, whose log has to be as long as `position` first."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._lock:
                try:
                    if self.database.position() >= position:
                        return {"elected": self._stand(self.peers.states(), handover), "because": self.because}
                except Trouble as error:
                    return {"elected": False, "because": str(error)}
            time.sleep(0.02)
        return {"elected": False, "because": f"it does not have {position} yet"}

    def reclone(self) -> dict[str, Any]:
        """A person asks for a new copy of the primary's data here."""
        with self._lock:
            if self.role is Role.PRIMARY:
                return {"done": False, "because": "this is the primary: 'lab mysql switchover' first"}
            self._reclone = "asked for"
            if self.server.running and self.role is Role.DOWN:
                self.server.kill()
        return {"done": True, "because": ""}

    def donate(self) -> Iterator[bytes]:
        """A copy of this node's data, for another."""
        return donated()

    def stop(self) -> None:
        """A clean stop: a primary hands over first; if nobody takes it, it ends as if it had been killed."""
        handed = self.role is not Role.PRIMARY or self.size == 1 or self.switchover()["done"]
        with self._lock:
            if handed:
                self.server.stop()
            else:
                self.server.kill()
