"""A node of the Galera cluster whose database and network are plain values: what fails is tried again, or is ended."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from pathlib import Path

from lab_node.keeper import bootstrap, component, database, galera, promise, wsrep
from lab_node.keeper.component import Seat
from lab_node.keeper.rules import Role
from lab_node.keeper.settings import Settings

NAMES = ("mysql1", "mysql2", "mysql3")
NODES = {name: f"10.90.0.5{number}" for number, name in enumerate(NAMES, 1)}
CHECKS = {"inter": 0.5, "fastinter": 0.1, "timeout": 0.5, "fall": 2}
FIGURES = wsrep.Figures(primary=True, synced=True, state="Synced", position=7, members=tuple(NODES.values()))


class Statements:
    """A database that notes what it is asked, and fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: set[str] = set()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any method of a database
        return lambda *statement, **_: self._do(" ".join([name, *map(str, statement[:1])]))

    def _do(self, what: str) -> list[dict[str, Any]]:
        self.asked.append(what)
        if any(part in what for part in self.fails):
            raise database.Trouble("no answer")
        return []

    def ends(self, part: str) -> int:
        """How often something was asked."""
        return sum(part in what for what in self.asked)


class PlainGalera(galera.Galera):
    """mysql1, in a component in which it takes the writes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.runs: list[list[str]] = []
        self.killed = 0
        self.asked_at = 0.0  # when the others were asked; 0: now
        self.epochs: list[tuple[int, str, int]] = [(2, "mysql1", 5)]
        self.views: list[Seat] = [_seat(name) for name in NAMES[1:]]
        self.plain_server = server = SimpleNamespace(
            replace=lambda _: None,
            prepare=lambda: None,
            refuse_two=lambda: None,
            running=True,
            failures=0,
            ended=lambda: False,
            kill=self._kills,
            run=self._runs,
        )
        monkeypatch.setattr("lab_node.keeper.node.Server", lambda _: server)
        monkeypatch.setattr("lab_node.keeper.node.Database", lambda _: Statements())
        monkeypatch.setattr(
            "lab_node.keeper.node.Peers", lambda *_: SimpleNamespace(states=lambda: self.views, last=self._last)
        )
        monkeypatch.setattr("lab_node.keeper.node.HOME", folder)
        monkeypatch.setattr(wsrep, "epochs", lambda _: self.epochs)
        monkeypatch.setattr(wsrep, "figures", lambda *_: FIGURES)
        super().__init__(Settings("galera", "mysql1", 1, NODES, 2.0, 5.0, "", {"mariadbd": "mariadbd"}, CHECKS))
        self.promise = promise.Promise(folder / "keeper.json", "galera")
        self.promise.keep(member=True, epoch=2, begun=(2, "mysql1"))
        self.said = cast("Statements", self.database)

    def _last(self, _: str) -> tuple[float, None]:
        return self.asked_at or time.monotonic(), None

    def _kills(self) -> None:
        self.killed += 1

    def _runs(self, options: list[str]) -> None:
        self.runs.append(options)

    @property
    def handing(self) -> bool:
        return self._handing

    def step(self, later: float = 0.0) -> None:
        """One, as `run` does it, some seconds later."""
        self._contact = time.monotonic()
        try:
            with self._lock:
                self._step(self.views, time.monotonic() + later)
        except database.Trouble as error:
            self._say(str(error))

    def vote_for(self, candidate: str) -> None:
        """As the candidate asks for it."""
        assert self._vote(epoch=3, reach=[2, 7], candidate=candidate)["granted"]

    def refusal(self, candidate: str) -> str:
        """Why a candidate of a later epoch gets no vote."""
        epoch = self.promise.epoch + 1
        return str(self._vote(epoch=epoch, reach=[2, 7], candidate=candidate)["because"])

    def stops(self) -> None:
        """Its database ends."""
        self.plain_server.running = False
        self.role = Role.DOWN
        self._start_at = 0.0
        self._read = ("uuid", 7)

    def forgets(self) -> None:
        """What is on its disk."""
        self._read = None


def _seat(name: str, **values: Any) -> Seat:
    known: dict[str, Any] = {"running": True, "component": True, "promised": 2, "begun": 2, "writer": "mysql1"}
    return Seat(**(known | {"name": name, "role": Role.REPLICA, "position": 7, "member": True} | values))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainGalera:
    """A node that takes the writes."""
    made = PlainGalera(tmp_path, monkeypatch)
    made.step()
    assert (made.role, made.said.ends("open")) == (Role.PRIMARY, 1)
    return made


def test_a_former_writer_is_closed_although_its_database_did_not_answer_once(node: PlainGalera) -> None:
    """It was called a replica then, and stayed open: two nodes took writes."""
    node.epochs.append((3, "mysql2", 7))
    node.said.fails = {"read_only"}
    node.step()
    assert (node.role, node.serves) == (Role.REPLICA, False)
    node.said.fails = set()
    node.step()
    assert (node.said.ends("read_only = ON"), node.said.ends("disconnect")) == (2, 1)
    node.step()
    assert node.said.ends("read_only = ON") == 2, "it is closed"


@pytest.mark.parametrize("fails", ["close_to_writers", "INSERT"])
def test_a_planned_change_that_fails_leaves_a_writer(node: PlainGalera, fails: str) -> None:
    node.said.fails = {fails}
    assert node.switchover("mysql2")["because"] == "no answer"
    assert (node.role, node.handing, node.said.ends("open")) == (Role.PRIMARY, False, 2)


def test_a_planned_change_after_which_nothing_answers_ends_the_database(node: PlainGalera) -> None:
    """`handing over` stayed on, and the node took no writes when it was the writer again."""
    node.said.fails = {"INSERT", "open"}
    assert not node.switchover("mysql2")["done"]
    assert (node.role, node.handing) == (Role.DOWN, False)


def test_a_change_that_began_is_not_taken_back(node: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its epoch is another node's: connections that could not be ended are no reason to open this one again."""
    monkeypatch.setattr(galera, "SHARED_SECONDS", 0.0)
    node.said.fails = {"disconnect"}
    node.switchover("mysql2")
    assert (node.role, node.said.ends("open")) == (Role.REPLICA, 1)
    node.epochs.append((3, "mysql2", 7))
    node.said.fails = set()
    node.step()
    assert node.said.ends("disconnect") == 2


