"""Volumes that somebody removed by hand are named before empty ones take their place."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends.xen import domain
from lab.lifecycle import kept
from lab.lifecycle.down import down
from lab.lifecycle.kept import Note
from lab.lifecycle.prepare import prepare
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import Cluster, parse
from tests.unit.backends import Heard

if TYPE_CHECKING:
    from pathlib import Path

    from lab.backends.memory import MemoryBackend

WEBS = "name: golden\nweb: {count: 2}\nmysql: {count: 1}\nbackup:\n"
FEWER = WEBS.replace("count: 2", "count: 1")
GONE = "no longer exist"


def _warned(cluster: Cluster, backend: MemoryBackend) -> list[str]:
    """What a plan, and an `up` after it, warn of: the same."""
    planned, carried_out = Heard(), Heard()
    prepare(cluster, backend, planned)
    up(cluster, backend, carried_out)
    first, second = ([line for line in heard.lines if GONE in line] for heard in (planned, carried_out))
    assert first == second
    return first


@pytest.fixture
def cluster() -> Cluster:
    return parse(WEBS)


def test_a_volume_that_is_gone_is_named_once(cluster: Cluster, memory: MemoryBackend) -> None:
    assert _warned(cluster, memory) == []
    assert _warned(cluster, memory) == []
    memory.remove("backup1")
    memory.prune("backup1-backups")
    (warning,) = _warned(cluster, memory)
    assert warning.endswith("empty ones are created: backup1-backups")
    assert _warned(cluster, memory) == []


def test_where_all_are_gone_none_is_named(cluster: Cluster, memory: MemoryBackend) -> None:
    up(cluster, memory, Silent())
    down(memory, Silent())
    for name in memory.observe().volumes or ():
        memory.prune(name)
    (warning,) = _warned(cluster, memory)
    assert "the volumes of 'golden' no longer exist" in warning
    assert "backup1" not in warning


def test_what_down_removed_is_not_missed(cluster: Cluster, memory: MemoryBackend) -> None:
    up(cluster, memory, Silent())
    down(memory, Silent(), volumes=True, keep_backups=True)
    assert memory.observe().volumes == frozenset({"backup1-backups"})
    assert _warned(cluster, memory) == []
    down(memory, Silent(), volumes=True, keep_backups=True)
    memory.prune("backup1-backups")
    assert len(_warned(cluster, memory)) == 1
    down(memory, Silent(), volumes=True)
    assert _warned(cluster, memory) == []


def test_a_volume_of_a_removed_node_is_missed_when_it_comes_back(cluster: Cluster, memory: MemoryBackend) -> None:
    up(cluster, memory, Silent())
    assert _warned(parse(FEWER), memory) == []
    memory.prune("web2-guestbook")
    assert _warned(parse(FEWER), memory) == []
    (warning,) = _warned(cluster, memory)
    assert warning.endswith(": web2-guestbook")


def test_an_earlier_versions_note_names_none(cluster: Cluster, memory: MemoryBackend) -> None:
    up(cluster, memory, Silent())
    kept.keep("golden", Note.VOLUMES, "made")
    memory.remove("backup1")
    memory.prune("backup1-backups")
    assert _warned(cluster, memory) == []
    assert "backup1-backups" in kept.read("golden", Note.VOLUMES).split()


def test_a_xen_host_lists_its_volumes(tmp_path: Path) -> None:
    folder = tmp_path / "volumes/golden"
    folder.mkdir(parents=True)
    for name in ("backup1-backups.ext4", "web1-site.ext4", ".web2-site"):
        (folder / name).touch()
    beside = "xl() { echo Name; }\nxenstore-list() { return 1; }\n"
    parts = [(assets.xen() / "verbs" / part).read_text(encoding="utf-8") for part in ("common", "observe")]
    told = {"STORE": str(tmp_path), "CLUSTER": "golden", "PATH": "/usr/bin:/bin"}

    def observed() -> str:
        script = "\n".join([beside, *parts])
        return subprocess.run(["bash", "-c", script], env=told, capture_output=True, text=True, check=True).stdout

    there = domain.existing("golden", observed())
    assert there.data
    assert there.volumes == frozenset({"backup1-backups", "web1-site"})
    for path in folder.iterdir():
        path.unlink()
    there = domain.existing("golden", observed())
    assert not there.data
    assert there.volumes == frozenset()
