"""A check that fails only because a machine was stalled, or is emulated, is unknown; with a quiet meter it is red."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import pytest

from lab.backends.memory import MemoryBackend
from lab.clock import EMULATED, REAL, Clock, Moment
from lab.errors import NotReady
from lab.evidence.delays import Delays
from lab.evidence.file_writes import FileWriter, FileWritesCheck, WriteFigures, judged_writes
from lab.evidence.ledger import operation
from lab.evidence.load_run import CLIENT, Row
from lab.evidence.outcomes import Colour, Scene, question
from lab.evidence.pages import OutageCheck, judged_outage
from lab.evidence.stalls import Stall
from lab.faults import fault
from lab.faults.injection import Injected
from lab.plan import plan
from lab.topology import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.evidence.ledger import Operation
    from lab.evidence.outcomes import CheckOutcome

TOPOLOGY = "name: golden\nnetwork: 10.90.0.0/24\nweb: {count: 2}\nhttp-lb: {count: 1}\nmysql: {count: 1}\n"
KILLED = 10.0
QUIET: tuple[Stall, ...] = (Stall(CLIENT, 1.0, 3.0), Stall(CLIENT, 11.0, 11.02))
"""A long stall before the fault, and one that is shorter than any bound."""


def _scene(clock: Clock = REAL) -> Scene:
    backend = MemoryBackend("golden")
    backend.clock = clock
    cluster = parse(TOPOLOGY)
    return Scene(backend, cluster, plan(cluster, "debian"))


def _rows(begun: float, ended: float, seconds: float = 0.0, status: int = 0) -> list[Row]:
    """Twenty seconds at 20 Hz: requests of a span fail after `seconds`."""
    bad = [begun <= number / 20 < ended for number in range(400)]
    return [
        Row(number, number / 20, seconds if bad[number] else 0.01, status if bad[number] else 200, "web1", "x")
        for number in range(400)
    ]


def _outage(  # noqa: PLR0913  what differs between tests
    rows: Sequence[Row],
    stalls: Sequence[Stall],
    *,
    clock: Clock = REAL,
    back: bool = True,
    asks: float = 1,
    failed: int | None = None,
) -> CheckOutcome:
    scene = _scene(clock)
    injected = Injected(scene.backend, fault({"kind": "kill", "nodes": ["web1"]}), "12345678", KILLED)
    asked = OutageCheck(url="http://x/", target="web1", asks=asks, failed=failed, returns="web1")
    return judged_outage(scene, asked, rows, injected, back=back, stalls=stalls)


def test_an_outage_that_is_too_long_only_by_a_stall_is_unknown() -> None:
    late = _rows(11.0, 12.5)
    assert _outage(late, QUIET).reason == "slow"
    stalled = _outage(late, (*QUIET, Stall(CLIENT, 11.2, 11.9)))
    assert (stalled.colour, stalled.excused) == (Colour.UNKNOWN, True)
    untested = _outage([], ())
    assert (untested.colour, untested.excused) == (Colour.UNKNOWN, False)
    assert stalled.figure.startswith("1.51 s, 30 of")
    assert stalled.says.startswith("it could not be judged: visitors were without an answer for 1.51 s while web1")
    assert stalled.says.endswith("; the machine was stalled for 0.72 of 1.51 s")


def test_a_stall_does_not_extend_the_bound() -> None:
    """The stall excuses its own length, not a longer outage, and not another one."""
    stall = (Stall(CLIENT, 11.2, 11.9),)
    assert _outage(_rows(11.0, 13.5), stall).reason == "slow"
    first, second = _rows(11.0, 12.5), _rows(14.0, 15.5)
    both = [min(pair, key=lambda row: row.status) for pair in zip(first, second, strict=True)]
    assert _outage(both, stall).reason == "slow"
    assert _outage(_rows(11.0, 14.0), (Stall(CLIENT, 11.1, 14.0),)).colour is Colour.UNKNOWN, "a stall above the bound"
    assert _outage(_rows(11.0, 14.0), (Stall(CLIENT, 12.1, 14.0),)).reason == "slow", "late before the stall began"
    within = _outage(_rows(11.0, 11.8), stall)
    assert within.green, "what holds with the stall holds"


def test_requests_that_had_no_answer_in_time_in_a_stall_are_unknown() -> None:
    timed_out, long = _rows(11.0, 11.1, seconds=5.0), (Stall(CLIENT, 11.0, 15.5),)
    assert _outage(timed_out, QUIET, asks=9, failed=0).reason == "failed-requests"
    outcome = _outage(timed_out, long, asks=9, failed=0)
    assert outcome.colour is Colour.UNKNOWN
    assert "2 of 220 requests failed, 0 may; the first " in outcome.says
    assert outcome.says.endswith("; the machine was stalled for 4.50 of 5.00 s")
    errors = _outage(_rows(11.0, 11.1, status=503), long, failed=0)
    assert errors.reason == "failed-requests", "a balancer's error is no delay"
    assert errors.says.endswith("0 may; the first was sent 1.0 s after the fault began: status 503")
    before = _outage(_rows(9.4, 9.5, status=503), QUIET, failed=0)
    assert before.says.endswith("0 may; the first was sent 0.6 s before the fault began: status 503")
    refused = _rows(11.0, 11.1, seconds=0.01)
    assert _outage(refused, long, failed=0).reason == "failed-requests"


def test_a_node_that_did_not_return_on_a_stalled_machine_is_unknown() -> None:
    assert _outage(_rows(11, 11), QUIET, back=False).reason == "never-returns"
    third, most = (Stall(CLIENT, 12.0, 15.0),), (Stall(CLIENT, 12.0, 18.0),)
    assert _outage(_rows(11, 11), third, back=False).reason == "never-returns", "it had time enough"
    assert _outage(_rows(11, 11), most, back=False).colour is Colour.UNKNOWN


def test_an_outage_on_emulated_processors_is_unknown_up_to_their_tolerance() -> None:
    assert _outage(_rows(11.0, 13.0), (), clock=EMULATED).colour is Colour.UNKNOWN
    said = _outage(_rows(11.0, 13.0), (), clock=EMULATED).says
    assert said.endswith("; the nodes' processors are emulated, and the machine was stalled for 0.00 of 2.01 s")
    assert _outage(_rows(11.0, 11.2), (), clock=EMULATED).green
    assert not Delays((), EMULATED).hiding(0.0, 40.0, 1.0)


def _writes(
    figures: WriteFigures, stalls: Sequence[Stall], clock: Clock = REAL, *, copied: bool = True
) -> CheckOutcome:
    scene = _scene(clock)

    class Written(FileWriter):
        def complete(self, node: str, place: str) -> bool:
            return copied or (node, place) == (self.node, self.place)

    asked = FileWritesCheck(node="web1", folder="/srv", target="web2", asks=12, copies=["web2"])
    return judged_writes(scene, asked, Written(scene, "web1", "/srv"), figures, stalls)


def test_a_write_that_is_too_long_only_by_a_stall_is_unknown() -> None:
    late = WriteFigures(13.0, 0, 20, begun=100.0)
    assert _writes(late, ()).reason == "slow"
    assert _writes(late, (Stall("this machine", 90.0, 99.0),)).reason == "slow", "a stall before it"
    outcome = _writes(late, (Stall("this machine", 103.0, 105.0),))
    assert (outcome.colour, outcome.figure) == (Colour.UNKNOWN, "13.00 s")
    assert "the lesson asks for at most 12 s; the machine was stalled for 2.00 of 13.00 s" in outcome.says
    assert _writes(WriteFigures(20.0, 0, 20, 100.0), (Stall("this machine", 103.0, 105.0),)).reason == "slow"
    assert _writes(late, (), EMULATED).colour is Colour.UNKNOWN
    assert _writes(WriteFigures(3.0, 0, 20, 100.0), ()).green
    moments = iter((0.0, 60.0) * 2)  # a minute passes at each look for the copies
    clock = Clock(reading=lambda: Moment(next(moments), 0.0))
    assert _writes(WriteFigures(3.0, 0, 20, 100.0), (), clock, copied=False).reason == "no-copy"
    stalls = (Stall("this machine", 20.0, 55.0),)
    assert _writes(WriteFigures(3.0, 0, 20, 100.0), stalls, clock, copied=False).colour is Colour.UNKNOWN


class Book:
    """A ledger whose writes have ended already.

    Attributes:
        load_run: itself, as it has the stalls.
        ends: whether there are enough writes.
    """

    stalls: tuple[Stall, ...] = ()
    operations: Mapping[str, list[Operation]] = MappingProxyType({})
    ends = True

    def __init__(self, *_: object) -> None:
        self.load_run = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is written."""

    def more(self, count: int, seconds: float) -> None:
        if not self.ends:
            raise NotReady(f"after {seconds:g} s still waiting for: {count} more writes")


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> type[Book]:
    """The ledger of the check."""

    class Own(Book):
        pass

    monkeypatch.setattr("lab.services.effects.Ledger", Own)
    return Own


