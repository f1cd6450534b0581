"""The pytest plugin as somebody else's suite has it: what a failing test measured is kept, with a report."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

THEIRS = """
import pytest

def test_that_fails(cluster, faults, probe):
    with cluster.load(rate=20) as load, probe():
        with faults.kill("web1"):
            load.more(10)
    assert not load.failed, "there is no other web node"

def test_that_holds(cluster):
    with cluster.load(rate=20) as load:
        load.more(10)
    assert not load.failed

@pytest.mark.read_only
def test_that_is_not_read_only(cluster):
    cluster.backend.pause("web1")

def test_that_finds_what_it_left(cluster):
    assert cluster.backend.observe().node("web1").state == "paused"

def test_that_finds_the_cluster_whole_again(cluster):
    assert cluster.backend.observe().node("web1").state == "running"
"""


@pytest.mark.nightly("most of a minute: an inner run with a cluster of its own")
def test_what_a_failing_test_measured_is_kept(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    backend = request.config.getoption("--backend")
    if backend != "docker":
        pytest.skip("it makes a second cluster beside the first")
    (tmp_path / "test_theirs.py").write_text(THEIRS, encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "--topology", "stage1", "--runs", str(tmp_path / "runs")]
    argv = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_theirs.py")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert "1 failed, 4 passed" in done.stdout, done.stdout
    (kept,) = (tmp_path / "runs").iterdir()
    assert kept.name.endswith("test-that-fails")
    assert f"what it measured: {kept / 'report.html'}" in done.stdout
    assert "AssertionError: there is no other web node" in (kept / "failure.txt").read_text(encoding="utf-8")
    assert "kill web1" in (kept / "report.html").read_text(encoding="utf-8")
    assert "fault: kill web1" in (kept / "events.jsonl").read_text(encoding="utf-8")
