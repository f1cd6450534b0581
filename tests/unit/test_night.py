"""The parts of a night: one that passed is not repeated at the same commit, one that failed is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import night, parts

pytestmark = pytest.mark.usefixtures("bare_pytest")


def test_a_part_that_passed_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "")
    (tmp_path / "test_good.py").write_text("def test_good(): pass\n", encoding="utf-8")
    late = tmp_path / "test_late.py"
    late.write_text("def test_late(): raise KeyboardInterrupt\n", encoding="utf-8")
    quick = ("-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "--confcutdir", str(tmp_path))
    suites = {"good": (*quick, str(tmp_path / "test_good.py")), "late": (*quick, str(late))}
    notes = tmp_path / "notes.jsonl"
    assert night.play(["good", "late"], notes, tmp_path / "night", suites) == ["late"]
    assert (tmp_path / "night" / "good.xml").is_file()
    late.write_text("def test_late(): pass\n", encoding="utf-8")
    assert night.play(["good", "late"], notes, tmp_path / "night", suites) == []
    assert [part.name for part in parts.noted(notes)] == ["good", "late", "late"]


def test_a_name_stands_for_a_part_or_for_all_that_begin_with_it() -> None:
    assert night.chosen([]) == list(night.SUITES)
    assert night.chosen(["xen-mail", "unit"]) == ["unit", "xen-mail"]
    assert night.chosen(["xen"]) == [name for name in night.SUITES if name.startswith("xen-")]


def test_an_unknown_part_is_named_with_those_that_exist() -> None:
    argv = [sys.executable, "-m", "tests.night", "xen-mial"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 2
    assert done.stderr.startswith("no part 'xen-mial'; parts: unit, engines, ")


def test_each_file_and_topology_of_a_night_exists() -> None:
    """A test file that is renamed would leave the night."""
    words = {word for arguments in night.SUITES.values() for argument in arguments for word in _paths(argument)}
    assert {"tests/unit", "tests/cluster/topologies/mail.yaml"} <= words
    assert [word for word in sorted(words) if not Path(word).exists()] == []


def _paths(argument: str) -> list[str]:
    return re.findall(r"tests/[\w./-]+", argument)
