"""Two candidates at once: a node has one vote an epoch, also while it asks the others for theirs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evidence.promises import promise as declared
from lab.formulas import evaluated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

from lab_node.keeper import database, election, promise, rules
from lab_node.keeper.membership import Members
from lab_node.keeper.settings import Settings

NAMES = ("mysql1", "mysql2", "mysql3")


def _settings(name: str, nodes: dict[str, str], patience: float = 2.0, **watched: float) -> Settings:
    checks = {"inter": 0.5, "fastinter": 0.1, "timeout": 0.5, "fall": 2} | watched
    return Settings("replication", name, 1, nodes, patience, 5.0, "", {}, checks)


class Watched:
    """What tests do with a node's own time."""

    settings: Settings
    _heard: float
    _silence: float
    _serves_from: float
    _handing: bool
    _stand: Callable[..., bool]

    def waits(self) -> None:
        """As long as a primary may lead by its answers."""
        self._heard -= self._silence

    @property
    def serves_from(self) -> float:
        return self._serves_from

    @property
    def handing(self) -> bool:
        return self._handing

    def stands_too_late(self) -> bool:
        return self._stand([], handover=1, until=time.monotonic() - 1)


def _candidate(name: str, folder: Path) -> Any:  # noqa: ANN401  what tests replace in it is of other types
    """A replica whose database and network are plain values."""

    class Candidate(Watched, election.Elections):
        def __init__(self) -> None:
            nodes = {one: f"10.90.0.5{number}" for number, one in enumerate(NAMES, 1)}
            self.settings = _settings(name, nodes)
            self.promise = promise.Promise(folder / f"{name}.json", "replication")
            self.promise.keep(epoch=1, member=True, members=Members(1, tuple(nodes)))
            self.database = cast("Any", SimpleNamespace(stop_receiving=lambda: None))
            self.peers = cast("Any", SimpleNamespace())
            self.role, self.epoch, self.position, self.applied = rules.Role.REPLICA, 0, 0, 0
            self.because = ""
            self.following, self.history, self.waiting = "", (), False
            self._lock = threading.RLock()
            self._standing, self._handing = False, False
            self._since = self._waits_until = 0.0
            self._heard = self._content = time.monotonic() - 100
            self._promising, self._serves_from = threading.Lock(), 0.0
            self._answers = self._released = 0
            self._silence = self.settings.silence
            self.elected: list[int] = []

        def me(self) -> rules.View:
            return rules.View(name, self.role, self.promise.epoch, position=0, member=True, epoch=self.epoch)

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


def test_a_vote_that_was_given_during_a_trial_is_not_given_again(tmp_path: Path) -> None:
    """The first asks the third whether it would be elected; meanwhile the second asks the first, and is."""
    first, second, third = (_candidate(name, tmp_path) for name in NAMES)
    _asks(second, [first])
    _asks(first, [third], before=second.stands)
    assert not first.stands()
    assert second.elected == [2]
    assert first.elected == [], "two nodes were elected in one epoch"


def _primary(folder: Path) -> tuple[Any, list[str]]:
    """A primary of epoch 2 that can hand over, and what is asked of its database."""
    node, asked = _candidate("mysql1", folder), list[str]()
    node.role, node.epoch = rules.Role.PRIMARY, 2
    node.database = SimpleNamespace(
        close_to_writers=lambda: asked.append("close"),
        open=lambda: asked.append("open"),
        position=lambda: 7,
        demote=lambda: asked.append("demote"),
        stop_receiving=lambda: None,
    )
    replicas = [rules.View(one, rules.Role.REPLICA, promised=1, position=7, member=True) for one in NAMES[1:]]
    node.peers = SimpleNamespace(
        states=lambda: replicas,
        begin=lambda *_, **__: Future(),
        answered=lambda epoch: [
            (time.monotonic(), rules.View("mysql3", rules.Role.REPLICA, promised=epoch, member=True))
        ],
    )
    return node, asked


def test_a_successor_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "HANDED_SECONDS", -0.8)  # and half a patience
    node, asked = _primary(tmp_path)
    told = node.switchover("mysql2")
    assert (told["done"], told["primary"], asked) == (False, "mysql1", ["close", "open"])
    assert not node.handing


@pytest.mark.parametrize("closes", [True, False])
def test_a_primary_that_can_not_be_opened_again_steps_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, closes: bool
) -> None:
    """Otherwise it would be the primary, and refuse every write."""
    monkeypatch.setattr(election, "HANDED_SECONDS", -0.8)
    node, _ = _primary(tmp_path)

    def hangs() -> None:
        raise database.Trouble("no answer")

    node.database.open = hangs
    if not closes:
        node.database.close_to_writers = hangs
    ended: list[str] = []
    monkeypatch.setattr(node, "_fall", ended.append)
    assert not node.switchover("mysql2")["done"]
    assert ended == ["it can't be opened to writers (no answer)"]
    assert not node.handing


