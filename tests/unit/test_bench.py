"""The bench: a section that fails leaves the others theirs; a quick look is no whole run; the page is what was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as command
from bench import figures
from bench.figures import Result, figure
from bench.page import page
from bench.prose import REMARKS
from bench.sections import SECTIONS, Section

if TYPE_CHECKING:
    from pathlib import Path

    from bench.figures import Figure

SLOW, GOAL = 3.0, 2.0


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    return tmp_path


def _good(runs: int) -> list[Figure]:
    return [figure("a boot", "s", [1.0] * runs)]


def _slow(runs: int) -> list[Figure]:
    return [figure("a boot", "s", [SLOW] * runs, f"≤ {GOAL:g} s", GOAL)]


def _refused(runs: int) -> list[Figure]:
    said = "import sys; print('shell1 is unhealthy', file=sys.stderr); sys.exit(3)"
    subprocess.run([sys.executable, "-c", said], check=bool(runs), capture_output=True)
    return []


def _run(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    made = {"first": Section("First", 2, _refused), "second": Section("Second", 2, _good, look=False)}
    made["third"] = Section("Third", 2, _slow)
    monkeypatch.setattr(command, "SECTIONS", made)
    return command.main(argv)


def test_a_section_that_fails_leaves_the_others_theirs(
    monkeypatch: pytest.MonkeyPatch, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "first", "second") == 1
    (path,) = results.iterdir()
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["sections"]["second"][0]["runs"] == len(("first", "second"))
    assert "exit status 3" in kept["failed"]["first"]
    said = capsys.readouterr()
    assert "  | shell1 is unhealthy" in said.err
    assert "failed: first" in said.out


def test_a_missed_goal_fails_a_whole_run_only(
    monkeypatch: pytest.MonkeyPatch, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "third") == 1
    assert _run(monkeypatch, "third", "--quick") == 0
    assert "a quick look" in capsys.readouterr().out
    names = sorted(path.name.partition("-")[0] for path in results.iterdir())
    assert names[-1] == "quick"
    assert len(names) == len({"whole", "quick"})


def test_a_quick_look_takes_what_can_be_looked_at(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    _run(monkeypatch, "--quick")
    kept = json.loads(next(results.iterdir()).read_text(encoding="utf-8"))
    assert set(kept["sections"]) | set(kept["failed"]) == {"first", "third"}
    assert {entry["runs"] for rows in kept["sections"].values() for entry in rows} == {1}


def test_a_quick_look_leaves_out_what_it_has_no_time_for(
    monkeypatch: pytest.MonkeyPatch, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"long": Section("Long", 2, _good, takes=1e6), "short": Section("Short", 2, _good, takes=1)}
    monkeypatch.setattr(command, "SECTIONS", made)
    assert command.main(["--quick"]) == 0
    kept = json.loads(next(results.iterdir()).read_text(encoding="utf-8"))
    assert (list(kept["sections"]), kept["left_out"]) == (["short"], ["long"])
    assert "left out, as a quick look ends within five minutes: long" in capsys.readouterr().out
    assert command.main([]) == 0, "a whole run takes all"


def _kept(result: Result) -> dict[str, object]:
    result.keep()
    kept: dict[str, object] = json.loads(result.path.read_text(encoding="utf-8"))
    return kept


def test_the_page_has_the_figures_of_the_run() -> None:
    result = Result(taken={"lifecycle": [figure("lab up", "s", [3.2412, 4.5, 1234.5], "≤ 2 s", GOAL)]})
    result.failed["mail"] = "RuntimeError: messages were refused\n  where: mail.py:51"
    said = page(_kept(result))
    assert "| lab up | 3.24 s | 4.5 s | 1234 s | 3 | ≤ 2 s: **missed** |" in said
    assert "Failed in this run: RuntimeError: messages were refused\n" in said
    assert REMARKS["lifecycle"] in said
    assert SECTIONS["storage"].title not in said


def test_no_page_is_made_of_a_quick_look() -> None:
    with pytest.raises(ValueError, match="a quick look"):
        page(_kept(Result(quick=True)))


def test_every_remark_belongs_to_a_section() -> None:
    assert set(REMARKS) <= set(SECTIONS)
