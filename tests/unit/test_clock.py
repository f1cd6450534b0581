"""Who stretches time: a backend's clock, once. Everybody else says seconds of an ordinary processor."""

from __future__ import annotations

import ast
import itertools
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.backends.xen import domain, host
from lab.backends.xen.backend import BOOT_SECONDS, RUN_MARGIN, XenBackend
from lab.backends.xen.dom0 import MARGIN, Dom0
from lab.backends.xen.settings import Xen
from lab.backends.xen.ssh import Link
from lab.clock import EMULATED, REAL, Clock, Moment
from lab.errors import BackendError, HostError, NotReady
from lab.evidence import Ledger
from lab.evidence.probes import PATIENCE, RATE
from lab.lifecycle import ready
from lab.plan import plan
from lab.plan.model import Publish
from lab.services.ledgers import LEDGERS
from lab.services.streams import cluster_probes
from lab.topology import parse
from tests.unit.conftest import WHOLE
from tests.unit.sources import nodes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence

    from lab.backends.base import Result

ROOT = Path(__file__).parents[2]
STRETCHING = {"limit", "rate", "page_rate"}
STRETCHED = {"run", "until", "more", "Ledger", "Probes", "LoadRun", "ledger"}
"""Calls whose seconds and rates the backend's clock stretches: what is stretched before is stretched twice."""


class Slow(MemoryBackend):
    """A backend whose nodes need ten times as long; it remembers the limits that it was given."""

    clock = EMULATED

    def __init__(self) -> None:
        super().__init__("slow")
        self.limits: list[float] = []
        self.asked: list[tuple[str, ...]] = []

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self.limits.append(seconds)
        self.asked.append(tuple(argv))
        raise BackendError("it does not answer", where=node)


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for folder in ("lab", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in nodes(path):
                if isinstance(node, ast.Call):
                    yield path, node


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_nobody_but_the_clock_knows_how_slow_nodes_are() -> None:
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("lab", "tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != ROOT / "lab/clock.py"
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in ("pace", "slowdown")
    ]
    assert asked == []


def test_nothing_is_stretched_twice() -> None:
    """A limit or rate that goes to a call which stretches it is one of an ordinary processor."""
    twice = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in _calls()
        if _name(call.func) in STRETCHED
        if not (isinstance(call.func, ast.Attribute) and _name(call.func.value) == "subprocess")
        for given in (*call.args, *(keyword.value for keyword in call.keywords))
        if not isinstance(given, ast.JoinedStr | ast.List)  # a command line that a node runs as it stands
        for inner in ast.walk(given)
        if isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and inner.func.attr in STRETCHING
        and _name(inner.func.value) == "clock"
    ]
    assert twice == []


LIMITS = ("--max-time", "--connect-timeout", "timeout", "/usr/lib/lab/await")
LITERAL = re.compile(r"(--max-time|--connect-timeout|\btimeout(?: -k [\d.]+)?|lab/await) \d|ConnectTimeout=\d")
HERE = {
    "lab/recipes/facts.py": "a container that is made of an image, on this machine's processor",
    "lab/building/trial_container.py": "the same",
}


