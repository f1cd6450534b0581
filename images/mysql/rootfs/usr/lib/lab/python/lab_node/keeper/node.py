"""What a mysql node is, as it and the others see it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import rules
from .database import Database, Trouble, number
from .membership import Members
from .promise import Promise
from .rules import Role, View
from .server import CA, DATA, HOME, TLS, Server, place
from .wire import Peers, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

FAILED_STARTS = 3  # in a row; then a copy of another node's data
DEAD = "mariadbd does not start"
ASKED = "asked for"  # a copy that a person wants, of a node whose log may be as good as any
LONGEST_SECONDS = 86400.0  # that a node says it may be read from by an answer
RENEW_SECONDS = 25.0  # for the database to answer and take new certificates
VIEWS = 8  # of itself that a node keeps: one is made for each question, and is mostly as the last one
FULL = "its data disk is full"
FULL_BYTES = 1 << 20  # free; with less, a commit may wait for space, and a start does not end
FOREIGN = "its data was made with 'topology: {}': put that back, or 'lab down --volumes' for new data"


_view_of_itself = lru_cache(maxsize=VIEWS)(View)


class Base(ABC):
    """What every node has, however the nodes agree. One lock: what others ask and a step never mix."""

    def __init__(self, settings: Settings, view: Callable[[dict[str, Any]], Any]) -> None:
        self.settings = settings
        self.server = Server(settings)
        self.database = Database(settings)
        self.promise = Promise(HOME / "keeper.json", settings.topology)
        if not DATA.exists():
            self.promise.keep(member=False)  # first: a start that breaks off here would find the new directory later
        self.server.prepare()
        self.others = {
            name: at for name, at in (self.promise.addresses | settings.nodes).items() if name != settings.node
        }
        self.promise.addresses.update(settings.nodes)
        self.peers = Peers(settings, self.others, view, lambda: self.tells)
        self.role, self.position = Role.DOWN, 0
        self.history: tuple[tuple[int, int], ...] = ()
        self.because = "starting"
        self.size = len(settings.nodes)
        self._lock = threading.RLock()
        now = time.monotonic()
        self._contact = now  # enough others
        self._answered = now  # this node's own database
        self._start_at = now
        self._reclone = ""
        self._remedy = True  # whether a copy may help a database that does not start: none did since it last served
        self._renewed = threading.Event()  # unset while the database has not taken the certificates that are there
        self._renewed.set()
        self._handing = False
        self._printed = ""
        self.copies = 0  # that this process has put in the place of this node's data
        self._promotion: Any = None

    def run(self) -> None:
        """Looks and acts, for ever."""
        self.peers.listen()
        while True:
            self._look()
            time.sleep(self.settings.interval)

    def _look(self) -> None:
        views = self.peers.states()
        now = time.monotonic()
        if 2 * (1 + sum(view.name in self.settings.nodes for view in views)) > self.size:
            self._contact = now
        with self._lock:
            try:
                if self.promise.made_by == self.settings.topology:
                    self._step(views, now)
                else:
                    self._say(FOREIGN.format(self.promise.made_by))
            except (Trouble, OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: no thread
                self._say(str(error))
            self._take_certificates(now)

    @property
    def full(self) -> bool:
        """Whether the data disk has no space for what mariadbd writes."""
        disk = os.statvfs(HOME)
        return disk.f_bavail * disk.f_frsize < FULL_BYTES

    @property
    def tells(self) -> dict[str, int]:
        """What this node says of itself when it asks for another's state; `leads`: an epoch, 0 of none."""
        return {"leads": 0}

    def heard(self, leads: int = 0, released: int = 0, silence: float = 0.0) -> None:  # noqa: B027  of no meaning to most
        """Another node asks for this one's state, and tells the above, and its `silence` (settings.py)."""

    @abstractmethod
    def _step(self, views: list[Any], now: float) -> None:
        """What is to be done now, as far as the others are heard."""

    def reclone(self) -> dict[str, Any]:
        """A person asks for a new copy of the data here."""
        with self._lock:
            if because := self._uncopied():
                return {"done": False, "because": because, "copies": self.copies}
            self._reclone = ASKED
            if self.server.running and self.role is Role.DOWN:
                self.server.kill()
            return {"done": True, "because": "", "copies": self.copies}

    def _uncopied(self) -> str:
        """Why the data here is not replaced by a copy, also if that is asked for; "" where it is."""
        if self.promise.made_by != self.settings.topology:
            return FOREIGN.format(self.promise.made_by)
        if not self.others:
            return "there is no other node whose data could be copied"
        if self.role is Role.PROMOTING:
            return "this node is about to be the primary"
        return "this is the primary: 'lab mysql switchover' first" if self.role is Role.PRIMARY else ""

    def _does_not_start(self) -> None:
        """Has the data copied. Where the database does not start on a copy either, its data is not the cause."""
        if not self.others:
            self._say(f"{DEAD}; its log has the reason")
        elif self._remedy:
            self._reclone = self._reclone or DEAD
            self._say(f"{DEAD}; it waits for a copy of another node's data")
        else:
            self._say(f"{DEAD}, nor does it on a copy of another node's data; 'lab mysql reclone' makes another one")

    def _copied(self) -> None:
        """A copy is in the place of this node's data."""
        self._remedy = self._reclone != DEAD
        self._reclone = ""
        self.server.failures = 0
        self.copies += 1

    def _started(self) -> None:
        """The database serves."""
        self.server.served, self._remedy = True, True
        if self._reclone == DEAD:
            self._reclone = ""

    def renew(self) -> dict[str, Any]:
        """Takes new certificates into use, when the database answers; connections that are open stay."""
        with self._lock:
            for path in (CA, TLS):
                place(path)
            self._renewed.clear()
        self.peers.renew()
        done = self._renewed.wait(RENEW_SECONDS)
        return {"done": done, "because": "" if done else f"mariadbd has not answered for {RENEW_SECONDS:.0f} s"}

    def _take_certificates(self, now: float) -> None:
        """Has a database that answered since `now` read its certificates; one that is started later does so itself."""
        if self._renewed.is_set() or (self.server.running and self._answered < now):
            return
        try:
            if self.server.running:
                self._renew_database()
        except Trouble as error:
            self._log(f"the certificates are not in use yet: {error}")
            return
        self._renewed.set()

    def _renew_database(self) -> None:
        self.database.ask("FLUSH LOCAL SSL")  # LOCAL: not written to the log

    @property
    def serves(self) -> bool:
        """Whether this is the node to write to, in touch with a majority."""
        return self.role is Role.PRIMARY and not self._handing and self._in_contact()

    def _waits_for_space(self) -> bool:
        """Whether the data disk is full: mariadbd would begin to start, and not end."""
        if self.full:
            self._say(f"{FULL}: mariadbd starts when there is space")
        return self.full

    def _in_contact(self) -> bool:
        return self.size == 1 or time.monotonic() - self._contact < self.settings.patience

    def _say(self, because: str) -> None:
        self.because = because
        if because != self._printed:
            self._log(because or f"{self.role.value} of epoch {max(self.promise.epoch, 1)}")
            self._printed = because

    def _log(self, text: str) -> None:
        print(f"{dt.datetime.now(dt.timezone.utc):%H:%M:%S.%f} {text}", flush=True)

    def _fall(self, because: str) -> None:
        """Kills the database, so that waiting commits are not acknowledged."""
        self._say(because)
        self.role, self._handing = Role.DOWN, False
        self.server.kill()
        self.database.forget()


