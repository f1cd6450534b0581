"""Ctrl-C while a fault is injected or reverted: at each moment it is reverted, after what was begun."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pytest

from lab import interrupts
from lab.backends.base import State
from lab.backends.optional import noted
from lab.errors import BackendError
from lab.faults import Cut, Fault, Kill, Pause, Slow, Stop, heal, inject, present
from lab.faults.injection import PREFIX
from tests.unit.backends import breakable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.backends.base import Backend, Result
    from lab.backends.memory import MemoryBackend
    from lab.topology import Cluster

T = TypeVar("T")
Note: TypeAlias = "Callable[[str, str | None], None]"
LATE_SECONDS = 0.3
"""How long the engine takes for what it was asked, where nothing of the revert comes before."""
KILL_SECONDS = 10.0
"""After which an engine that hangs goes on, so that the test ends."""
TOLD = "lab: reverting 'kill web1'; another Ctrl-C ends at once\n"


@pytest.fixture
def made(full: Cluster) -> MemoryBackend:
    """A cluster that is up, whose nodes answer no ping."""
    return breakable(full)


@pytest.mark.parametrize("count", [1, 2], ids=["before it is done", "with its proof"])
def test_a_fault_that_is_interrupted_while_it_is_noted_is_reverted(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The engine has the note already, and its answer is awaited."""
    note, written = made.note, []

    def interrupted(key: str, text: str | None) -> None:
        note(key, text)
        written.append(key)
        if len(written) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(made, "note", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inject(made, Kill(("web1",)))
    assert not present(made)
    assert _states(made) == {State.RUNNING}


@pytest.mark.parametrize("kind", [Kill, Stop, Pause])
def test_a_fault_is_reverted_after_what_it_began(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, kind: type[Fault]
) -> None:
    """The engine is at it: a node that runs still would be reverted first, and killed then."""
    monkeypatch.setattr("lab.faults.injection.GONE_SECONDS", 1.0)
    verbs, before = [f"{kind.kind} web1", "start web1"], len(made.done)
    monkeypatch.setattr(made, kind.kind, _late(getattr(made, kind.kind)))
    with pytest.raises(KeyboardInterrupt):
        inject(made, kind(("web1",)))
    assert [entry for entry in made.done[before:] if entry in verbs] == verbs
    assert not present(made)
    assert _states(made) == {State.RUNNING}


@pytest.mark.parametrize("wanted", [Cut(("web1",)), Slow(("web1",), delay=0.1)], ids=["cut", "slow"])
def test_rules_are_deleted_after_they_were_made(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, wanted: Fault
) -> None:
    tool, calls = made.run_in_network, []

    def recorded(node: str, argv: Sequence[str]) -> Result:
        calls.append(" ".join(argv))
        return tool(node, argv)

    late = _late(recorded)

    def first_late(node: str, argv: Sequence[str]) -> Result:
        return (recorded if calls else late)(node, argv)

    monkeypatch.setattr(made, "run_in_network", first_late)
    with pytest.raises(KeyboardInterrupt):
        inject(made, wanted)
    making = "table" if wanted.kind == "cut" else "qdisc add"
    assert making in calls[0], calls
    assert calls[1:], "the revert looks, and deletes"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["note", "apply", "facts", "revert", "await_ready", "forget"])
def test_an_interrupt_waits_for_the_end_of_what_was_begun(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch, moment: str, number: signal.Signals
) -> None:
    """Raised amid a request, it loses the answer: facts that the revert needs, or a note that was removed."""
    former = signal.signal(number, _raised)
    monkeypatch.setattr(made, "note", _marked(made.note, "note" if moment == "note" else "forget", moment, number))
    fault = Facts(("web1",), moment=moment, number=number)
    try:
        with pytest.raises(Raised), inject(made, fault):
            assert moment in ("revert", "await_ready", "forget"), "the interrupt came after the injection"
        assert signal.getsignal(number) is _raised
    finally:
        signal.signal(number, former)
    assert fault.reverted == [{"what": "the revert needs"}]
    assert not present(made)