def _text(node: ast.expr) -> str:
    """A string's text: a name in capitals, which is a number, as 9."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return "9" if _name(node.value).isupper() else "{}"
    return ""


def _is_number(node: ast.expr) -> bool:
    """Whether a word of a command line is a number as it stands, or `str` of one."""
    if isinstance(node, ast.Call) and _name(node.func) == "str":
        return isinstance(node.args[0], ast.Constant) or _name(node.args[0]).isupper()
    return _text(node).replace(".", "").isdecimal()


def _literals(node: ast.AST) -> Iterator[int]:
    """Lines with a limit in a command line that is the same on each processor."""
    if isinstance(node, ast.Constant | ast.JoinedStr) and LITERAL.search(_text(node)):
        yield node.lineno
    words = node.args if isinstance(node, ast.Call) else getattr(node, "elts", ())
    for word, after in itertools.pairwise(words):
        if _text(word) in LIMITS and _is_number(after):
            yield word.lineno


def test_a_limit_in_a_command_line_is_that_of_the_clock() -> None:
    """What a node runs with a limit of its own ends in time on an ordinary processor alone: `clock.option` has it."""
    folders = ("lab", "bench", "tests/cluster", "tests/attack", "tests/xen")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    fixed = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if path.relative_to(ROOT).as_posix() not in HERE
        for node in nodes(path)
        for line in _literals(node)
    }
    assert sorted(fixed) == []


WAITS = {"run", "wait", "communicate", "wait_for_selector"}
"""Calls with a `timeout` that wait for what nodes do: commands of this machine, and a page."""

DOCKER_ALONE = {"test_own_documents.py", "test_plugin.py"}
"""Tests that skip on another backend: they make a cluster beside that of the others."""


def _fixed_waits(node: ast.AST) -> Iterator[int]:
    """Lines with a limit of a wait that is a number as it stands."""
    if not isinstance(node, ast.Call) or _name(node.func) not in WAITS:
        return
    limits = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    of = node.func.value if isinstance(node.func, ast.Attribute) else None
    if _name(node.func) == "wait" and isinstance(of, ast.Name) and of.id != "clock":  # of a process
        limits += node.args
    for limit in limits:
        if _name(limit).isupper() or (isinstance(limit, ast.Constant) and isinstance(limit.value, int | float)):
            yield node.lineno


def test_a_test_that_waits_for_nodes_has_the_limit_of_their_clock() -> None:
    """A command of this machine takes as long as the nodes that it works on."""
    files = [path for folder in ("cluster", "xen") for path in sorted((ROOT / "tests" / folder).rglob("*.py"))]
    fixed = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if path.name not in DOCKER_ALONE
        for node in nodes(path)
        for line in _fixed_waits(node)
    }
    assert sorted(fixed) == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("subprocess.run(argv, timeout=60)", 1),
        ("process.wait(30)", 1),
        ("process.communicate(timeout=UP_SECONDS)", 1),
        ("page.wait_for_selector('#x', timeout=20_000)", 1),
        ("process.wait(timeout=clock.limit(30))", 0),
        ("process.communicate()", 0),
        ("clock.wait(SECONDS)", 0),
        ("threading.Event().wait(SECONDS)", 0),
    ],
)
def test_a_wait_that_no_clock_stretches_is_found(line: str, count: int) -> None:
    assert len({number for node in ast.walk(ast.parse(line)) for number in _fixed_waits(node)}) == count


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ('run("curl --max-time 3 http://web1/")', 1),
        ('run(f"curl --max-time {LIMIT} {url}")', 1),
        ('run(f"timeout -k 2 5 {command}")', 1),
        ('["curl", "--max-time", "3", url]', 1),
        ('ask("/whoami", "--max-time", str(LIMIT))', 1),
        ('["/usr/lib/lab/await", "30"]', 1),
        ('["ssh", "-o", f"ConnectTimeout={LIMIT}"]', 1),
        ('run(f"curl --max-time {clock.option(3)} {url}")', 0),
        ('["timeout", "-k", "2", clock.option(3)]', 0),
        ('dict(timeout=3, what="the timeout of 3 requests")', 0),
    ],
)
def test_a_limit_that_is_written_into_a_command_line_is_found(line: str, count: int) -> None:
    assert len({number for node in ast.walk(ast.parse(line)) for number in _literals(node)}) == count


def test_a_limit_and_a_rate_are_stretched_once() -> None:
    backend = Slow()
    made = plan(parse(WHOLE), "debian")
    assert {stream.rate for stream in cluster_probes(backend, made, "www.www.test").load_run.streams} == {RATE / 10}
    ledger = Ledger(backend, [LEDGERS["mysql"](made, "www.www.test")], 20.0)
    assert [stream.rate for stream in ledger.load_run.streams] == [2.0]
    assert cluster_probes(backend, made, "www.www.test").load_run.patience == PATIENCE


def test_a_node_is_told_the_stretched_limit_and_the_backend_the_plain_one() -> None:
    backend = Slow()
    with pytest.raises(NotReady):
        ready.node(backend, "web1", 60)
    assert backend.asked == [("/usr/lib/lab/await", "600", "ready.d")]
    assert backend.limits == [70]


def test_a_wait_says_what_it_waited_for_and_what_it_saw_last() -> None:
    with pytest.raises(NotReady, match=r"after 0\.01 s still waiting for: a miracle; last seen: 7"):
        Clock(slowdown=10).until("a miracle", 0.001, lambda: 7, lambda seen: seen > 7)


def _connect(link: Link) -> None:
    link.connect()


def _publish(link: Link) -> None:
    host.forward(Dom0(link, "/store", "golden"), "192.0.2.2", [Publish("http", 8080, 80)])


@pytest.mark.parametrize(("clock", "seconds"), [(REAL, "10"), (EMULATED, "100")])
@pytest.mark.parametrize("use", [_connect, _publish])
def test_a_slow_host_has_longer_for_the_way_in(
    use: Callable[[Link], None], clock: Clock, seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command line, as ssh itself gets it: a stand-in of that name writes it down, and refuses."""
    written = tmp_path / "argv"
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho "$@" > {written}\nexit 255\n', encoding="utf-8")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(HostError):
        use(Link("a host", ("root@192.0.2.1",), clock))
    line = written.read_text(encoding="utf-8")
    assert f"-o ConnectTimeout={seconds} " in line
    assert f"-o ServerAliveInterval={int(seconds) // 2} -o ServerAliveCountMax=6 " in line


