"""The workflows call nothing but `make`, by targets that exist; `make lint` holds them against GitHub's schema."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import yamls

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def _targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_step_runs_a_target(path: Path) -> None:
    jobs = yamls.read(path.read_text(encoding="utf-8"))["jobs"]
    runs = [(job, step["run"]) for job in jobs.values() for step in job["steps"] if "run" in step]
    assert runs
    for job, run in runs:
        words = run.split()
        assert words[0] == "make"
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        meant = matrix["suite"] if "matrix.suite" in run else [words[1]]
        assert set(meant) <= _targets()
        assert job["timeout-minutes"]


def test_what_has_to_be_there_is() -> None:
    assert {path.stem for path in WORKFLOWS} == {"check", "docker", "xen", "nightly", "release"}