@pytest.mark.parametrize(
    ("stalls", "seconds", "status", "answer"),
    [
        ((), 10.01, 0, "no-answer"),
        ((Stall(CLIENT, 100.0, 104.0),), 10.01, 0, "no-answer"),
        ((Stall(CLIENT, 100.0, 106.0),), 10.01, 0, "unknown"),
        ((Stall(CLIENT, 100.0, 106.0),), 1.0, 0, "no-answer"),
        ((Stall(CLIENT, 100.0, 106.0),), 10.01, 403, "refused"),
    ],
)
def test_writes_without_an_answer_on_a_stalled_machine_are_unknown(
    book: type[Book], stalls: tuple[Stall, ...], seconds: float, status: int, answer: str
) -> None:
    rows = [Row(number, 100.0 + number / 10, seconds, status, "", "timeout") for number in range(5)]
    book.stalls, book.operations = stalls, {"mysql": [operation("run", row) for row in rows]}
    assert question("ledger", {"service": "mysql"}).ask(_scene()).reason == answer


@pytest.mark.parametrize(("seconds", "answer"), [(0.0, "no-answer"), (1e9, "unknown")])
def test_a_wait_for_writes_on_a_stalled_machine_is_unknown(book: type[Book], seconds: float, answer: str) -> None:
    now = time.time()
    book.ends, book.stalls = False, (Stall(CLIENT, now, now + seconds),)
    outcome = question("ledger", {"service": "mysql"}).ask(_scene())
    assert (outcome.reason, "20 more writes" in outcome.says) == (answer, True)