STAND_IN = """#!/bin/sh
echo "$@" >> {0}
"""


@pytest.fixture
def commanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock], tuple[XenBackend, list[float]]]:
    """Makes a backend of a host that a stand-in for ssh reaches, and the list of the limits of its commands here."""
    (tmp_path / "ssh").write_text(STAND_IN.format(tmp_path / "argv"), encoding="utf-8")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    limits: list[float] = []
    real = Link._outcome  # noqa: SLF001  where the limit of a command is counted

    def outcome(self: Link, process: subprocess.Popen[bytes], stdin: bytes, limit: float) -> tuple[bytes | None, bytes]:
        limits.append(limit)
        return real(self, process, stdin, limit)

    monkeypatch.setattr(Link, "_outcome", outcome)

    def make(clock: Clock) -> tuple[XenBackend, list[float]]:
        dom0 = Dom0(Link("a host", ("root@192.0.2.1",), clock), "/store", "golden")
        monkeypatch.setattr(host, "find", lambda *_: (dom0, clock))
        backend = XenBackend("golden", Xen())
        node = plan(parse(WHOLE), "debian").node("web1")
        backend._metadata["web1"] = domain.Metadata(node.fixed, "debian", "10.90.0.0/24", None, "x.ext4", "br", stop=12)  # noqa: SLF001
        backend._starts = threading.Semaphore()  # noqa: SLF001  of a host that no one asks for its processors
        return backend, limits

    return make


@pytest.mark.parametrize("clock", [REAL, EMULATED, Clock(reading=lambda: Moment(time.time(), time.monotonic()))])
@pytest.mark.parametrize(
    ("use", "there", "seconds"),
    [
        (lambda backend: backend.run("web1", ["true"], seconds=4), "timeout -k 2 {0} true", (4.0, 4 + RUN_MARGIN)),
        (lambda backend: backend.run_in_network("web1", ["true"], seconds=4), "timeout -k 2 {0} true", (4.0, 9)),
        (lambda backend: backend.kill("web1"), "timeout -k 2 {0:g} bash", (60, 60 + MARGIN)),
        (lambda backend: backend.stop("web1"), " stop {0:g}\n", (12, 12 + 60 + MARGIN)),
        (lambda backend: backend.start("web1"), f"{domain.PORT} {{0:g}} ", (BOOT_SECONDS, 2 * BOOT_SECONDS + MARGIN)),
    ],
    ids=["run", "run in network", "kill", "stop", "start"],
)
def test_each_limit_of_the_way_to_a_slow_host_is_stretched_once(  # noqa: PLR0913, PLR0917
    use: Callable[[XenBackend], object],
    there: str,
    seconds: tuple[float, float],
    clock: Clock,
    commanded: Callable[[Clock], tuple[XenBackend, list[float]]],
    tmp_path: Path,
) -> None:
    """`there`: the limit that the host or the node gets with the command; the second is that of ssh on this machine."""
    backend, limits = commanded(clock)
    use(backend)
    lines = (tmp_path / "argv").read_text(encoding="utf-8")
    assert there.format(clock.limit(seconds[0])) in lines
    assert limits[-1] == clock.limit(seconds[1])


CLOCKED = ("lab/evidence", "lab/faults", "lab/chaos", "lab/nemesis", "lab/testing", "lab/page")
OWN_TIME = {
    "lab/evidence/stalls.py": "a meter of this machine",
    "lab/evidence/changed_files.py": "a program that runs in a node",
    "lab/evidence/file_writes.py": "the same",
    "lab/evidence/register.py": "order of calls of this process",
    "lab/page/moments.py": "where the nodes' time is read",
    "lab/page/state.py": "a default",
}


def test_what_is_measured_is_stamped_by_the_nodes_clock() -> None:
    """`time.time` is this machine's: beside the rows of nodes with their own time it would be hours off."""
    files = [path for folder in CLOCKED for path in sorted((ROOT / folder).rglob("*.py"))]
    stamped = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        if path.relative_to(ROOT).as_posix() not in OWN_TIME
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "time" and _name(node.value) == "time"
    ]
    assert stamped == []
