"""What all suites share: folders of their own, so that a person's secrets and locks are neither seen nor added to."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

from lab import paths
from tests import markers, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.browser import Opened

_HOME = "LAB_TEST_HOME"


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is imported that could look."""
    # Of several processes of one run the first counts; a pytest that a test starts is no part.
    if (count := os.environ.pop(parts.COUNT, "")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(parts.Counted(Path(count)))
    _measure_tests_alone(config)
    # Who starts the tests in the background may have them ignore an interrupt, and so would all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The nested Xen host is the machine's, booted before the tests; only what clusters leave is theirs alone.
    os.environ.setdefault("LAB_XEN_FOLDER", str(paths.xen_host()))
    os.environ[_HOME] = tempfile.mkdtemp(prefix="labtest-")
    os.environ["XDG_DATA_HOME"] = f"{os.environ[_HOME]}/data"
    os.environ["XDG_STATE_HOME"] = f"{os.environ[_HOME]}/state"


def _measure_tests_alone(config: pytest.Config) -> None:
    """Without coverage's tracer in a process that only hands tests out: it reads reports all the time."""
    measured = coverage.Coverage.current()
    if measured and getattr(config.option, "tx", None) and not hasattr(config, "workerinput"):
        measured.stop()


def pytest_unconfigure(config: pytest.Config) -> None:
    """When everything is over."""
    del config
    shutil.rmtree(os.environ.pop(_HOME), ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped in each part of `make test` fails."""
    report = yield
    markers.refuse_skipped(item, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before any is deselected: a marker without a reason ends the run, and what needs no shared cluster is marked."""
    markers.check(items)
    markers.set_apart(items)
    # The longest first: where several processes run tests, none has a lesson left when the others are done.
    items.sort(key=lambda item: item.get_closest_marker("lesson") is None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Callable[..., Opened]]:
    """One browser for all tests of a file."""
    from tests.browser import browsing  # of the few tests that have one

    with browsing() as made:
        yield made


@pytest.fixture
def visit(browser: Callable[..., Opened]) -> Iterator[Callable[..., Opened]]:
    """Opens windows for one test."""
    from tests.browser import windows

    with windows(browser) as made:
        yield made