class Node(Base):
    """With replication: what a node is, what it has promised, and what it says of itself."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, view)
        if not self.promise.members.names:
            self.promise.keep(members=Members(0, tuple(sorted(settings.nodes))))
        self.epoch = 0
        self.applied = 0  # of `position`, what is applied too
        self.slave: dict[str, Any] = {}  # what replication says
        self.waiting = False  # of a primary: a commit waits longer than a replica takes
        self.lagging: float | None = None
        self._catches_up_to: int | None = None  # a position; None: what the primary says when it is asked from now on
        self._asks_from = self._start_at
        self.following = ""
        self.semi_sync = False
        now = time.monotonic()
        # When a primary last queried this node, which extends its lease. Answers before a restart are unknown. A node
        # with a new disk has answered no primary, or counts only together with all the others.
        self._silence = max(settings.silence, self.promise.silence)  # from then on
        self._heard, self._answers = now if self.promise.epoch else now - self._silence, 0
        self._released = 0
        self._content = now - 3600  # when it last saw a primary, or voted for one
        self._promising = threading.Lock()  # whom this node answers, and whom it elects, in one order
        self._serves_from = 0.0
        self._since = now  # of what a node is patient: of the primary's silence, or of its own last try
        self._follow_at = self._waits_until = now
        self._receives = False
        self._differs = False  # its data may not be that of the primary which it follows

    def me(self) -> View:
        """This node as the rules see it."""
        promise = self.promise
        return _view_of_itself(
            self.settings.node, self.role, promise.epoch, self.position, self.counts, self.epoch, self.history,
            self.waiting,
            promise.members, promise.unlogged, promise.lineage,
            promise.owes if promise.member and not self.counts else 0, self.full,
            self._reclone not in ("", ASKED), self.following,
        )  # fmt: skip

    @property
    def tells(self) -> dict[str, int]:
        """The epoch that it leads, or is about to; and the last one whose primary it was until its database ended."""
        leading = self.role in (Role.PRIMARY, Role.PROMOTING)
        return {"leads": self.epoch if leading else 0, "released": self._released}

    def heard(self, leads: int = 0, released: int = 0, silence: float = 0.0) -> None:
        """A primary that has this node's answer leads by that for its lease: until then no other is elected here.

        Its lease, and so its `silence`, may be longer than they are here: while the patience changes, and for good if
        that is broken off. It is kept on disk, since answers before a restart are unknown.

        Raises:
            ValueError: the silence is no time.
        """
        if not 0 <= silence <= LONGEST_SECONDS:
            raise ValueError(f"a silence of {silence} seconds")
        with self._promising:
            if leads and leads >= self.promise.epoch:
                silence = max(silence, self.settings.silence)
                self.promise.keep(silence=silence)
                self._heard, self._answers, self._silence = time.monotonic(), leads, silence
            elif released and released >= self._answers:
                self._heard = time.monotonic() - self._silence

    @property
    def serves(self) -> bool:
        """Whether this is the writable node, confirmed by a majority, and no balancer leads to another one."""
        return super().serves and time.monotonic() >= self._serves_from

    def _in_contact(self) -> bool:
        since = time.monotonic() - self.settings.lease
        # Who answers that it has promised a newer epoch follows this node no longer.
        answered = [
            state
            for moment, state in self.peers.answered(self.epoch)
            if moment > since and state.promised <= self.epoch
        ]
        return rules.chosen([self.me(), *answered], self.memberships)

    def _bound(self) -> bool:
        """Whether this node has answered a primary that may lead by that still."""
        return time.monotonic() - self._heard < self._silence

    @property
    def counts(self) -> bool:
        """Whether this node's vote counts: its log has all that it has ever acknowledged."""
        return self.promise.member and not rules.owing(self.position, self.promise.owes)

    @property
    def memberships(self) -> list[set[str]]:
        """Whose majorities are asked."""
        return self.promise.members.memberships(self.settings.nodes)

    @property
    def changing(self) -> bool:
        """Whether the configuration names other nodes than were agreed on, or others may have been agreed on since."""
        return self.promise.members.changing(self.settings.nodes)

    @property
    def _leaving(self) -> bool:
        """Whether members leave and have not agreed: until then they must not be reported as removable.

        If members are only added, each is ready once it follows; the former ones are configured next.
        """
        *known, configured = self.memberships
        return any(not names <= configured for names in known)

    def _members_differ(self) -> str:
        *known, configured = [", ".join(sorted(names)) for names in self.memberships]
        others = " and ".join(dict.fromkeys(names for names in known if names != configured))
        return f"it is told of the members {configured}, and {others} have not agreed"

    def state(self) -> dict[str, Any]:
        """The same for the other nodes and for people."""
        me = self.me()
        return {
            "name": me.name, "role": me.role.value, "promised": me.promised, "position": me.position,
            "member": me.member, "epoch": me.epoch, "history": me.history, "serves": self.serves, "lag": self.lagging,
            "following": self.following, "semi_sync": self.semi_sync, "waiting": self.waiting, "copies": self.copies,
            **self.promise.located(me.members), "unlogged": me.unlogged, "lineage": me.lineage, "owes": me.owes,
            "full": me.full, "wants_copy": me.wants_copy, "because": self.because or (FULL if me.full else ""),
        }  # fmt: skip

    def _distrust_lag(self) -> None:
        """Until it has what the primary has now, what replication says of this node's lag may be of before."""
        self.lagging, self._catches_up_to = None, None
        self._asks_from = time.monotonic()

    @property
    def fresh(self) -> bool:
        """Whether this is a replica to read from, whose database answered within the patience.

        One whose disk is full receives nothing more, and says that it is not behind.
        """
        near = self.lagging is not None and self.lagging <= self.settings.lag
        near = near and time.monotonic() - self._answered < self.settings.patience
        return self.role is Role.REPLICA and near and not self._leaving and not self._differs and not self.full

    @property
    def readable(self) -> bool:
        """Whether what is read here is on a majority: the log of one whose disk is new does not count yet."""
        return self.fresh and self.promise.member

    def _read_position(self) -> None:
        """How long this node's log is: what it has received is on its disk, and is applied by and by."""
        self.applied = self.database.position()
        self.slave = self.database.slave() if self.role is Role.REPLICA else {}
        self.position = max(self.applied, number(self.slave.get("Gtid_IO_Pos") or ""))

    def _is_on(self, side: str) -> bool:
        self.semi_sync = self.database.counter(f"Rpl_semi_sync_{side}_status") == "ON"
        return self.semi_sync

    def _fall(self, because: str) -> None:
        super()._fall(because)
        self._ended()

    def _ended(self) -> None:
        """The database no longer runs: there are no readers."""
        self._released = max(self._released, self.epoch)
        self.role, self.epoch, self.waiting, self._promotion = Role.DOWN, 0, False, None