def test_a_second_ctrl_c_is_not_deferred() -> None:
    former = signal.signal(signal.SIGINT, _raised)
    reached: list[str] = []
    try:
        with pytest.raises(Raised):
            _twice(reached, signal.SIGINT, signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is _raised
    finally:
        signal.signal(signal.SIGINT, former)
    assert reached == ["after the first"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_second_signal_of_a_closed_terminal_is_deferred(second: signal.Signals) -> None:
    """A shell and the kernel may both send SIGHUP."""
    former = {number: signal.signal(number, _raised) for number in interrupts.SIGNALS}
    reached: list[str] = []
    try:
        with pytest.raises(Raised):
            _twice(reached, signal.SIGHUP, second)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    assert reached == ["after the first", "after the second"]


@pytest.mark.parametrize("number", interrupts.SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("moment", range(2 * len(interrupts.SIGNALS)), ids="change {}".format)
def test_a_signal_between_two_handlers_is_raised_and_leaves_the_former_ones(
    monkeypatch: pytest.MonkeyPatch, moment: int, number: signal.Signals
) -> None:
    """Handlers are placed and restored one after the other."""
    former = {each: signal.signal(each, _raised) for each in interrupts.SIGNALS}
    change, changed = signal.signal, []

    def interrupted(each: signal.Signals, handler: Callable[[int, object], None]) -> None:
        change(each, handler)
        changed.append(each)
        if len(changed) == moment + 1:
            signal.raise_signal(number)

    try:
        with monkeypatch.context() as patched:
            patched.setattr("signal.signal", interrupted)
            with pytest.raises(Raised), interrupts.Deferral("at work").block():
                pass
        assert {signal.getsignal(each) for each in interrupts.SIGNALS} == {_raised}
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
    assert len(changed) > moment


def test_an_interrupt_names_what_could_not_be_reverted(made: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "start", _failed)
    monkeypatch.setattr(made, "kill", _late(made.kill))
    with pytest.raises(KeyboardInterrupt) as raised:
        inject(made, Kill(("web1",)))
    assert raised.value.__notes__ == [f"then 'lab heal {present(made)[0].mark}': reverting failed: web1 does not start"]


def test_an_interrupt_of_a_failing_revert_names_its_failure(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt) as raised, inject(made, Kill(("web1",))) as injected:
        monkeypatch.setattr(made, "start", _late(_failed))
    assert raised.value.__notes__ == ["web1 does not start", f"'lab heal {injected.mark}' reverts 'kill web1'"]
    assert [one.mark for one in present(made)] == [injected.mark]


def test_an_interrupt_of_several_reverts_names_the_failures_before_it(
    made: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(made, Pause(("web1",)))
    inject(made, Kill(("web2",)))
    monkeypatch.setattr(made, "start", lambda name: (_failed if name == "web2" else _late(_failed))(name))
    with pytest.raises(KeyboardInterrupt) as raised:
        heal(made)
    *notes, failure = raised.value.__notes__
    assert notes == ["web1 does not start", f"'lab heal {present(made)[0].mark}' reverts 'pause web1'"]
    assert failure == "web2 does not start"


def test_a_second_ctrl_c_is_raised_once() -> None:
    """The first signal has no handling of its own then: an end of the process is begun once."""
    former = {number: signal.signal(number, _raised) for number in interrupts.SIGNALS}
    try:
        with pytest.raises(Raised) as raised:
            _twice([], signal.SIGTERM, signal.SIGINT)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    assert raised.value.__context__ is None


def test_a_deferred_signal_is_told_once(made: MemoryBackend, capfd: pytest.CaptureFixture[str]) -> None:
    fault = Facts(("web1",), moment="facts")
    with pytest.raises(KeyboardInterrupt):
        inject(made, fault)
    assert capfd.readouterr().err == TOLD


def test_a_revert_that_an_interrupt_begins_is_told(made: MemoryBackend, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), inject(made, Kill(("web1",))):
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == TOLD
    assert not present(made)


@pytest.mark.parametrize("first", ["apply", "facts", "between"])
def test_a_second_ctrl_c_does_not_wait_for_the_revert(
    made: MemoryBackend, capfd: pytest.CaptureFixture[str], first: str
) -> None:
    """The first one came during the injection, or while the fault was active."""
    fault = Twice(("web1",), moment=first)
    with pytest.raises(KeyboardInterrupt) as raised, inject(made, fault):
        signal.raise_signal(signal.SIGINT)
    assert fault.reverted == []
    assert capfd.readouterr().err == TOLD
    [mark] = [key.removeprefix(PREFIX) for key in noted(made) if key.startswith(PREFIX)]
    assert raised.value.__notes__ == [f"'lab heal {mark}' reverts 'kill web1'"]


def test_a_second_ctrl_c_does_not_wait_for_the_injection(made: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for its slowest request, nor for a revert."""
    kill, ended = made.kill, threading.Event()

    def hanging(name: str) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(LATE_SECONDS)
        ended.wait()
        kill(name)

    monkeypatch.setattr(made, "kill", hanging)
    before = len(made.done)
    try:
        with _released_after(KILL_SECONDS, ended), pytest.raises(KeyboardInterrupt) as raised:
            inject(made, Kill(("web1",)))
        assert not ended.is_set(), "it waited"
    finally:
        ended.set()
    assert "start web1" not in made.done[before:]
    assert raised.value.__notes__ == [f"'lab heal {present(made)[0].mark}' reverts 'kill web1'"]


class Raised(BaseException):
    """What the handler of the tests raises, as that of Ctrl-C and that of the command do."""


def _twice(reached: list[str], first: signal.Signals, second: signal.Signals) -> None:
    with interrupts.Deferral("at work").block():
        signal.raise_signal(first)
        reached.append("after the first")
        signal.raise_signal(second)
        reached.append("after the second")


def _failed(name: str) -> None:
    raise BackendError(f"{name} does not start")


def _raised(_number: int, _frame: object) -> None:
    raise Raised


def _marked(note: Note, at: str, moment: str, number: signal.Signals) -> Note:
    """The backend's notes, with a signal amid the first that is written, or amid its removal."""

    def marked(key: str, text: str | None) -> None:
        note(key, text)
        if moment == at and (text is None) == (at == "forget"):
            signal.raise_signal(number)

    return marked


@dataclass(frozen=True)
class Facts(Kill):
    """A fault whose revert needs what its injection found."""

    moment: str = ""
    number: signal.Signals = signal.SIGINT
    reverted: list[Mapping[str, str]] = field(default_factory=list)

    def _signal(self, moment: str) -> None:
        if moment == self.moment:
            signal.raise_signal(self.number)

    def apply(self, backend: Backend, mark: str) -> dict[str, str]:
        self._signal("apply")
        super().apply(backend, mark)
        self._signal("facts")
        return {"what": "the revert needs"}

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        self._signal("revert")
        super().revert(backend, mark, facts)
        self.reverted.append(facts)

    def await_ready(self, backend: Backend) -> None:
        self._signal("await_ready")
        super().await_ready(backend)


@dataclass(frozen=True)
class Twice(Facts):
    """A fault during whose revert Ctrl-C comes too."""

    def revert(self, backend: Backend, mark: str, facts: Mapping[str, str]) -> None:
        signal.raise_signal(signal.SIGINT)
        super().revert(backend, mark, facts)


@contextmanager
def _released_after(seconds: float, ended: threading.Event) -> Iterator[None]:
    """Ends a wait that lasts too long."""
    timer = threading.Timer(seconds, ended.set)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _late(verb: Callable[..., T]) -> Callable[..., T]:
    """The same, from a moment after Ctrl-C on."""

    def call(*given: object) -> T:
        threading.Event().wait(LATE_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)  # raised in the main thread, which waits for this one
        threading.Event().wait(LATE_SECONDS)
        return verb(*given)

    return call


def _states(made: MemoryBackend) -> set[State]:
    return {node.state for node in made.observe().nodes}
