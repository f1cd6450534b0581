"""What a node received and has not applied: it is applied before the node votes, stands or follows another primary.

Each wait has an end. A session that reads or locks is ended; an error is retried, and then the node is copied.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import relay
from .election import Elections
from .server import DATA

if TYPE_CHECKING:
    from .settings import Settings

TRIES = (0.0, 1.0, 2.0, 4.0)  # seconds before each new start of what an error has stopped; then a copy
BLOCKED_SECONDS = 1.0  # how long a session may block what is to be applied before the node counts again
STILL_SECONDS = 300.0  # without one more transaction applied, although such sessions are ended
STILL = f"what it had received is not applied: nothing in {STILL_SECONDS:.0f} s"


class Replay(Elections):
    """A node that applies what it received."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._received: relay.Received | None = None  # before this start of the database, and not applied yet
        self._damaged = ""  # what is wrong with that
        self._tries, self._try_at = 0, 0.0
        self._progress: int | None = None  # up to where it was applied at the last look; None: nothing was awaited
        self._still_since = self._cleared_at = 0.0

    def _unread(self) -> None:
        """The database starts once more, or on a copy: its relay logs are others than were read."""
        self._received, self._damaged = None, ""

    def _adopted(self) -> bool:
        """Whether what was on this disk is in the database: also what was acknowledged and not yet applied."""
        if self._damaged:
            return False
        self.database.adopt()
        applied = self.database.position()
        if self._received is None:
            self._received = self._read(applied)
            if self._received is None:
                return False
            if self._received.file:
                self._log(f"applying what was received, from {self._received.file} {self._received.place} on")
                self.database.apply_received(self._received)
            self._progress = None
        if self._received.file and applied < self._received.last:
            self._apply(applied, self._received)
            return False
        if self._received.file:
            self.database.end_applying()
        self._received = None
        self._nothing_awaited()
        return True

    def _read(self, applied: int) -> relay.Received | None:
        """What the relay logs hold; None where they are damaged, so that only a copy helps."""
        index = DATA / "relay.index"
        try:
            files = [DATA / name for name in index.read_text().split()] if index.exists() else []
            return relay.received([file for file in files if file.exists()], applied)
        except (relay.Damaged, UnicodeDecodeError) as error:
            self._damaged = self._reclone = f"what it had received is damaged: {error}"
            self._say(f"{self._damaged}; it waits for a primary to clone")
            return None

    def _apply(self, applied: int, received: relay.Received) -> None:
        """A look at the replay of what was received before this start."""
        status = self.database.slave()
        self._say(f"applying what was received: {applied} of {received.last}")
        # It stops by itself before a torn group, perhaps since the position was read.
        if status.get("Slave_SQL_Running") != "Yes" and self.database.position() < received.last:
            because = f"what it had received can't be applied: {status.get('Last_SQL_Error') or 'stopped'}"
            self._try_again(because, received)
        else:
            self._end_standstill(applied)

    def _try_again(self, because: str, received: relay.Received | None = None) -> None:
        """Starts what an error has stopped; after some tries a copy of the primary's data is what helps."""
        self._say(because)
        if time.monotonic() < self._try_at:
            return
        if self._tries >= len(TRIES):
            self._reclone = self._reclone or because
            self._tries = 1  # a copy may have to be waited for: meanwhile it is tried once in a while
        self._try_at = time.monotonic() + TRIES[min(self._tries + 1, len(TRIES) - 1)]
        self._tries += 1
        self.database.start_applying(received)

    def _all_applied(self) -> bool:
        """Whether all that was received is applied; where a primary is to be elected or followed nothing may wait."""
        if self.position <= self.applied:
            self._nothing_awaited()
            return True
        self._say("applying what was received")
        if self.slave.get("Slave_SQL_Running") != "Yes":
            self._try_again(f"replication stands still: {self.slave.get('Last_SQL_Error') or 'stopped'}")
        else:
            self._end_standstill(self.applied)
        return False

    def _nothing_awaited(self) -> None:
        self._progress = None
        if self._reclone == STILL:
            self._reclone = ""

    def _end_standstill(self, applied: int) -> None:
        """Ends the sessions that may block what is applied; where nothing is applied for long, a copy helps."""
        now = time.monotonic()
        if applied != self._progress:
            self._progress, self._still_since, self._cleared_at = applied, now, now
        if now > self._still_since + STILL_SECONDS:
            self._reclone = self._reclone or STILL
        if now > self._cleared_at + BLOCKED_SECONDS:
            if self._cleared_at == self._still_since:
                self._log("sessions that read or lock here are ended: received transactions come first")
            self._cleared_at = now
            self.database.clear_the_way()
