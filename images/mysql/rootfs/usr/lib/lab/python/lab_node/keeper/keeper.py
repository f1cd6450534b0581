"""One node of the MySQL cluster: runs mariadbd, is primary or replica by the rules. No external controller."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from . import rules
from .database import Trouble
from .donation import donated
from .node import FAILED_STARTS, FULL
from .promotion import FOREVER
from .replica import Replica
from .rules import Role, View

if TYPE_CHECKING:
    from collections.abc import Generator

    from .settings import Settings

HUNG, STARTING = 2, 60  # times the patience with a replica's database that lives and does not answer
BLOCKED = 3  # times the patience that a commit waits for a replica which can't acknowledge before it was copied
REFUSED_STARTS = 2  # with the log's end to be dropped; then without
RESTART_SECONDS = 2.0  # between two tries to start what did not start


class Keeper(Replica):
    """What a node does next."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._blocked_since = FOREVER

    def _step(self, views: list[View], now: float) -> None:  # noqa: C901  in the order of importance
        if rules.leader(self.me(), views):
            self._content = self._since = now
        if self._reclone and self._clone(views):
            return
        if not self.server.running:
            self._start(views)
            return
        if not self._alive(now) or self._gives_way(views):
            return
        if self.role is Role.DOWN:
            if not self._adopted():
                return
            self.history = self.database.history()
            self.role = Role.REPLICA
            self._started()
            if self._copy:
                self._copy.idle = False  # begun while the database was down: from now on it may acknowledge more
            self._read_position()
            self._since = now  # a primary has its time to be heard of
        self._drop_unwanted()
        if self.role is Role.PROMOTING:
            self._promoted(views)
            return
        if self.role is Role.PRIMARY:
            self._lead(views)
            return
        primary = rules.leader(self.me(), views)
        if primary and now >= self._follow_at:
            self._follow(primary, views)
        elif primary:
            self._say("the primary broke off")
        elif not self._standing:
            self.lagging = None
            self._maybe_stand(views, now)

    def _start(self, views: list[View]) -> None:
        ended = self.server.ended()
        self._ended()
        self.following, self.lagging = "", None
        self.database.forget()
        self._unread()
        if ended and self.server.failures >= FAILED_STARTS:
            self._does_not_start()
        if self._waits_for_space() or time.monotonic() < self._start_at:
            return
        self._start_at = time.monotonic() + (RESTART_SECONDS if self.server.failures >= FAILED_STARTS else 0)
        newer = [view for view in views if view.role is Role.PRIMARY and view.epoch > max(self.promise.epoch, 0)]
        # A statement that can't be undone, such as DDL, can't be dropped either: mariadbd refuses to start. With it,
        # this node has more than the primary's history, and is cloned for that.
        self.server.start(truncate=bool(newer) and self.server.failures < REFUSED_STARTS)
        self._answered = time.monotonic()

    def _alive(self, now: float) -> bool:
        """Whether mariadbd answers; one that hangs is ended."""
        try:
            self._read_position()
        except Trouble as error:
            starting = self.role is Role.DOWN and self._answered <= now
            times = STARTING if starting else 1 if self.role in (Role.PRIMARY, Role.PROMOTING) else HUNG
            if time.monotonic() - self._answered > times * self.settings.patience:
                self.server.failures += starting
                self._fall(f"mariadbd does not answer ({error})")
            elif starting:
                self._say("mariadbd is starting")
            return False
        if time.monotonic() - self._answered > self.settings.patience:
            self._distrust_lag()  # this node, or its database alone, was paused
        self._answered = time.monotonic()
        return True

    # -- a primary --

    def _gives_way(self, views: list[View]) -> bool:
        """Ends the database of a primary whose disk is full, if others can take over: a commit would wait for space."""
        leads = self.role in (Role.PRIMARY, Role.PROMOTING)
        if not (leads and self.full and rules.replaceable(views, self.memberships)):
            return False
        self._fall(FULL)
        return True

    def _promoted(self, views: list[View]) -> None:
        since, self._blocked_since = self._blocked_since, FOREVER
        super()._promoted(views)
        if self.role is Role.PROMOTING:
            self._end_if_blocked(views, since)

    def _lead(self, views: list[View]) -> None:
        since, self._blocked_since = self._blocked_since, FOREVER
        if self._handing:
            return
        if rules.outdated(self.me(), views):
            self._fall("another node was promised a newer epoch")
        elif self.size > 1 and not self._is_on("master"):
            self._fall("semi-synchronous replication is off")
        elif not self._in_contact():
            self._say("too few other nodes are reached: nothing would be acknowledged")
        else:
            self.waiting = self.database.waits()
            self._say("")
            self._end_if_blocked(views, since)

    def _end_if_blocked(self, views: list[View], since: float) -> None:
        """Ends the database of a primary, or of one in promotion, whose commit no replica can acknowledge.

        In its next promotion, where nothing is written, the replicas are copied without waiting.
        """
        if not self._blocked(views):
            return
        self._blocked_since = min(since, time.monotonic())
        if time.monotonic() - self._blocked_since > BLOCKED * self.settings.patience:
            self._fall("a commit waits for the only replica, that one for a copy, and the copy for the commit")

    def _blocked(self, views: list[View]) -> bool:
        """Whether a commit waits for replicas that can't take it before they are copied, and which can vote again."""
        replicas = [view for view in views if view.role is Role.REPLICA]
        voters = [self.me(), *(rules.counted(view, self.position) for view in replicas)]
        lost = [view for view in replicas if view.wants_copy or rules.diverged(view.position, self.history)]
        return self.waiting and bool(replicas) and lost == replicas and rules.chosen(voters, self.memberships)

    def _maybe_stand(self, views: list[View], now: float) -> None:
        if self.following and now >= self._since + self.settings.patience / 2:
            # Early, before the first request: it takes as long as a connection to a dead host is waited for.
            self.following = ""
            self.database.stop_receiving()
        if not self.following and not self._all_applied():
            return
        self._learn_members(views)
        me = self.me()
        if not rules.may_stand(me, views, self.memberships):
            self._say("no primary, and no election could be won: " + self._short_of(views))
            return
        if self._bound():
            self._say("no primary is seen; the last one may be read from still")
        elif now >= max(self._waits_until, self._since + self.settings.patience * self._share(me, views)):
            self._stand(views)
        else:
            self._say("no primary is heard")

    def _learn_members(self, views: list[View]) -> None:
        """Takes what the others know of the members: who does not ask all that may be agreed on gets no vote."""
        members = self.promise.members
        for view in views:
            members = members.heard(view.members)
        self.promise.keep(members=members)

    def _share(self, me: View, views: list[View]) -> float:
        """How much of the patience a node has before it stands: nothing while everybody is there and agrees."""
        rank = rules.rank(me, views) / 2
        if len(views) + 1 < self.size:
            return 1 + rank
        return rank if all(view.role is Role.REPLICA for view in views) else 0.5 + rank

    def _short_of(self, views: list[View]) -> str:
        if self.changing:
            return self._members_differ()
        there = [view.name for view in views if view.role is Role.REPLICA]
        if 2 * (1 + len(there)) <= self.size:
            return f"{1 + len(there)} of {self.size} nodes are there"
        ahead = [view.name for view in views if view.position > self.position]
        return f"{', '.join(ahead)} has more" if ahead else "a node whose disk is new needs all the others"

    # -- what it is asked --

    def questions(self, path: str, values: dict[str, Any]) -> dict[str, Any] | Generator[bytes, None, None] | None:
        """What other nodes ask."""
        if path == "/vote":
            return self.vote(**values)
        if path == "/stand":
            return self.stand(**values)
        if path == "/hand-over":
            return self.switchover(**values)
        return donated(self.settings.patience) if path == "/clone" else None

    def stop(self) -> None:
        """A clean stop: a primary hands over first; if no node takes over, it ends as if it had been killed."""
        handed = self.role is not Role.PRIMARY or self.size == 1 or self.switchover()["done"]
        with self._lock:
            if self.role is Role.PRIMARY:
                with contextlib.suppress(Trouble):
                    self.database.close_to_writers()
                    self.promise.keep(unlogged=False)
            if handed:
                self.server.stop()
            else:
                self.server.kill()
