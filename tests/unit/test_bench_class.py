"""The bench of a class: how many clusters it makes, what it reads, and that it leaves none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import classroom
from lab.backends.memory import MemoryBackend
from lab.evidence import outcomes
from lab.evidence.outcomes import green

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "MemTotal:       16777216 kB\nMemAvailable:   {free} kB\nHugePages_Total:       0\n"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryBackend]:
    """An engine of clusters of 1 GiB each on a machine of 16 GiB, 10 of them available."""
    clusters: dict[str, MemoryBackend] = {}
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(TEXT.format(free=10 * 2**20), encoding="utf-8")

    def fetch(_place: object, name: str) -> MemoryBackend:
        one = clusters.setdefault(name, MemoryBackend(name))
        running = [each for each in clusters.values() if each.observe().nodes]
        meminfo.write_text(TEXT.format(free=(9 - len(running)) * 2**20), encoding="utf-8")
        return one

    monkeypatch.setattr(classroom, "backend", fetch)
    monkeypatch.setattr(classroom, "MEMINFO", meminfo)
    monkeypatch.setattr(classroom, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: green("good"))
    return clusters


def test_clusters_are_added_step_by_step_and_removed(made: dict[str, MemoryBackend]) -> None:
    figures = {each.name: each for each in classroom.run(2)}
    assert len(figures) == 6
    assert figures["memory of a cluster, 5 side by side"].median == pytest.approx(1024)
    assert figures["a check of 'returns', in 5 at once"].runs == 5
    assert figures["of these checks, green, in 5 at once"].median == 5
    assert [name for name, one in made.items() if one.observe().nodes] == []


def test_a_step_without_a_further_cluster_has_no_figures(made: dict[str, MemoryBackend], tmp_path: Path) -> None:
    """One cluster leaves 2 of 16 GiB: the next step has none of its own."""
    (tmp_path / "meminfo").write_text(TEXT.format(free=2 * 2**20), encoding="utf-8")
    assert classroom.run(2) == []
    assert [name for name, one in made.items() if one.observe().nodes] == []


def test_no_cluster_is_added_when_the_memory_ends(made: dict[str, MemoryBackend]) -> None:
    """When the seventh is created, 3 of 16 GiB are left."""
    names = [each.name for each in classroom.run(4) if ", in " in each.name]
    assert [int(name.split(", in ")[1].split()[0]) for name in names] == [1, 1, 5, 5, 7, 7]
    assert [name for name, one in made.items() if one.observe().nodes] == []
