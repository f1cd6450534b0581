"""What the buttons do: the same functions as the verbs of `lab`, each in a thread, and each for a time."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import State
from lab.backends.optional import noted
from lab.errors import LabError, SpecError
from lab.faults import fault, heal, inject, present, targets
from lab.lifecycle import origin
from lab.lifecycle.endings import Endings
from lab.lifecycle.expected import expected
from lab.lifecycle.lock import held
from lab.lifecycle.resolve import as_many
from lab.page import offers
from lab.progress import Silent
from lab.services import losses, sites
from lab.services.live import SWITCHOVERS
from lab.topology import reloaded, units
from lab.topology.changes import scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lab.page.collector import Collector
    from lab.page.offers import Offer
    from lab.topology import Cluster

SHOWN = 8  # finished works that stay in the list
LONGEST_SECONDS = 3600.0
END_SECONDS = 90.0
HEAL_SECONDS = 15.0  # that 'heal' gives the works to revert their faults themselves
PARSED: dict[str, Callable[[str], float]] = {"delay": units.seconds, "loss": units.percent}


@dataclass(frozen=True)
class Work:
    """Something that a button began.

    Attributes:
        state: `running`, `done` or `failed`.
        message: the current step, or the result; `said` in the state.
        until: when it is reverted by itself (Unix seconds); None where it is not, or not yet known.
        link: what to open, such as a report; empty for nothing.
    """

    id: int
    command: str
    begun: float
    state: str = "running"
    message: str = ""
    until: float | None = None
    ended: float | None = None
    link: str = ""


def _shown(work: Work) -> dict[str, Any]:
    """A work as a value of the state."""
    fields = asdict(work)
    return {"said" if key == "message" else key: value for key, value in fields.items()}


class WorkReport(Silent):
    """A report that keeps the last line, as the current step of a work."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def say(self, line: str) -> None:
        self._tell(line)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        if not done:
            self._tell(f"{subject}: {text}")


