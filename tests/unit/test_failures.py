"""A failed run ends with what was awaited, what was seen last, and where its run is kept."""

from __future__ import annotations

import threading

import pytest

from lab import parallel
from lab.clock import REAL
from lab.errors import NotReady

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from lab.clock import REAL
from lab.errors import BackendError, NotReady
from lab.testing.failures import KEPT

@pytest.fixture
def kept(request):
    yield
    request.node.stash[KEPT] = "runs/a-test/report.html"

@pytest.fixture
def broken():
    REAL.until("a fixture", 0.01, lambda: "nothing yet", lambda seen: False)

def test_waits(kept):
    REAL.until("the VIP on another node", 0.01, lambda: ["tcp-lb1"], lambda seen: seen == ["tcp-lb2"])

def test_passes_a_wait_on():
    try:
        REAL.until("the fault to be effective", 0.01, lambda: 0)
    except NotReady as error:
        raise BackendError("the fault was injected, and is not effective") from error

def test_asserts():
    count = 3
    assert count == 4

def test_has_a_broken_fixture(broken):
    pass

def test_passes():
    pass
"""


def test_the_closing_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    done = pytester.runpytest("-q")
    done.assert_outcomes(passed=1, failed=3, errors=1)
    table = done.outlines[next(at for at, line in enumerate(done.outlines) if "what failed" in line) + 1 :]
    name = "test_the_closing_table.py"
    nothing = "  kept       nothing"
    assert table == [
        f"{name}::test_waits",
        "  awaited    the VIP on another node",
        "  last seen  ['tcp-lb1']",
        "  kept       runs/a-test/report.html",
        f"{name}::test_passes_a_wait_on",
        "  awaited    the fault to be effective",
        "  last seen  0",
        nothing,
        f"{name}::test_asserts",
        "  awaited    assert count == 4",
        "  last seen  AssertionError: assert 3 == 4",
        nothing,
        f"{name}::test_has_a_broken_fixture (setup)",
        "  awaited    a fixture",
        "  last seen  'nothing yet'",
        nothing,
    ]


def test_a_file_that_can_not_be_collected_is_in_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import nowhere_to_be_found")
    done = pytester.runpytest("-q")
    assert done.outlines[-4].endswith(".py")
    assert done.outlines[-3] == "  awaited    the file to be collected"
    assert "No module named 'nowhere_to_be_found'" in done.outlines[-2]


def test_a_run_that_passes_has_no_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_passes(): pass")
    done = pytester.runpytest("-q")
    assert "what failed" not in done.stdout.str()


def test_what_failed_first_is_told_first() -> None:
    """A client that waits for a node, and the node, which ended long before."""
    ended = threading.Event()

    def work(name: str) -> None:
        if name == "client":
            assert ended.wait(10)
            REAL.until("the site", 0.001, lambda: "no answer", lambda seen: not seen)
        try:
            REAL.until(name, 0.001, lambda: "its first process has ended", lambda seen: not seen)
        finally:
            ended.set()

    with pytest.raises(NotReady) as caught:
        parallel.for_each(["client", "web1"], work)
    assert caught.value.awaited == "web1; the site"


def test_of_several_waits_each_says_what_it_awaited() -> None:
    def work(number: int) -> None:
        REAL.until(f"number {number}", 0.001 * number, lambda: number, lambda seen: seen > number)

    with pytest.raises(NotReady) as caught:
        parallel.for_each([1, 200], work)
    assert caught.value.awaited == "number 1; number 200"
    assert caught.value.last == "1; 200"
