"""The parts of `make test`: each is noted with its time, its tests and its exit code, and the table has them all."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import parts

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from tests import parts

def test_one(): pass
def test_two(): pass
def test_none(): pytest.skip("not here")
"""
CONFTEST = """
import os
from pathlib import Path
from tests import parts

def pytest_configure(config):
    if (count := os.environ.pop(parts.COUNT, "")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(parts.Counted(Path(count)))
"""


@pytest.mark.slow("starts pytest")
@pytest.mark.usefixtures("bare_pytest")
def test_a_part_is_noted_with_its_tests_and_its_code(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Also where several processes run the tests."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    notes = tmp_path / "runs" / "parts.jsonl"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(pytester.path)]
    assert parts.run("one", argv, notes) == 0
    assert parts.run("two", [*argv, "-p", "xdist", "-n", "2"], notes) == 0
    assert parts.run("lint", [sys.executable, "-c", "raise SystemExit(3)"], notes) == 3
    said = [line.split() for line in parts.table(parts.noted(notes)).splitlines()]
    assert [row[0] for row in said] == ["part", "one", "two", "lint", "all,"]
    assert [row[2] for row in said[1:3]] == ["2", "2"], "the one that was skipped did not run"
    assert said[3][2:] == ["exit", "code", "3"]
    assert [path.name for path in notes.parent.iterdir()] == ["parts.jsonl"]


def test_parts_side_by_side_are_told_by_the_clock(tmp_path: Path) -> None:
    notes = tmp_path / "parts.jsonl"
    rows = [parts.Part("second", 1030.0, 60.0, 5, 0), parts.Part("first", 1000.0, 60.0, 7, 0)]
    notes.write_text("".join(f"{json.dumps(asdict(row))}\n" for row in rows), encoding="utf-8")
    said = parts.table(parts.noted(notes)).splitlines()
    assert [line.split()[0] for line in said[1:3]] == ["first", "second"]
    assert said[-1].split()[-2:] == ["1.5", "12"]


@pytest.mark.parametrize(("minutes", "code"), [("", 3), ("60", 3), ("10", 0)])
def test_a_part_that_would_begin_too_late_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: str, code: int
) -> None:
    monkeypatch.setenv(parts.MINUTES, minutes)
    notes = tmp_path / "parts.jsonl"
    row = parts.Part("shared", time.time() - 30 * 60, 60.0, 5, 0)
    notes.write_text(f"{json.dumps(asdict(row))}\n", encoding="utf-8")
    assert parts.run_in_time("xen", [sys.executable, "-c", "raise SystemExit(3)"], notes) == code
    assert (parts.LATE in parts.table(parts.noted(notes))) is (code == 0)


SLOW = """
import time

def test_quick(): assert {0}
def test_slow(): time.sleep(600)
"""


@pytest.mark.slow("the end of a time is waited for")
@pytest.mark.usefixtures("bare_pytest")
@pytest.mark.parametrize("passes", [True, False])
def test_a_part_that_is_not_done_in_time_is_ended_and_named(
    *, passes: bool, pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that began in the background of a shell, where interrupts are ignored. What failed before it is told."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SLOW.format(passes))
    monkeypatch.setenv(parts.MINUTES, "0.1")
    notes = tmp_path / "parts.jsonl"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(pytester.path)]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert parts.run_in_time("xen", argv, notes) == int(not passes)
    finally:
        signal.signal(signal.SIGINT, before)
    (part,) = parts.noted(notes)
    assert part.late
    assert 5 < part.seconds < 120
    said = parts.table([part])
    assert (parts.LATE in said) is passes
    assert ("exit code 1" in said) is not passes


def test_a_run_without_parts_has_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = parts.noted(tmp_path / "parts.jsonl")
    monkeypatch.setattr(parts, "noted", lambda: none)
    assert parts.table(none) == "no part was noted\n"
    assert parts.main(["table"]) == 1
    assert parts.COUNT not in os.environ, "a test's own pytest would count itself"


def test_a_part_that_did_not_run_is_missed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Make goes on where what a part needs fails: then nothing of the part is noted."""
    rows = [parts.Part("lint", 1000.0, 1.0, None, 0), parts.Part("unit", 1000.0, 60.0, 7, 0)]
    monkeypatch.setattr(parts, "noted", lambda: rows)
    assert parts.main(["table", "lint", "unit"]) == 0
    assert parts.main(["table", "lint", "shared", "unit", "xen"]) == 1
    lines = capsys.readouterr().out.splitlines()[-6:]
    assert [" ".join(line.split()) for line in lines[3:5]] == ["shared did not run", "xen did not run"]


def test_the_table_of_make_test_has_all_its_parts() -> None:
    """Each part that a rule notes is one that the table expects, and is made by `make test`."""
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    (laned,) = re.findall(r"^LANED := (.*)$", makefile, re.MULTILINE)
    (expected,) = re.findall(r"\$\(NOTE\) table (.*?) \|\|", makefile)
    names = expected.replace("$(LANED)", laned).split()
    assert sorted(names) == sorted(re.findall(r"\$\(NOTE\) (?:run|in-time) ([a-z]+)", makefile))
    made = "".join(re.findall(r"^\t.*\$\((?:BESIDE|MAKE)\).*$", makefile, re.MULTILINE))
    for name in names:
        assert re.search(rf"(part|test)-{name}\b", made), f"'make test' makes no part '{name}'"


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((2, 0), 1), ((0, 1), 1)])
def test_a_run_fails_if_a_part_failed(
    codes: tuple[int, int], expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that fails does not stop the others, so that its code is found at the end only."""
    rows = [parts.Part(f"part{place}", float(place), 1.0, None, code) for place, code in enumerate(codes)]
    monkeypatch.setattr(parts, "noted", lambda: rows)
    assert parts.main(["table"]) == expected
    assert "part1" in capsys.readouterr().out