class Actions:
    """The works of the page, and the offers.

    Attributes:
        works: running and finished ones, by number.
        suffix: options that say which cluster, for the shown commands.
        named: adds them to the commands of a text.
    """

    def __init__(self, collector: Collector, suffix: str = "", named: Callable[[str], str] = str) -> None:
        self.suffix, self.named = suffix, named
        self._collector, self._backend = collector, collector.backend
        self.works: dict[int, Work] = {}
        self._stops: dict[int, threading.Event] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] = {}
        self._lasting: set[str] = set()  # marks of the faults without a time that this page injected
        collector.extra.append(self._values)
        collector.busy.append(self.busy)

    @property
    def offered(self) -> dict[str, Offer]:
        """The offers, by what the backend can do; asked once."""
        if not self._offers:
            self._offers = offers.offers(self._backend.capabilities())
        return self._offers

    def busy(self) -> bool:
        """Whether a work is running."""
        return any(work.state == "running" for work in list(self.works.values()))

    def do(self, name: str, target: str, settings: Mapping[str, str]) -> Work:
        """Begins what a button offers.

        Args:
            name: of the offer.
            target: a node, or what `lab fault` takes as a target.
            settings: by name; `for` is the time, `none` for no end.

        Raises:
            SpecError: not valid; nothing was begun.
        """
        offer = offers.named(name, self.offered)
        parameters = {key: value for key, value in settings.items() if value}
        span = parameters.pop("for", offers.DEFAULT_SPAN)
        values = {**parameters, "target": target, "role": target, "for": span}
        shown = replace(offer, command=offer.command.replace(" --for {for}", "")) if span == "none" else offer
        text = offers.command(shown, values, self.suffix)
        seconds = None if span == "none" else units.seconds(span)
        if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
            raise SpecError(f"{span} is not possible", where="for", next_step="at most an hour, or 'none'")
        if offer.timed:
            nodes = targets(self._backend, target, random.Random())  # noqa: S311  a choice, no secret
            return self.begin(text, lambda tell, stop: self._fault(name, nodes, parameters, seconds, tell, stop), nodes)
        act = {"start": self._start, "switchover": self._switchover, "scale": self._scale}[name]
        return self.begin(text, lambda tell, _: act(target, parameters, tell))

    def begin(
        self,
        command: str,
        act: Callable[[Callable[..., None], threading.Event], str],
        nodes: Sequence[str] | None = None,
    ) -> Work:
        """Begins a work in a thread of its own.

        Args:
            command: as shown.
            act: is given how to tell what it is at, and when to stop.
            nodes: those that it is about; None: not known beforehand.
        """
        number = next(self._numbers)
        stop = threading.Event()
        work = Work(number, command, self._collector.now())
        with self._lock:
            self.works[number] = work
            self._stops[number] = stop
            for old in [one.id for one in self.works.values() if one.state != "running"][:-SHOWN]:
                del self.works[old]
        self._collector.attend(nodes)
        thread = threading.Thread(target=self._run, args=(number, act, stop), name=f"page work {number}", daemon=True)
        self._threads[number] = thread
        thread.start()
        return work

    def heal(self) -> Work:
        """Ends all faults, those of other commands too, and starts the nodes that are down."""
        for number, stop in list(self._stops.items()):
            if self.works.get(number) and self.works[number].state == "running":
                stop.set()
        return self.begin(" ".join(filter(None, ("lab heal", self.suffix))), lambda tell, _: self._heal(tell), ())

    def end(self) -> int:
        """Ends all works, and waits until their faults are reverted, those `until healed` too.

        Returns:
            How many works were running.

        Raises:
            LabError: a fault could not be reverted.
        """
        alive = [thread for thread in self._threads.values() if thread.is_alive()]
        for stop in list(self._stops.values()):
            stop.set()
        with contextlib.suppress(LabError):  # tried again, as a work may have been injecting
            self._revert_lasting()
        _join(alive, self._backend.clock.guard(END_SECONDS))
        self._revert_lasting()
        return len(alive)

    def _revert_lasting(self) -> None:
        """Reverts the faults without a time that this page injected and that are still active."""
        if self._lasting:
            marks = [one.mark for one in present(self._backend) if one.mark in self._lasting]
            if marks:
                heal(self._backend, marks)

    def _run(
        self, number: int, act: Callable[[Callable[..., None], threading.Event], str], stop: threading.Event
    ) -> None:
        def tell(message: str | None = None, **changes: Any) -> None:
            self._change(number, **({"message": message} if message is not None else {}), **changes)

        try:
            message = act(tell, stop)
            self._change(number, state="done", message=message, ended=self._collector.now(), until=None)
        except LabError as error:
            more = f" ({error.next_step})" if error.next_step else ""
            self._fail(number, self.named(f"{error.what}{more}"))
            self._collector.say("", "page", f"failed: {self.works[number].command}", str(error))
        except Exception as error:
            self._fail(number, f"{type(error).__name__}: {error}")
            raise
        finally:
            self._stops.pop(number, None)
            self._collector.engine.now()

    def _fail(self, number: int, message: str) -> None:
        self._change(number, state="failed", message=message, ended=self._collector.now(), until=None)

    def _change(self, number: int, **changes: Any) -> None:
        with self._lock:
            self.works[number] = replace(self.works[number], **changes)

    def _values(self) -> dict[str, Any]:
        with self._lock:
            works = list(self.works.values())
        return {f"work/{work.id}": _shown(work) for work in works}

    def _fault(  # noqa: PLR0913, PLR0917  the parts of a fault
        self,
        name: str,
        nodes: tuple[str, ...],
        parameters: Mapping[str, str],
        seconds: float | None,
        tell: Callable[..., None],
        stop: threading.Event,
    ) -> str:
        """Injects a fault, verifies it, and reverts it after a time or when it is told to."""
        values: dict[str, Any] = {
            key: PARSED[key](value) if key in PARSED else value for key, value in parameters.items()
        }
        if others := values.pop("from", ""):
            values["others"] = targets(self._backend, others, random.Random())  # noqa: S311
        chosen = fault({"kind": name, "nodes": nodes, **values})
        tell("the probes come closer")
        self._collector.close()
        tell("injecting")
        self._collector.hurried += 1
        if name == "kill":
            self._collector.doomed |= dict.fromkeys(nodes, self._collector.now())
        self._collector.attend(nodes)
        try:
            injected = inject(self._backend, chosen)
        finally:
            self._collector.hurried -= 1
            for node in nodes:
                self._collector.doomed.pop(node, None)
        self._collector.engine.now()
        if seconds is None:
            self._lasting.add(injected.mark)
            healing = self.named(f"'lab heal {injected.mark}'")
            return f"{injected.proof}; {healing} reverts it, and so does the end of this page"
        until = injected.begun + seconds
        tell(injected.proof, until=until)
        self._collector.faults.tell(injected.mark, until=until)
        self._backend.clock.wait(until - self._collector.now(), stop)
        tell("reverting", until=None)
        self._collector.attend(nodes)
        self._collector.faults.tell(injected.mark, mending=self._collector.now())
        if any(one.mark == injected.mark for one in present(self._backend)):
            injected.heal()
        return "reverted"

    def _start(self, target: str, _: Mapping[str, str], tell: Callable[..., None]) -> str:
        tell("starting")
        self._collector.engine.now()
        if not Endings(self._backend.observe(), self._backend).start(target):
            return f"{target} has booted; it is by hand, and its services are not awaited"
        return f"{target} is ready"

    def _switchover(self, target: str, _: Mapping[str, str], tell: Callable[..., None]) -> str:
        tell("handing over")
        self._collector.close()
        role = next(node.role for node in self._backend.observe().nodes if node.name == target)
        return f"{SWITCHOVERS[role].act(self._backend, target)} is the primary now"

    def _scale(self, role: str, parameters: Mapping[str, str], tell: Callable[..., None]) -> str:
        from lab.lifecycle.up import up

        change, report = f"{role}={parameters.get('count', '')}", WorkReport(tell)
        scaled(self._collector.topology, [change])  # what is not valid is refused before anything is awaited
        with held(self._backend.cluster, f"lab up --scale {change}", report):
            topology = scaled(self._current(), [change])
            folders = sites.folders(topology)
            up(topology, self._backend, report)
            sites.ensure(self._backend, topology, folders)
        return f"{role} has {parameters['count']} nodes"

    def _current(self) -> Cluster:
        """The topology as its file is now, with as many nodes as the cluster has.

        Raises:
            SpecError: the file was removed or is not valid, or it lacks parts of the cluster.
        """
        topology = self._collector.topology
        if not origin.lesson(noted(self._backend)):  # a lesson sets options that its file has not
            topology = reloaded(topology)
        existing = self._backend.observe()
        cluster = as_many(topology, expected(self._backend, existing))
        losses.admit(cluster, self._backend, existing, {})
        return cluster

    def _heal(self, tell: Callable[..., None]) -> str:
        tell("reverting all faults")
        own = [thread for number, thread in self._threads.items() if number in self._stops]
        _join(
            [thread for thread in own if thread is not threading.current_thread()],
            self._backend.clock.limit(HEAL_SECONDS),
        )
        healed = heal(self._backend)
        down = [node.name for node in self._backend.observe().nodes if node.state is not State.RUNNING]
        if down:
            tell(f"starting {', '.join(down)}")
            parallel.for_each(down, lambda name: self._start(name, {}, lambda *_: None))
        return f"{len(healed)} faults reverted" + (f"; started: {', '.join(down)}" if down else "")


def _join(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Waits until threads have ended, at most so many seconds for all of them."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
