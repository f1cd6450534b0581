"""The promotion of a node that was elected: it begins its epoch once a replica can receive it, or gives that up."""

from __future__ import annotations

import threading
import time

from . import rules
from .database import Trouble
from .node import Node
from .rules import Role, View

PROMOTION_SECONDS = 60.0  # from when a replica is there to take the epoch
UNREACHED = 3  # times the patience that replicas may follow a node in promotion without reaching its database
FOREVER = float("inf")


class Promotion:
    """How far one is: `ended` is "" when the epoch has begun, else why it did not."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.ended: str | None = None
        self.deadline = FOREVER
        self.expected_since = FOREVER  # a replica is to be connected


class Promotions(Node):
    """A node that becomes the primary of an epoch."""

    def _promote(self, epoch: int) -> None:
        """Begins to become the primary of an epoch; `_promoted` says when that is done."""
        after = self.position
        self.history = (*self.database.history(), (epoch, after))
        self.role, self.epoch = Role.PROMOTING, epoch
        self.following, self.lagging = "", None
        self._promotion = promotion = Promotion()
        self._say("waiting for a replica that follows it")
        try:
            threading.Thread(target=self._begin, args=(promotion, epoch, after), daemon=True).start()
        except RuntimeError as error:
            promotion.ended = str(error)

    def _begin(self, promotion: Promotion, epoch: int, after: int) -> None:
        try:
            with self._lock:
                if self._promotion is not promotion:
                    return
                self.database.expect_replicas(alone=self.size == 1)
            # Not before a replica can receive it: otherwise logs differ in their first transaction, and a copy, which a
            # differing replica waits for, can't be made while a commit waits.
            while not self.database.can_be_taken(self.size - 1):
                if self._promotion is not promotion:
                    return
                time.sleep(0.05)
            with self._lock:
                if self._promotion is not promotion:
                    return
                promotion.deadline = time.monotonic() + PROMOTION_SECONDS
            self.database.begin_epoch(epoch, after)
            promotion.ended = ""
        except Trouble as error:
            promotion.ended = str(error)
        except Exception as error:  # noqa: BLE001  its database may be ended at any moment; other errors end that too
            promotion.ended = f"{type(error).__name__}: {error}"
        promotion.done.set()

    def _promoted(self, views: list[View]) -> None:
        """A step of a node in promotion."""
        promotion: Promotion = self._promotion
        promotion.done.wait(0.05)
        self.waiting = self.database.waits()
        if promotion.ended == "":
            # From now on until it is closed in good order.
            self.promise.keep(unlogged=True, lineage=rules.lineage(self.me(), self.epoch))
            self.database.open()
            self.role, self._promotion, self._reclone = Role.PRIMARY, None, ""
            self._say("")
        elif promotion.ended is not None:
            self._fall(promotion.ended)
        elif rules.outdated(self.me(), views) or time.monotonic() > promotion.deadline:
            if promotion.deadline < FOREVER:
                self._fall(f"epoch {self.epoch} was not begun: no replica took it, or a newer one was promised")
                return
            self._give_up("a newer epoch was promised")
        elif promotion.deadline == FOREVER and self._unreached(promotion, views):
            # Later than the last of the others, which waits for 1 + (size - 1) / 2 times the patience.
            self._waits_until = time.monotonic() + self.settings.patience * (2 + self.size / 2)
            self._give_up(f"epoch {self.epoch} was not begun: its replicas do not reach this node's database")

    def _unreached(self, promotion: Promotion, views: list[View]) -> bool:
        """Whether replicas have followed this node for long, and none is connected."""
        if not rules.expected(self.me(), views):
            promotion.expected_since = FOREVER
            return False
        promotion.expected_since = min(promotion.expected_since, time.monotonic())
        return time.monotonic() > promotion.expected_since + UNREACHED * self.settings.patience

    def _give_up(self, because: str) -> None:
        """Goes on as a replica. The epoch was not written, and will not be: `_begin` checks the promotion first."""
        self._say(because)
        self._promotion = None
        try:
            self.database.set(rpl_semi_sync_master_enabled=False)
        except Trouble as error:  # what it applies as a replica would wait for replicas
            self._fall(str(error))
            return
        self._released = max(self._released, self.epoch)  # no client has read here, or written
        self.role, self.epoch = Role.REPLICA, 0
        self._since = time.monotonic()
