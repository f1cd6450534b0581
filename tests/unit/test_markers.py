"""The Makefile chooses tests by markers alone, every marker says why, and every one of Xen has a run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import markers

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
MAKEFILE = ROOT / "Makefile"
CONFTEST = """
from tests import markers

def pytest_configure(config):
    for name in markers.REASONED:
        config.addinivalue_line("markers", name)

def pytest_collection_modifyitems(items):
    markers.check(items)
"""


def _collected(pytester: pytest.Pytester, marker: str, *options: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(): pass\n")
    return pytester.runpytest("--collect-only", "-q", *options)


@pytest.mark.parametrize("marker", ["nightly", "nightly()", "galera(' ')", "xen_smoke(topology='five')"])
def test_a_marker_without_a_reason_is_refused(pytester: pytest.Pytester, marker: str) -> None:
    done = _collected(pytester, marker)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*test_it: {re.split('[(]', marker)[0]} needs a reason*"])


@pytest.mark.parametrize("marker", ["xen_smoke('why')", "xen_smoke('why', topology='five')"])
def test_a_marker_of_xen_without_a_run_is_refused(pytester: pytest.Pytester, marker: str) -> None:
    done = _collected(pytester, marker)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*test_it: xen_smoke needs the topology of its run, one of {markers.LVS}*"])


RUN = """
import pytest
from tests import markers

def pytest_addoption(parser):
    parser.addoption("--topology", default="full")
    parser.addoption("--backend", default="docker")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    markers.refuse_skipped(item, report)
    return report
"""
SMALLER, NIGHTLY = f"smaller('why', topology='{markers.WEB}')", "nightly('why')"


@pytest.mark.usefixtures("bare_pytest")
@pytest.mark.parametrize(
    ("mark", "options", "reason", "outcome"),
    [
        (SMALLER, ["--topology", markers.WEB], "needs 1 shell nodes, the topology has 0", "failed"),
        ("skipif(False, reason='')", [], "the topology has no Shell", "failed"),
        (SMALLER, [], "needs 1 shell nodes, the topology has 0", "skipped"),
        (SMALLER, ["--topology", markers.WEB, "--backend", "xen"], "the topology has no Shell", "skipped"),
        (NIGHTLY, [], "the topology has no Shell", "skipped"),
        ("galera('why')", [], "the topology has no Shell", "skipped"),
        ("skipif(False, reason='')", [], "unknown: 'vip-moves'", "skipped"),
    ],
)
def test_a_test_that_would_never_run_fails(
    pytester: pytest.Pytester, mark: str, options: list[str], reason: str, outcome: str
) -> None:
    """It is skipped for its topology in the one part that runs it at every change."""
    pytester.makeconftest(RUN)
    skip = f'pytest.skip("{reason}")'
    text = f"@pytest.fixture\ndef node(): {skip}\n@pytest.mark.{mark}\ndef test_it(node): pass\n"
    pytester.makepyfile(f"import pytest\n{text}\n@pytest.mark.{mark}\ndef test_this(): {skip}\n")
    done = pytester.runpytest("-q", "-p", "no:cacheprovider", *options)
    counts = done.parseoutcomes()
    assert counts.get("skipped", 0) + counts.get("failed", 0) + counts.get("errors", 0) == 2
    assert counts.get("skipped", 0) == (2 if outcome == "skipped" else 0)
    if outcome == "failed":
        done.stdout.fnmatch_lines([f"*{reason}, and no other part*"])


@pytest.mark.parametrize(
    ("topology", "ended"), [(markers.LVS, pytest.ExitCode.OK), ("stage3", pytest.ExitCode.NO_TESTS_COLLECTED)]
)
def test_a_run_has_its_own_tests_and_a_run_of_none_fails(pytester: pytest.Pytester, topology: str, ended: int) -> None:
    marker = f"xen_smoke('why', topology='{markers.LVS}')"
    done = _collected(pytester, marker, "-m", f'xen_smoke(topology="{topology}")')
    assert done.ret == ended


def test_the_makefile_selects_by_marker_from_whole_suites() -> None:
    lines = MAKEFILE.read_text(encoding="utf-8").splitlines()
    runs = [line for line in lines if "-m pytest " in line or "$(PYTEST) " in line]
    assert runs
    for run in runs:
        assert not re.search(r"\s(-k|--deselect|--ignore)\b", run), run
        assert " -m " not in run or "/test_" not in run, f"a marked test of another file would be left out: {run}"
    chosen = [re.search(r'--topology (\S+) .*-m \'(\w+)\(topology="(\S+)"\)', run) for run in runs]
    wanted = {(mark, name, name) for mark, names in markers.RUNS.items() for name in names}
    assert {(run[2], run[1], run[3]) for run in chosen if run} == wanted
    rest = [run for run in runs if '-m "not nightly and not apart and not smaller"' in run]
    apart = [run for run in runs if '-m "apart and not nightly"' in run]
    assert len(rest) == len(apart) == 1


@pytest.mark.usefixtures("bare_pytest")
def test_every_promise_is_tried_at_every_change() -> None:
    """By the test that docs/promises.md names, or by one of several."""
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "lab.testing.plugin", "--assert=plain"]
    chosen = ["--collect-only", "-q", "-m", "not nightly", "tests/cluster"]
    done = subprocess.run([*argv, *chosen], capture_output=True, text=True, check=True, cwd=ROOT)
    by_day = set(re.findall(r"::(test_\w+)", done.stdout))
    rows = re.findall(
        r"^\| `([a-z-]+)` \|.*\| ([^|]*) \|$", (ROOT / "docs/promises.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows
    assert [name for name, tests in rows if not by_day & {*re.findall(r"`(test_\w+)`", tests)}] == []


def test_every_part_of_the_makefile_is_run() -> None:
    text = MAKEFILE.read_text(encoding="utf-8")
    parts = re.findall(r"^(part-[a-z]+):", text, re.MULTILINE)
    called = re.findall(r"^\t-?@\$\((?:BESIDE|MAKE)\)(.*)$", text, re.MULTILINE)
    assert len(parts) > len(markers.RUNS["smaller"])
    assert {part for line in called for part in re.findall(r"part-[a-z]+", line)} == set(parts)
    phony = re.search(r"^LANED := (.*)$", text, re.MULTILINE)
    assert phony
    assert {f"part-{name}" for name in phony[1].split()} == set(parts)
