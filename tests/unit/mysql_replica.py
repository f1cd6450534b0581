"""A replica of the MySQL cluster whose database and network are plain values."""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

for library in ("pymysql", "pymysql.cursors", "pymysql.constants"):  # in the images alone; nothing here connects
    sys.modules.setdefault(library, ModuleType(library))
vars(sys.modules["pymysql.constants"]).setdefault("COMMAND", None)

from lab_node.keeper import promise, replica, rules  # noqa: E402  see above
from lab_node.keeper.settings import Settings  # noqa: E402

NODES = {"mysql1": "10.90.0.51", "mysql2": "10.90.0.52"}
CHECKS = {"inter": 0.5, "fastinter": 0.1, "timeout": 0.5, "fall": 2}
PATIENCE = 2.0


def primary(position: int) -> rules.View:
    """The other node, at a position."""
    return rules.View("mysql1", rules.Role.PRIMARY, promised=1, epoch=1, position=position, member=True)


class PlainReplica(replica.Replica):
    """A replica that has everything."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.primary: rules.View = primary(10)
        monkeypatch.setattr("lab_node.keeper.node.Server", lambda _: SimpleNamespace(prepare=lambda: False))
        monkeypatch.setattr("lab_node.keeper.node.Database", lambda _: SimpleNamespace())
        monkeypatch.setattr("lab_node.keeper.node.Peers", lambda *_: SimpleNamespace(states=lambda: [self.primary]))
        monkeypatch.setattr("lab_node.keeper.node.HOME", folder)
        super().__init__(Settings("replication", "mysql2", 2, NODES, PATIENCE, 5.0, "", {}, CHECKS))
        self.promise = promise.Promise(folder / "keeper.json", "replication")
        self.promise.keep(member=True, epoch=1)
        self.role, self.applied, self.position = rules.Role.REPLICA, 10, 10
        self.slave = {"Slave_SQL_Running": "Yes", "Slave_IO_Running": "Yes", "Seconds_Behind_Master": 0}
        self.database = cast("Any", SimpleNamespace(counter=lambda _: "ON", stop_receiving=lambda: None))
        self._lock = threading.RLock()

    def _step(self, views: list[Any], now: float) -> None:
        del now
        self._watch(self.primary, views)

    def _read_position(self) -> None: ...

    def look(self) -> bool:
        """One turn; whether rows may be read here after it."""
        self._look()
        return self.fresh

    def pause(self, seconds: float) -> None:
        """As if nothing had run here for so long."""
        self._looked -= seconds

    def later(self, seconds: float) -> None:
        """As if so much time had passed since the pause."""
        self._believes_from -= seconds

    def wait(self) -> None:
        """As long as a primary may lead by what this node answered."""
        self._heard -= self.settings.silence
