"""Two candidates at once: a node has one vote an epoch, also while it asks the others for theirs."""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.keeper import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("mysql1", "mysql2", "mysql3")


@pytest.fixture(scope="module")
def election() -> Any:  # noqa: ANN401  a module that no type checker can see
    """The keeper's elections; the driver of its database is in the images alone, and nothing here connects."""
    for name in ("pymysql", "pymysql.cursors"):
        sys.modules.setdefault(name, ModuleType(name))
    for name in ("rules", "server", "database", "promise", "wire", "node"):
        load(name)
    return load("election")


def _candidate(election: Any, name: str, folder: Path) -> Any:  # noqa: ANN401  see above
    """A replica whose database and network are plain values."""
    rules, promise = sys.modules["rules"], sys.modules["promise"]

    class Candidate(election.Elections):  # type: ignore[misc]
        def __init__(self) -> None:
            nodes = {one: f"10.90.0.5{number}" for number, one in enumerate(NAMES, 1)}
            self.settings = SimpleNamespace(node=name, nodes=nodes, patience=2.0)
            self.promise = promise.Promise(folder / f"{name}.json", "replication")
            self.promise.keep(epoch=1, member=True, agreed=(1, nodes))
            self.database = SimpleNamespace(stop_receiving=lambda: None)
            self.peers = SimpleNamespace()
            self.role, self.epoch, self.position, self.applied = rules.Role.REPLICA, 0, 0, 0
            self.following, self.history, self.waiting = "", (), False
            self._lock = threading.RLock()
            self._standing, self._handing = False, False
            self._since = self._waits_until = 0.0
            self._heard = time.monotonic() - 100
            self.elected: list[int] = []

        def me(self) -> Any:  # noqa: ANN401
            return rules.View(name, self.role, promised=self.promise.epoch, position=0, member=True)

        def _step(self, views: object, now: float) -> None: ...

        def _read_position(self) -> None: ...

        def _say(self, because: str) -> None:
            self.because = because

        def _log(self, said: str) -> None: ...

        def _promote(self, epoch: int) -> None:
            self.role = rules.Role.PROMOTING
            self.elected.append(epoch)

        def stands(self) -> bool:
            with self._lock:
                return bool(
                    self._stand([rules.View(one, rules.Role.REPLICA, promised=1) for one in NAMES if one != name])
                )

    return Candidate()


def _asks(node: Any, others: list[Any], before: Callable[[], object] = lambda: None) -> None:  # noqa: ANN401
    """What a node asks reaches these others only; something happens on the way of its first question."""
    first = [before]

    def ask_all(path: str, enough: object, **asked: Any) -> list[dict[str, Any]]:
        del path, enough
        answers = [dict(one.vote(**asked)) for one in others]
        if first:
            first.pop()()
        return answers

    node.peers.ask_all = ask_all


def test_a_vote_that_was_given_during_a_trial_is_not_given_again(election: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """The first asks the third whether it would be elected; meanwhile the second asks the first, and is."""
    first, second, third = (_candidate(election, name, tmp_path) for name in NAMES)
    _asks(second, [first])
    _asks(first, [third], before=second.stands)
    assert not first.stands()
    assert second.elected == [2]
    assert first.elected == [], "two nodes were elected in one epoch"


def test_who_is_alone_in_standing_is_elected(election: Any, tmp_path: Path) -> None:  # noqa: ANN401  see above
    first, _, third = (_candidate(election, name, tmp_path) for name in NAMES)
    _asks(first, [third])
    assert first.stands()
    assert first.elected == [2]
