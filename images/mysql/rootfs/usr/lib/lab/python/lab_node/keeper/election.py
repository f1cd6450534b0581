"""Elections: how a node becomes the primary, gives its vote, and hands over. Who may is said in `rules`."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from . import rules
from .database import Trouble
from .membership import Members
from .promotion import FOREVER, Promotions
from .rules import Role, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

STANDING_SECONDS = 5.0  # until a successor has all that the primary has
HANDED_SECONDS = 6.0  # until it is elected, or never by this handover: the primary goes on then


class Elections(Promotions):
    """A node that can stand, vote and hand over."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._standing = False  # an election is under way in some thread

    def _stand(  # noqa: PLR0911  each why not says so
        self, views: list[View], handover: int = 0, serves_from: float = 0.0, until: float = FOREVER
    ) -> bool:
        """An election with this node as the candidate; whether it is won, and the promotion has begun.

        Args:
            views: what the others said last.
            handover: the epoch of the primary that asks for it; 0: none does.
            serves_from: the moment from which on no balancer leads to that one.
            until: the moment at which that one goes on.
        """
        if time.monotonic() > until:
            self._say("asked to take over too late: the primary has gone on")
            return False
        epoch = rules.next_epoch([self.me(), *views])
        promised, self._since = self.promise.epoch, time.monotonic()  # a next try has its time
        if not handover and not self._voters(epoch, handover, trial=True):
            return False  # nothing was promised: a node that only this one does not hear stays primary
        if self._overtaken(promised):
            self._say(f"epoch {epoch}: not elected (another candidate got this node's own vote meanwhile)")
            return False
        if not self._promised(epoch, handed=bool(handover)):
            self._say(f"epoch {epoch}: not elected (the primary has asked this node meanwhile)")
            return False
        self.following = ""
        self.database.stop_receiving()
        self._read_position()
        if self.position > self.applied:
            self._say(f"epoch {epoch}: not elected (what was received is not applied yet)")
            return False
        voters = self._voters(epoch, handover)
        if not voters:
            return False
        if time.monotonic() > until:
            self._say(f"epoch {epoch}: elected too late, the primary has gone on")
            return False
        if self._overtaken(epoch) or self.following:
            self._say(f"epoch {epoch}: elected, but another one was promised meanwhile")
            return False
        self._log(f"epoch {epoch}: elected by {', '.join(one.name for one in voters)}, at {self.position}")
        # The first thing that is kept of an election that is won: who has to be asked from now on.
        self.promise.keep(member=True, members=self.promise.members.elected(self.settings.nodes, epoch))
        self._serves_from = serves_from
        self._promote(epoch)
        return True

    def _promised(self, epoch: int, *, handed: bool) -> bool:
        """Promises an epoch, unless a primary may still lead by this node's answer; one that hands over does not."""
        with self._promising:
            if not handed and self._bound():
                return False
            self.promise.keep(epoch=epoch)
            return True

    def _overtaken(self, promised: int) -> bool:
        """Whether this node gave a vote, or became something else, while it asked the others without the lock."""
        return self.role is not Role.REPLICA or self.promise.epoch != promised

    def _voters(self, epoch: int, handover: int, *, trial: bool = False) -> list[View]:
        """Those who vote for this node, if they are enough."""

        def voters(answers: list[dict[str, Any]]) -> list[View]:
            granted = [one for one in answers if one["granted"]]
            return [self.me(), *(View(one["name"], Role.REPLICA, member=one["member"]) for one in granted)]

        request = {"epoch": epoch, "position": self.position, "candidate": self.settings.node, "handover": handover}
        request.update(agreed=self.promise.members.since, nodes=self.settings.nodes)
        if self.changing:  # older keepers know no more than the two above
            request.update(names=self.promise.members.names, proposed=self.promise.members.proposed)
        with self._elsewhere():  # two candidates that ask each other would both hear "busy"
            answers = self.peers.ask_all(
                "/vote", lambda answers: rules.chosen(voters(answers), self.memberships), trial=trial, **request
            )
        views = voters(answers)
        if rules.chosen(views, self.memberships):
            return views
        refusals = "; ".join(f"{one['name']}: {one['because']}" for one in answers if not one["granted"])
        self._say(f"epoch {epoch}: not elected ({refusals or 'nobody else answered'})")
        return []

    @contextlib.contextmanager
    def _elsewhere(self) -> Iterator[None]:
        """Others may be answered meanwhile, but this node stands once; what was true before may not be then."""
        self._standing = True
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
            self._standing = False

    def vote(  # noqa: PLR0913  as it is asked
        self, epoch: int, position: int, candidate: str, handover: int = 0, *, agreed: int = 0,
        nodes: dict[str, str] | None = None, names: list[str] | None = None,
        proposed: list[tuple[int, list[str]]] | None = None, trial: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A candidate asks for this node's vote; a trial asks whether it would get it, and promises nothing.

        Args:
            epoch: that of the candidate.
            position: the length of its log.
            candidate: its name.
            handover: the epoch of the primary that hands over to it; 0: none does.
            agreed: the epoch since which it knows of the members.
            nodes: the members that it is told of, with their addresses.
            names: those that it knows to be agreed on; without, the same.
            proposed: the changes that it knows to be proposed since.
            trial: whether this is one.
        """
        configured = sorted(nodes or self.promise.members.names)
        changes = tuple((since, tuple(members)) for since, members in proposed or ())
        knows = Members(agreed, tuple(names or configured), changes)
        if not self._lock.acquire(timeout=self.settings.patience / 2):
            return self._refused("busy")
        try:
            if not self.promise.members.admits(knows, configured):
                latest = max([self.promise.members.since, *(since for since, _ in self.promise.members.proposed)])
                return self._refused(f"since epoch {latest} the members are, or may be, others than it knows")
            answer = self._vote(epoch, position, candidate, handover, trial=trial)
            if answer["granted"] and not trial:
                self.promise.addresses.update(nodes or {})
                self.promise.keep(members=self.promise.members.voted(knows, configured, epoch))
                if knows.changing(configured):
                    self._log(f"the members are {', '.join(configured)} if {candidate} is elected for epoch {epoch}")
            return answer
        except (Trouble, OSError) as error:
            return self._refused(str(error))
        finally:
            self._lock.release()

    def _refused(self, because: str) -> dict[str, Any]:
        return {"granted": False, "name": self.settings.node, "member": self.counts, "because": because}

    def _granted(self, position: int) -> dict[str, Any]:
        member = rules.counted(self.me(), position).member
        return {"granted": True, "name": self.settings.node, "member": member, "because": ""}

    def _vote(  # noqa: C901, PLR0911  each refusal says why
        self, epoch: int, position: int, candidate: str, handover: int, *, trial: bool
    ) -> dict[str, Any]:
        if epoch <= self.promise.epoch:
            return self._refused(f"it has promised epoch {self.promise.epoch}")
        if self.role is Role.DOWN:
            return self._refused("its database is not there")
        resumed = self.role is Role.PRIMARY and not self._handing  # a handover that it has given up hands nothing over
        handed = (
            bool(handover) and not resumed and handover >= max(self.epoch, rules.epoch_of(self.position), self._answers)
        )
        if not handed:
            leading = self.role is Role.PRIMARY and not self._handing and self._in_contact()
            if leading or self.role is Role.PROMOTING:
                return self._refused("it is the primary itself")
            fresh = time.monotonic() - self._content < self.settings.patience / 2
            if self.role is Role.REPLICA and (fresh or self._bound()):
                return self._refused("it hears the primary")
        if self.role is Role.PRIMARY and not self._handing:
            self._fall(f"{candidate} asks for epoch {epoch}, and this node's writers have no replica")
            return self._refused("it is stepping down")
        if trial:
            self._read_position()
            longer = self.position > position
            return self._refused("its log is longer") if longer else self._granted(position)
        if not self._promised(epoch, handed=handed):
            return self._refused("it hears the primary")
        if self.role is Role.PRIMARY:
            self.database.demote()
            self.promise.keep(unlogged=False)  # it was closed only after all writes had ended
            self.role, self.epoch, self._handing = Role.REPLICA, 0, False
        self.following = ""
        self.database.stop_receiving()
        self._read_position()
        self._since = time.monotonic()
        if not rules.grants(epoch, position, epoch - 1, self.position):
            return self._refused(f"its log is longer, {self.position}")
        self._content = self._since
        self._waits_until = self._since + self.settings.patience  # whom it voted for has its time to begin
        return self._granted(position)

    def switchover(self, to: str = "") -> dict[str, Any]:
        """A planned change of the primary: writers wait or are refused briefly, never within a transaction."""
        with self._lock:
            if self.role is not Role.PRIMARY:
                return {"done": False, "because": f"{self.settings.node} is not the primary"}
            if self._handing:
                return {"done": False, "because": f"{self.settings.node} is handing over already"}
            views = self.peers.states()
            if rules.outdated(self.me(), views):
                return {"done": False, "because": f"{self.settings.node} is about to step down"}
            chosen = self._successor(views, to)
            if chosen is None:
                able = [view.name for view in self._able(views)]
                return {"done": False, "because": f"{to or 'no node'} can't be; able to: {', '.join(able) or 'none'}"}
            try:
                self.database.close_to_writers()
                position = self.database.position()
            except Trouble as error:
                self._reopen()
                return {"done": False, "because": str(error)}
            self._handing, epoch = True, self.epoch
        answer, stays = None, False
        try:
            answer = self._handed(chosen, epoch, position)
        finally:
            with self._lock:
                if self._hands_over(epoch):
                    self._handing = False
                    stays = self._reopen()
        done = bool(answer and answer.get("elected"))
        because = "" if done else str((answer or {}).get("because") or f"{chosen} did not answer")
        because += "" if done or stays else "; the nodes elect a primary by themselves now"
        return {"done": done, "primary": chosen if done else self.settings.node, "because": because}

    def _reopen(self) -> bool:
        """Lets clients write again. A database that does not is ended: its node would be a primary without writes."""
        try:
            self.database.open()
        except Trouble as error:
            self._fall(f"it can't be opened to writers ({error})")
            return False
        return True

    def _hands_over(self, epoch: int) -> bool:
        """Whether this node is still the primary that hands over; no more once it has given its vote."""
        return self._handing and self.role is Role.PRIMARY and self.epoch == epoch

    def _handed(self, chosen: str, epoch: int, position: int) -> dict[str, Any] | None:
        """What the successor answers; None if this node goes on, or if there was no answer.

        A successor that hangs keeps its connection, and its answer is not awaited: no client can write meanwhile. Its
        own time begins when the question arrives, half a patience later at most.
        """
        until = time.monotonic() + HANDED_SECONDS + self.settings.patience / 2
        answer = self.peers.begin(chosen, "/stand", handover=epoch, position=position)
        while self._hands_over(epoch):
            if (answer.done() and answer.result()) or time.monotonic() > until:
                break
            time.sleep(0.05)  # one that broke off may be elected still
        if self._hands_over(epoch) and not answer.done():
            return None
        return answer.result()

    def _successor(self, views: list[View], to: str) -> str | None:
        able = [view for view in self._able(views) if to in ("", view.name)]
        return max(able, key=lambda view: view.position).name if able else None

    def _able(self, views: list[View]) -> list[View]:
        """Replicas that can take over: none whose disk is full, and none to be copied, whose data would count then."""
        replicas = [view for view in views if view.role is Role.REPLICA and view.member and not view.full]
        return [view for view in replicas if not rules.differs(view, self.me())]

    def stand(self, handover: int, position: int) -> dict[str, Any]:
        """The primary hands over to this node, whose log has to be as long as `position` first.

        It says of itself since before it asked that it is none: by and by all balancers know.
        """
        now = time.monotonic()
        deadline, withdrawn = now + STANDING_SECONDS, now + self.settings.refused
        if handover < self._answers:
            return {"elected": False, "because": f"it follows a primary of epoch {self._answers}"}
        elected = False
        while time.monotonic() < deadline and not elected:
            with self._lock:
                try:
                    self._read_position()
                    if self.applied >= max(position, self.position):
                        elected = self._stand(self.peers.states(), handover, withdrawn, now + HANDED_SECONDS)
                        break
                except Trouble as error:
                    return {"elected": False, "because": str(error)}
            time.sleep(0.02)
        else:
            return {"elected": False, "because": f"it does not have {position} yet"}
        while elected and self._on_the_way() and time.monotonic() < deadline + STANDING_SECONDS:
            time.sleep(0.02)
        return {"elected": elected and self.role is Role.PRIMARY, "because": self.because}

    def _on_the_way(self) -> bool:
        return self.role is Role.PROMOTING or (self.role is Role.PRIMARY and not self.serves)
