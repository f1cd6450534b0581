"""Commands on an engine of plain values: down, locks, the noted topology, errors of several nodes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab import assets
from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.cli import options
from lab.errors import BackendError, HostError, Locked, NotReady, SpecError
from lab.host.install import programs
from lab.lifecycle import secrets
from lab.lifecycle.doctor import engine
from lab.lifecycle.down import down
from lab.lifecycle.lock import held
from lab.lifecycle.up import up
from lab.parallel import for_each
from lab.progress import Silent
from lab.topology import Cluster, load
from tests.unit.backends import Heard


def test_down_removes_all_and_volumes_only_when_asked(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    assert secrets.known("golden", "ca-certificate")
    assert down(memory, Silent()) == 8
    assert memory.done[-1] == "clear volumes=False"
    assert secrets.known("golden", "ca-certificate"), "the CA that a browser trusts stays"
    down(memory, Silent(), volumes=True, keep_backups=True)
    assert memory.done[-1] == "clear volumes=True backup"
    assert secrets.known("golden", "ca-certificate"), "without the secrets nobody could read the backups"
    down(memory, Silent(), volumes=True)
    assert secrets.known("golden", "ca-certificate") is None


def test_a_second_command_waits_and_then_says_who_is_there() -> None:
    heard, inside, leave = Heard(), threading.Event(), threading.Event()

    def first() -> None:
        with held("golden", "lab up", Silent()):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=first)
    holder.start()
    inside.wait(10)
    with pytest.raises(Locked, match="busy with 'lab up'"), held("golden", "lab down", heard, seconds=0.3):
        pass
    assert "waiting" in heard.lines[0]
    leave.set()
    holder.join()
    with held("golden", "lab down", heard, seconds=0.3):
        pass


def test_one_error_for_all_that_failed() -> None:
    def work(item: int) -> None:
        if item:
            raise BackendError(f"number {item}")

    for_each([0, 0], work)
    with pytest.raises(BackendError, match="number 1"):
        for_each([0, 1], work)
    with pytest.raises(NotReady, match="number 1\nnumber 2"):
        for_each([1, 2], work)


def test_the_doctor_gives_reason_and_way_round() -> None:
    found = {finding.subject: finding for finding in engine(Capabilities("Docker", kernel=frozenset({"fuse"})))}
    assert found["kernel: fuse"].good
    assert not found["kernel: ip_vs"].good
    assert "haproxy" in found["kernel: ip_vs"].way_round
    assert {"docker command", "mmdebstrap"} <= {finding.subject for finding in programs()}


def test_the_topology_that_a_cluster_was_made_from_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an option, in a folder without one: not `full`, which would add or remove nodes."""
    monkeypatch.chdir(tmp_path)
    shipped = assets.topologies()
    assert options.topology(None, "golden") == shipped["full"], "nothing is known of it"
    up(load(shipped["stage1"], name="golden"), MemoryBackend("golden"), Silent())
    assert options.topology(None, "golden") == shipped["stage1"]
    assert options.topology("stage3", "golden") == shipped["stage3"]
    assert options.topology(None, "other") == shipped["full"]
    own = tmp_path / "shop.yaml"
    own.write_text("name: golden\nweb: {count: 1}\n", encoding="utf-8")
    up(load(own), MemoryBackend("golden"), Silent())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert options.topology(None, "golden") == own
    (elsewhere / "cluster.yaml").write_text("name: golden\nweb:\n", encoding="utf-8")
    assert options.topology(None, "golden") == Path("cluster.yaml")
    (elsewhere / "cluster.yaml").unlink()
    own.unlink()
    with pytest.raises(SpecError, match=r"there is no topology file .*shop\.yaml"):
        options.topology(None, "golden")


def test_a_damaged_note_is_in_the_way_of_no_verb_that_needs_no_topology(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    up(load(assets.topologies()["stage1"], name="golden"), MemoryBackend("golden"), Silent())
    note = secrets.folder("golden") / "topology"
    note.write_bytes(b"\xff\xfe")
    assert options.place(None, None, None, "golden").backend == "docker", "'down' and 'status' go on"
    with pytest.raises(HostError, match="the note 'topology'") as caught:
        options.topology(None, "golden")
    assert caught.value.where == str(note)
    assert "-f names the topology" in caught.value.next_step
    assert options.topology("stage3", "golden") == assets.topologies()["stage3"]