def test_a_handover_that_was_given_up_gets_no_vote(tmp_path: Path) -> None:
    """The successor goes on after a pause; the primary takes writes again, and keeps on doing so."""
    node, asked = _primary(tmp_path)
    answer = node.vote(epoch=3, position=7, candidate="mysql2", handover=2, agreed=1)
    assert (answer["granted"], answer["because"]) == (False, "it is the primary itself")
    assert (node.role, asked) == (rules.Role.PRIMARY, [])


def test_a_primary_that_was_elected_again_is_not_handing_over(tmp_path: Path) -> None:
    """It votes for a successor, which hangs then; an answer that is still awaited changes nothing of its next epoch."""
    node, asked = _primary(tmp_path)
    awaited: Future[dict[str, Any] | None] = Future()
    node.peers.begin = lambda *_, **__: awaited
    change = threading.Thread(target=node.switchover, args=("mysql2",))
    change.start()
    until = time.monotonic() + 5
    while not node.handing and time.monotonic() < until:
        time.sleep(0.01)
    assert node.vote(epoch=3, position=7, candidate="mysql2", handover=2, agreed=1)["granted"]
    node.role, node.epoch = rules.Role.PRIMARY, 4
    assert not node.handing
    awaited.set_result(None)
    change.join(5)
    assert not change.is_alive()
    assert asked == ["close", "demote"], "what it does with its epoch 4 is not for the change of epoch 2"


def test_who_is_asked_to_take_over_too_late_promises_nothing(tmp_path: Path) -> None:
    node = _candidate("mysql2", tmp_path)
    assert not node.stands_too_late()
    assert node.promise.epoch == 1


def test_who_is_alone_in_standing_is_elected(tmp_path: Path) -> None:
    first, _, third = (_candidate(name, tmp_path) for name in NAMES)
    _asks(first, [third])
    assert first.stands()
    assert first.elected == [2]


def test_who_has_answered_a_primary_elects_no_other_as_long_as_that_may_be_read_from(
    tmp_path: Path,
) -> None:
    first, _, third = (_candidate(name, tmp_path) for name in NAMES)
    _asks(first, [third])
    third.heard(leads=1)
    assert not first.stands(), "the voter has answered it"
    third.heard(leads=0, released=1)
    first.heard(leads=1)
    assert not first.stands(), "the candidate itself has answered it"
    first.waits()
    first.heard(leads=0)
    third.heard(leads=0)
    assert first.stands(), "a node that leads nothing is no primary"


def test_a_primary_of_an_older_epoch_binds_nobody(tmp_path: Path) -> None:
    first, _, third = (_candidate(name, tmp_path) for name in NAMES)
    _asks(first, [third])
    third.promise.keep(epoch=2)
    third.heard(leads=1)
    first.promise.keep(epoch=2)
    assert first.stands()


def test_a_primary_that_hands_over_is_not_waited_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(election, "STANDING_SECONDS", 0.1)
    first, _, third = (_candidate(name, tmp_path) for name in NAMES)
    _asks(first, [third])
    for one in (first, third):
        one.heard(leads=1)
    first.peers.states = list
    begun = time.monotonic()
    one = first.stand(handover=1, position=0)
    assert first.elected == [2], one
    assert first.serves_from >= begun + first.settings.refused, "the balancers still lead to the other one"


def test_a_primary_leads_by_the_answers_of_a_majority(tmp_path: Path) -> None:
    first = _candidate(NAMES[0], tmp_path)
    first.role, first.epoch = rules.Role.PRIMARY, 3

    def said(promised: int, name: str = NAMES[1]) -> rules.View:
        return rules.View(name, rules.Role.REPLICA, promised=promised, member=True)

    asked: dict[int, list[tuple[float, Any]]] = {}
    first.peers.answered = lambda epoch: asked.get(epoch, [])
    follows, voted, stranger = said(3), said(4), said(3, "mysql4")
    assert not first.serves
    asked[2] = [(time.monotonic(), follows)]
    assert not first.serves, "that was of an older epoch"
    asked[3] = [(time.monotonic(), follows), (time.monotonic() - 100, follows)]
    assert first.serves
    asked[3] = [(time.monotonic() - first.settings.lease, follows)]
    assert not first.serves
    asked[3] = [(time.monotonic(), stranger)]
    assert not first.serves, "it is no member"
    asked[3] = [(time.monotonic(), voted)]
    assert not first.serves, "it answers late, and has elected another one meanwhile"


@given(
    patience=st.floats(0.5, 600), inter=st.floats(0.1, 60), fastinter=st.floats(0.1, 60), timeout=st.floats(0.1, 60),
    fall=st.integers(1, 100),
)  # fmt: skip
def test_the_silence_outlasts_what_may_lead_to_the_old_primary(patience: float, **watched: float) -> None:
    """By the formulas of role.yaml: of balancers that hear of it, and of those that hear nothing."""
    where = declared("mysql-fails-over").declared.where
    known = watched | {"patience": patience}
    for part in ("look", "refused", "silent"):
        known[part] = evaluated(where[part], known)
    one = _settings("mysql1", {}, patience, **watched)
    assert one.silent == pytest.approx(known["silent"])
    assert one.lease + one.refused == pytest.approx(known["refused"])
    assert one.silence > max(known["silent"], one.lease + one.refused)
