"""The closing table of a failed run: for each test what was awaited, what was seen last, and where its run is kept."""

from __future__ import annotations

import contextlib
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

from lab.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

KEPT = pytest.StashKey[str]()
"""Of a test: where its logs and what it measured are kept."""

LONGEST_TEXT = 300
"""Characters of a cell of the table; the test's own section has all of it."""

_ATTRIBUTE = "lab_failure"


@dataclass(frozen=True)
class Failure:
    """One failed phase of a test.

    Attributes:
        awaited: the condition that did not come; where nothing was waited for, the statement that failed.
        last: what was observed last, or what that statement said.
    """

    awaited: str
    last: str


class Failures:
    """A pytest plugin: collects failures from the reports, and prints them as a table at the end of the run."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Failure]] = {}
        self._records: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attaches to the report what only the exception knows."""
        report = yield
        if report.failed and call.excinfo:
            setattr(report, _ATTRIBUTE, asdict(_failure(call.excinfo)))
        if report.when == "teardown":
            self._records[item.nodeid] = item.stash.get(KEPT, "")
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collects what was attached to a report."""
        noted = getattr(report, _ATTRIBUTE, None)
        if noted:
            phase = "" if report.when == "call" else f" ({report.when})"
            self._rows.setdefault(report.nodeid + phase, []).append(Failure(**noted))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Collects a file that could not be imported."""
        if report.failed:
            output = str(report.longrepr).strip().splitlines() or [""]
            self._rows.setdefault(report.nodeid, []).append(Failure("the file to be collected", output[-1]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Prints the table, after all other output of the run."""
        yield
        terminal: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
        if self._rows and terminal:
            terminal.section("what failed", bold=True)
            for test, failures in self._rows.items():
                record = self._records.get(test.partition(" (")[0], "")
                for failure in failures:
                    terminal.write_line("\n".join(lines(test, failure, record)))


def lines(test: str, failure: Failure, record: str) -> list[str]:
    """The rows of one test."""
    rows = {"awaited": failure.awaited, "last seen": failure.last, "kept": record}
    return [test, *(f"  {name:<10} {_short(text)}" for name, text in rows.items())]


def _short(text: str) -> str:
    return textwrap.shorten(text, LONGEST_TEXT, placeholder=" …") or "nothing"


def _failure(raised: pytest.ExceptionInfo[BaseException]) -> Failure:
    for error in _chain(raised.value):
        if isinstance(error, NotReady) and error.awaited:
            return Failure(error.awaited, error.last)
    statement = ""
    with contextlib.suppress(Exception):  # the source of generated code can't be read
        statement = str(raised.traceback[-1].statement)
    return Failure(" ".join(statement.split()), f"{raised.typename}: {raised.value}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, the members of exception groups, and the causes of each."""
    known: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        yield one
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [*members, one.__cause__, None if one.__suppress_context__ else one.__context__]