def test_who_voted_waits_while_its_candidate_begins(node: PlainGalera) -> None:
    """A database that recovers for longer than a patience is no reason for a second component."""
    node.stops()
    node.views = [_seat("mysql2", running=False, component=False), _seat("mysql3", running=False, component=False)]
    node.vote_for("mysql3")
    node.views[1] = _seat("mysql3", component=False)
    node.stops()
    node.step()
    assert node.because == "mysql3, for which it voted, begins"
    assert node.runs == []


def test_a_voter_votes_for_no_other_while_its_candidate_begins(node: PlainGalera) -> None:
    node.stops()
    node.views = [_seat("mysql2", running=False, component=False), _seat("mysql3", running=False, component=False)]
    node.vote_for("mysql3")
    node.views[1] = _seat("mysql3", component=False)
    assert node.refusal("mysql2") == "mysql3, for which it voted, begins"
    assert node.refusal("mysql3") == ""


def test_a_former_writer_that_can_not_be_closed_is_ended(node: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that runs on would keep it open beside the new one."""
    monkeypatch.setattr(galera, "CLOSE_PATIENCES", -1)
    node.epochs.append((3, "mysql2", 7))
    node.said.fails = {"read_only"}
    node.step()
    assert (node.role, node.killed) == (Role.DOWN, 1)


def test_donors_take_turns(node: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, whose disk is full, was asked for ever."""
    asked: list[str] = []

    def copy(_: object, donor: str, epoch: int, **__: object) -> SimpleNamespace:
        asked.append(donor)
        return SimpleNamespace(fetching=False, fresh=None, donor=donor, epoch=epoch, failed="its disk is full")

    monkeypatch.setattr(bootstrap, "Copy", copy)
    monkeypatch.setattr(bootstrap, "COPY_AGAIN_SECONDS", 0.0)
    node.stops()
    node.reclone()
    for _ in range(6):
        node.step()
    assert asked == ["mysql2", "mysql3", "mysql2"]
    assert "its disk is full" in node.because
    assert node.runs == []


def test_a_copy_is_run_once(node: PlainGalera, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = SimpleNamespace(fetching=False, fresh=tmp_path, donor="mysql2", epoch=2, failed="", origin=("uuid", 9))
    monkeypatch.setattr(bootstrap, "Copy", lambda *_, **__: made)
    monkeypatch.setattr(wsrep, "remember", lambda *_: None)
    node.stops()
    node.reclone()
    node.step()
    node.step()
    assert (node.runs, node.copies) == ([["--wsrep-start-position=uuid:9"]], 1)


def test_a_writer_that_was_paused_serves_when_it_is_confirmed_again(
    node: PlainGalera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that it took the writes until its database noticed that the others had gone on: reads went back."""
    said = [node.state()["serves"]]
    monkeypatch.setattr(galera, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 2.1))
    said.append(node.state()["serves"])
    monkeypatch.setattr(galera, "time", time)
    node.views = [_seat(name, begun=3, writer="mysql2", promised=3) for name in NAMES[1:]]
    node.step()
    said.append(node.state()["serves"])
    assert said == [True, False, False]


def test_a_writer_that_was_paused_is_not_confirmed_by_what_was_said_before(
    node: PlainGalera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database answered first: for a moment two nodes said that they take the writes."""
    before = time.monotonic()
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 2.1)
    monkeypatch.setattr(galera, "time", later)
    node.asked_at = before
    node.step()
    assert (node.role, node.state()["serves"], node.said.ends("read_only = ON")) == (Role.PRIMARY, False, 0)
    node.asked_at = later.monotonic()
    node.step(2.1)
    assert node.state()["serves"]


def test_a_writer_whose_database_ended_opens_in_another_epoch(node: PlainGalera) -> None:
    """The others, in whose component it is again, may have begun one while it joined."""
    node.stops()
    node.step()
    node.plain_server.running = True
    node.step()
    assert (node.runs, node.role, node.said.ends("INSERT")) == ([["--wsrep-start-position=uuid:7"]], Role.REPLICA, 1)
    node.epochs.append((3, "mysql1", 7))
    node.views = [_seat(name, begun=3, promised=3) for name in NAMES[1:]]
    node.step()
    assert (node.role, node.serves, node.said.ends("INSERT")) == (Role.PRIMARY, True, 1)


@pytest.mark.parametrize(
    ("writer", "begins"),
    [
        ({"component": False, "role": Role.DOWN}, 1),
        ({"component": False, "role": Role.PRIMARY}, 0),
        ({"role": Role.PRIMARY}, 0),
    ],
    ids=["waits for a copy", "does not answer", "serves"],
)
def test_another_node_takes_over_from_a_writer_that_is_down(
    node: PlainGalera, writer: dict[str, Any], begins: int
) -> None:
    """Galera counts one that waits for a copy: nothing took writes for as long as that took."""
    node.epochs.append((3, "mysql2", 7))
    node.views = [_seat(name, begun=3, writer="mysql2", promised=3) for name in NAMES[1:]]
    node.views[0] = _seat("mysql2", **({"begun": 3, "writer": "mysql2", "promised": 3} | writer))
    node.step()
    assert (node.role, node.said.ends("INSERT")) == (Role.REPLICA, begins)


def test_a_database_that_answers_late_once_is_not_ended(node: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be slow by load; one that does not answer the next question either hangs."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    node.step()
    assert node.serves

    def none(_: object, seconds: float) -> wsrep.Figures:
        clock[0] += seconds
        raise database.Trouble("no answer")

    look = 0.2
    for late in (1, 2):
        clock[0] += look
        monkeypatch.setattr(wsrep, "figures", none)
        node.step()
        assert (node.serves, node.killed) == (False, 0), "balancers remove it at once"
        clock[0] += look
        if late == 1:
            monkeypatch.setattr(wsrep, "figures", lambda *_: FIGURES)
            node.step()
            assert node.killed == 0
    node.step()
    assert node.killed == 1


def test_a_node_confirms_no_writer_that_is_not_in_its_component(
    node: PlainGalera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose database hung opened again by what the others remembered, just before they replaced it."""
    node.epochs.append((3, "mysql2", 7))
    node.views = [_seat(name, begun=3, writer="mysql2", promised=3) for name in NAMES[1:]]
    node.step()
    assert node.state()["writer"] == "mysql2"
    left = replace(FIGURES, members=(NODES["mysql1"], NODES["mysql3"]))
    monkeypatch.setattr(wsrep, "figures", lambda *_: left)
    node.step()
    assert (node.state()["writer"], node.me().writer) == ("", "mysql2")


def test_a_node_that_ended_amid_a_change_of_a_definition_is_copied(
    node: PlainGalera, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the keeper: Galera's own copy sleeps for ten seconds first."""
    state = tmp_path / "grastate.dat"
    monkeypatch.setattr(wsrep, "STATE", state)
    monkeypatch.setattr(bootstrap, "Copy", lambda *_, **__: SimpleNamespace(fetching=True, donor="mysql2"))
    for uuid, copied in (("863154aa-ebbf-11f1-8a0b-4b0fa26c1815", False), (wsrep.NOBODY, True)):
        state.write_text(f"# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   -1\n")
        node.stops()
        node.runs.clear()
        for _ in range(3):
            node.step()
        assert (node.runs == []) is copied
        assert ("amid a change of a definition" in node.because) is copied


@pytest.fixture
def full(node: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> PlainGalera:
    """The same, and its data disk has 1,000 bytes left."""
    disk = SimpleNamespace(f_bavail=1000, f_frsize=1)
    monkeypatch.setattr("lab_node.keeper.node.os", SimpleNamespace(statvfs=lambda _: disk))
    return node


def test_a_node_whose_disk_is_full_leaves_if_the_others_go_on(full: PlainGalera) -> None:
    """Its statements would fail, and it would stay the writer."""
    full.step()
    assert (full.role, full.killed, full.because) == (Role.DOWN, 1, "its data disk is full")


@pytest.mark.parametrize("third", [{"full": True}, {"component": False}])
def test_it_stays_if_they_can_not(full: PlainGalera, third: dict[str, bool]) -> None:
    full.views = [_seat("mysql2"), _seat("mysql3", **third)]
    full.step()
    assert (full.role, full.killed) == (Role.PRIMARY, 0)
    assert full.state()["because"] == "its data disk is full"


def test_its_database_starts_when_there_is_space(full: PlainGalera, monkeypatch: pytest.MonkeyPatch) -> None:
    full.stops()
    full.step()
    assert (full.runs, full.because) == ([], "its data disk is full: mariadbd starts when there is space")
    monkeypatch.undo()
    monkeypatch.setattr("lab_node.keeper.node.HOME", full.folder)
    full.step()
    assert len(full.runs) == 1


def test_another_node_begins_when_the_first_of_equals_is_full() -> None:
    first, second, third = (
        _seat(name, running=False, component=False, role=Role.DOWN, full=name == "mysql1") for name in NAMES
    )
    assert component.short_of(second, [first, third], len(NAMES)) == ""
    assert component.short_of(first, [second, third], len(NAMES)) == "mysql2 has more, and begins"


def test_others_are_told_of_it_and_an_older_version_says_nothing(full: PlainGalera) -> None:
    state = full.state()
    assert component.seat(state).full
    del state["full"]
    assert not component.seat(state).full
