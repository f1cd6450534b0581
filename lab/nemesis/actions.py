"""The actions of each kind of round (`rounds.KINDS`), with their reverts."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults import Crash, Cut, Fill, Hang, Kill, Pause, SkewedClock
from lab.nemesis.bounds import PRIMARY_SECONDS, with_longer_patience
from lab.nemesis.interrupted import interrupted
from lab.services.mysql import members, request_copy, switchover
from lab.topology import Mysql

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.faults import Fault
    from lab.nemesis.context import RoundContext
    from lab.nemesis.rounds import Act, NemesisRound
    from lab.services.mysql import Member
    from lab.topology import Cluster

CLONE_SECONDS = 20.0
PROMOTED_SECONDS = 30.0
VOLUME = "data"
DATABASE_PROCESS, KEEPER_PROCESS = "mariadbd", "lab_node.keeper"


class RoundSkippedError(LabError):
    """A precondition of the round was not met, which breaks no promise: the round is skipped."""


def play(context: RoundContext, one: NemesisRound) -> None:
    """Executes the faults of a round, and reverts them.

    Raises:
        RoundSkippedError: a precondition was not met.
        LabError: an injection failed, or a node did not become ready after the revert.
    """
    several: dict[str, Callable[[RoundContext, NemesisRound], None]] = {
        "cut-all": _cut_all,
        "cut-replicas": _cut_replicas,
        "power-loss": _power_loss,
        "kill-in-clone": _in_clone,
        "pause-in-clone": _in_clone,
        "kill-in-promotion": _kill_in_promotion,
        "switchovers": _switchovers,
        "up-interrupted": _up_interrupted,
        "scale-interrupted": _scale_interrupted,
    }
    several.get(one.kind, _acts)(context, one)


def fault_of(context: RoundContext, act: Act) -> Fault:
    """The fault of an act."""
    nodes = (context.names[act.place],)
    faults: dict[str, Callable[[], Fault]] = {
        "kill": lambda: Kill(nodes),
        "pause": lambda: Pause(nodes),
        "cut-off": lambda: Cut(nodes),
        "deaf": lambda: Cut(nodes, (), "in"),
        "mute": lambda: Cut(nodes, (), "out"),
        "crash": lambda: Crash(nodes, DATABASE_PROCESS),
        "hang": lambda: Hang(nodes, DATABASE_PROCESS),
        "keeper-hangs": lambda: Hang(nodes, KEEPER_PROCESS),
        "fill": lambda: Fill(nodes, VOLUME),
        "clock": lambda: SkewedClock(nodes, 60),
    }
    return faults[act.kind]()


def _acts(context: RoundContext, one: NemesisRound) -> None:
    with ExitStack() as stack:
        for act in one.acts:
            stack.enter_context(context.broken(fault_of(context, act)))
        context.wait(one.seconds)


def _cut_all(context: RoundContext, one: NemesisRound) -> None:
    names = tuple(context.names)
    with context.broken(Cut(names, names)):
        context.wait(one.seconds)


def _cut_replicas(context: RoundContext, one: NemesisRound) -> None:
    with context.broken(Cut((context.names[0],), tuple(context.names[1:]))):
        context.wait(one.seconds)


def _power_loss(context: RoundContext, one: NemesisRound) -> None:
    with context.broken(Kill(tuple(context.names))):
        context.wait(one.seconds)


def _in_clone(context: RoundContext, one: NemesisRound) -> None:
    """The first act is the copy, the second the fault during it."""
    clone, fault = one.acts
    cloned = context.names[clone.place]
    try:
        request_copy(context.backend, cloned)
    except LabError as error:
        raise RoundSkippedError(f"{cloned} was not cloned: {error.what}") from error
    cloning = lambda: context.backend.run(cloned, ["test", "-d", "/var/lib/mysql/data.clone"]).ok  # noqa: E731
    try:
        context.backend.clock.until(f"{cloned} to be cloned", CLONE_SECONDS, cloning)
    except LabError as error:
        raise RoundSkippedError(f"no transfer to {cloned} was observed ({error.what})") from error
    with context.broken(fault_of(context, fault)):
        context.wait(one.seconds)


def _kill_in_promotion(context: RoundContext, one: NemesisRound) -> None:
    first = context.names[0]
    with ExitStack() as stack:
        stack.enter_context(context.broken(Kill((first,))))
        promoted = lambda: _promoted(context, first)  # noqa: E731
        second = context.backend.clock.until("a promotion", PROMOTED_SECONDS, promoted, bool)[0]
        stack.enter_context(context.broken(Kill((second.name,))))
        context.notes.append(f"{second.name} was killed while its role was '{second.role}'")
        context.wait(one.seconds)


def _promoted(context: RoundContext, before: str) -> list[Member]:
    """The node that is being promoted, or is the new primary; none before."""
    return [one for one in members(context.backend) if one.role in ("promoting", "primary") and one.name != before]


def _switchovers(context: RoundContext, one: NemesisRound) -> None:
    for _ in range(one.count):
        with context.noted("switchover", "switchover", context.names):
            try:
                context.notes.append(f"{switchover(context.backend, '')} took over")
            except LabError as error:
                context.notes.append(f"refused: {error.what}")
                one_serves = lambda: sum(one.serves for one in members(context.backend)) == 1  # noqa: E731
                context.backend.clock.until("a primary", PRIMARY_SECONDS, one_serves)


def _up_interrupted(context: RoundContext, one: NemesisRound) -> None:
    _interrupted(context, one, with_longer_patience(context.cluster), "with a longer patience")


def _scale_interrupted(context: RoundContext, one: NemesisRound) -> None:
    options = context.cluster.mysql or Mysql()
    other = options.model_copy(update={"count": 1})
    _interrupted(context, one, context.cluster.model_copy(update={"mysql": other}), "with one mysql node")


def _interrupted(context: RoundContext, one: NemesisRound, other: Cluster, what: str) -> None:
    text = f"lab up {what}, killed after {one.count} lines"
    with context.noted("up", text, context.names):
        context.notes.append(interrupted(other, context.place, one.count))
        context.notes.append(interrupted(context.cluster, context.place, None))
