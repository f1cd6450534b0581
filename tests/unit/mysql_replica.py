"""A node of the MySQL cluster whose database, network and clock are plain values."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

from lab_node.keeper import keeper, promise, promotion, rules
from lab_node.keeper.settings import Settings

NODES = {"mysql1": "10.90.0.51", "mysql2": "10.90.0.52"}
CHECKS = {"inter": 0.5, "fastinter": 0.1, "timeout": 0.5, "fall": 2}
PATIENCE = 2.0


def primary(position: int) -> rules.View:
    """The other node, at a position."""
    return rules.View("mysql1", rules.Role.PRIMARY, promised=1, epoch=1, position=position, member=True)


class PlainNode(keeper.Keeper):
    """A replica that has everything, until a test says otherwise.

    Attributes:
        clock: the seconds that its modules see.
        asked_at: when the primary was asked for what it said last.
        falls: why its database was ended.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, nodes: dict[str, str] = NODES) -> None:
        self.clock = self.asked_at = 1000.0
        self.primary: rules.View = primary(10)
        self.falls: list[str] = []
        peers = SimpleNamespace(states=lambda: [self.primary], last=lambda _: (self.asked_at, self.primary))
        for module in ("node", "promotion", "election", "replay", "replica", "keeper"):
            monkeypatch.setattr(f"lab_node.keeper.{module}.time", SimpleNamespace(monotonic=lambda: self.clock))
        monkeypatch.setattr("lab_node.keeper.node.Server", lambda _: SimpleNamespace(prepare=lambda: None))
        monkeypatch.setattr("lab_node.keeper.node.Database", lambda _: SimpleNamespace())
        monkeypatch.setattr("lab_node.keeper.node.Peers", lambda *_: peers)
        monkeypatch.setattr("lab_node.keeper.node.HOME", folder)
        super().__init__(Settings("replication", "mysql2", 2, nodes, PATIENCE, 5.0, "", {}, CHECKS))
        self.promise = promise.Promise(folder / "keeper.json", "replication")
        self.promise.keep(member=True, epoch=1)
        self.role, self.applied, self.position = rules.Role.REPLICA, 10, 10
        self.slave = {"Slave_SQL_Running": "Yes", "Slave_IO_Running": "Yes", "Seconds_Behind_Master": 0}
        self.database = cast(
            "Any", SimpleNamespace(counter=lambda _: "ON", stop_receiving=lambda: None, waits=lambda: self.waiting)
        )

    def _read_position(self) -> None: ...

    def _fall(self, because: str) -> None:
        self.falls.append(because)

    def _in_contact(self) -> bool:
        return True

    def look(self) -> bool:
        """A step of a replica that follows; whether rows may be read here after it."""
        self.clock += self.settings.interval
        self._alive(self.clock)
        self._watch(self.primary, [self.primary])
        return self.fresh

    def copies_since(self, wanted: str) -> None:
        """It began a copy, and still wants it or not; it says what it said then."""
        self._copy, self._reclone = cast("Any", SimpleNamespace(fetching=True)), wanted
        self.because = "cloning mysql1: asked for"

    def lead(self, replica: rules.View) -> None:
        """A step of a primary that has one replica."""
        self._lead([replica])

    def begins(self, *replicas: rules.View) -> None:
        """A step of a node that waits for its epoch to be taken by one of these."""
        self.promotes()
        self._promotion.done.set()
        self._promoted(list(replicas))

    def promotes(self, epoch: int = 0) -> promotion.Promotion:
        """It was elected, and waits for a replica; its database takes what it is told."""
        self.role, self.epoch = rules.Role.PROMOTING, epoch or self.epoch
        self._promotion = begun = promotion.Promotion()
        return begun

    def is_elected(self, epoch: int) -> None:
        """Its promotion begins."""
        self._promote(epoch)

    def looks(self) -> None:
        """A step, and what is said of its errors."""
        self._look()

    def acknowledges(self) -> None:
        """It tells the primary once more what it has."""
        self._acknowledge("10.90.0.51", self.slave)

    def begins_epoch(self, epoch: int) -> threading.Thread:
        """The same, and what it does meanwhile."""
        thread = threading.Thread(target=self._begin, args=(self.promotes(epoch), epoch, self.position), daemon=True)
        thread.start()
        return thread

    def promoted(self, *replicas: rules.View) -> rules.Role:
        """What it is after a step of its promotion."""
        self._promoted(list(replicas))
        return self.role

    @property
    def stands_from(self) -> float:
        """The seconds before which it is no candidate."""
        return self._waits_until

    def applies(self, seconds: float = 0.0) -> bool:
        """A look, some seconds later, at what was received before a start; whether all of it is applied."""
        self.clock += seconds
        return self._adopted()

    def elects(self, seconds: float = 0.0) -> bool:
        """The same of what it received while it followed, before an election."""
        self.clock += seconds
        return self._all_applied()

    def joins(self, seconds: float) -> str:
        """A step of a replica that hears a primary, some seconds later; what it follows then."""
        self.clock += seconds
        self._follow(self.primary, [self.primary])
        return self.following

    @property
    def wanted_copy(self) -> str:
        """Why it wants a copy."""
        return self._reclone

    def keeps_copy(self, wanted: str, *, fetching: bool) -> bool:
        """Whether a copy that was begun stays, wanted for this reason or for none."""
        self._reclone, self._copy = wanted, cast("Any", SimpleNamespace(fetching=fetching))
        self._drop_unwanted()
        return self._copy is not None

    def gives_way(self, *others: rules.View) -> bool:
        """Whether it steps down for want of space, as these are heard."""
        return self._gives_way(list(others))

    def dead(self, *, starts: int = 1, served: bool = False) -> str:
        """Its database ends after each of some starts; why it wants a copy after that."""
        self.server = cast(
            "Any", SimpleNamespace(running=False, served=served, failures=0, ended=self._ends, start=lambda **_: None)
        )
        self.database.forget = lambda: None  # type: ignore[method-assign]
        for _ in range(starts):
            self.clock += keeper.RESTART_SECONDS
            self._start([self.primary])
        return self._reclone

    def _ends(self) -> bool:
        self.server.failures += 1
        return True

    def comes_back(self) -> None:
        """Its database serves."""
        self._started()

    def gets_copy(self) -> None:
        """A copy is in the place of its data."""
        self._copied()

    def starts(self) -> list[str]:
        """What a step of a node without a database starts."""
        started: list[str] = []
        self.server = cast(
            "Any", SimpleNamespace(ended=lambda: False, failures=0, start=lambda **_: started.append("mariadbd"))
        )
        self.database.forget = lambda: None  # type: ignore[method-assign]
        self._start([])
        return started

    @property
    def handing_over(self) -> bool:
        """Whether it is about to give its role to another node."""
        return self._handing

    @handing_over.setter
    def handing_over(self, on: bool) -> None:
        self._handing = on

    def wait(self) -> None:
        """As long as a primary with the same settings may lead by what this node answered."""
        self.clock += self.settings.silence

    def promises(self, epoch: int) -> bool:
        """Whether it takes part in an election now, by which it promises an epoch."""
        return self._promised(epoch, handed=False)
