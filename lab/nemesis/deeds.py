"""What is done to the cluster in a round, and reverted: each kind of `rounds.KINDS`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults import Crash, Cut, Fill, Hang, Kill, Pause, SkewedClock
from lab.nemesis.interrupted import interrupted
from lab.services.mysql import members, request_copy, switchover
from lab.topology import Mysql

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.faults import Fault
    from lab.nemesis.field import Field
    from lab.nemesis.rounds import Act, NemesisRound
    from lab.topology import Cluster

CLONE_SECONDS = 20.0
PROMOTED_SECONDS = 30.0
PRIMARY_SECONDS = 10.0
VOLUME = "data"
DATABASE_PROCESS, KEEPER_PROCESS = "mariadbd", "keeper/main.py"


class UndoneError(LabError):
    """What the round needs did not come about, and that breaks no promise: the round shows nothing."""


def play(field: Field, one: NemesisRound) -> None:
    """A round's faults, done and reverted.

    Raises:
        UndoneError: what it needs did not come about.
        LabError: a fault could not be done, or a node did not become ready when it was reverted.
    """
    several: dict[str, Callable[[Field, NemesisRound], None]] = {
        "cut-all": _cut_all,
        "cut-replicas": _cut_replicas,
        "power-loss": _power_loss,
        "kill-in-clone": _kill_in_clone,
        "kill-in-promotion": _kill_in_promotion,
        "switchovers": _switchovers,
        "up-interrupted": _up_interrupted,
        "scale-interrupted": _scale_interrupted,
    }
    several.get(one.kind, _acts)(field, one)


def fault_of(field: Field, act: Act) -> Fault:
    """What an act does to its node."""
    nodes = (field.names[act.place],)
    sized = field.backend.capabilities().sized_volumes
    made: dict[str, Callable[[], Fault]] = {
        "kill": lambda: Kill(nodes),
        "pause": lambda: Pause(nodes),
        "cut-off": lambda: Cut(nodes),
        "deaf": lambda: Cut(nodes, (), "in"),
        "mute": lambda: Cut(nodes, (), "out"),
        "crash": lambda: Crash(nodes, DATABASE_PROCESS),
        "hang": lambda: Hang(nodes, DATABASE_PROCESS),
        "keeper-hangs": lambda: Hang(nodes, KEEPER_PROCESS),
        "fill": lambda: Fill(nodes, VOLUME if sized else "/tmp"),  # noqa: S108  in the node
        "clock": lambda: SkewedClock(nodes, 60),
    }
    return made[act.kind]()


def _acts(field: Field, one: NemesisRound) -> None:
    with ExitStack() as stack:
        for act in one.acts:
            stack.enter_context(field.broken(fault_of(field, act)))
        field.wait(one.seconds)


def _cut_all(field: Field, one: NemesisRound) -> None:
    names = tuple(field.names)
    with field.broken(Cut(names, names)):
        field.wait(one.seconds)


def _cut_replicas(field: Field, one: NemesisRound) -> None:
    with field.broken(Cut((field.names[0],), tuple(field.names[1:]))):
        field.wait(one.seconds)


def _power_loss(field: Field, one: NemesisRound) -> None:
    with field.broken(Kill(tuple(field.names))):
        field.wait(one.seconds)


def _kill_in_clone(field: Field, one: NemesisRound) -> None:
    made_anew, killed = (field.names[act.place] for act in one.acts)
    try:
        request_copy(field.backend, made_anew)
    except LabError as error:
        raise UndoneError(f"{made_anew} was not made anew: {error.what}") from error
    cloning = lambda: field.backend.run(made_anew, ["test", "-d", "/var/lib/mysql/data.clone"]).ok  # noqa: E731
    try:
        field.backend.clock.until(f"{made_anew} to be made anew", CLONE_SECONDS, cloning)
    except LabError as error:
        raise UndoneError(f"no copy was seen on its way to {made_anew} ({error.what})") from error
    with field.broken(Kill((killed,))):
        field.wait(one.seconds)


def _kill_in_promotion(field: Field, one: NemesisRound) -> None:
    first = field.names[0]
    with ExitStack() as stack:
        stack.enter_context(field.broken(Kill((first,))))
        second = field.backend.clock.until("a promotion", PROMOTED_SECONDS, lambda: _promoted(field, first), bool)
        stack.enter_context(field.broken(Kill((second,))))
        field.wait(one.seconds)


def _promoted(field: Field, before: str) -> str:
    """The node that takes the place of another, as soon as it says so."""
    found = members(field.backend)
    return next((one.name for one in found if one.role in ("promoting", "primary") and one.name != before), "")


def _switchovers(field: Field, one: NemesisRound) -> None:
    for _ in range(one.count):
        with field.noted("switchover", "switchover", field.names):
            try:
                field.notes.append(f"{switchover(field.backend, '')} took over")
            except LabError as error:
                field.notes.append(f"refused: {error.what}")
                one_serves = lambda: sum(one.serves for one in members(field.backend)) == 1  # noqa: E731
                field.backend.clock.until("a primary", PRIMARY_SECONDS, one_serves)


def _up_interrupted(field: Field, one: NemesisRound) -> None:
    options = field.cluster.mysql or Mysql()
    other = options.model_copy(update={"patience": options.patience + 1})
    _interrupted(field, one, field.cluster.model_copy(update={"mysql": other}), "with a longer patience")


def _scale_interrupted(field: Field, one: NemesisRound) -> None:
    options = field.cluster.mysql or Mysql()
    other = options.model_copy(update={"count": 1})
    _interrupted(field, one, field.cluster.model_copy(update={"mysql": other}), "with one mysql node")


def _interrupted(field: Field, one: NemesisRound, other: Cluster, what: str) -> None:
    text = f"lab up {what}, killed after {one.count} lines"
    with field.noted("up", text, field.names):
        field.notes.append(interrupted(other, field.place, one.count))
        field.notes.append(interrupted(field.cluster, field.place, None))
