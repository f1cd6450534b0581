"""A secret that a cluster has is never made a second time: it is read from a node, or its loss is named."""

from __future__ import annotations

import json
from copy import deepcopy
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from lab import paths, private
from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, HostError, LabError
from lab.lifecycle import lost, ownership, secrets
from lab.lifecycle.down import down
from lab.lifecycle.prepare import prepare
from lab.lifecycle.up import up
from lab.plan import MANIFEST, plan
from lab.progress import Silent
from lab.topology import parse
from tests.unit.command import lab
from tests.unit.conftest import FULL, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcWwD1sSUBbMpGK1SYCjNEIvOu7ntZ8WvR1Pf8mqXVh ann@home"
EVERY = f"""{WHOLE}shell: {{}}
users: {{ann: {{keys: [{KEY}]}}}}
sites: {{blog: {{database: true, mail: true, owner: ann}}}}
"""
FEWER = f"{WHOLE.replace('mail: {count: 2}', '')}shell: {{}}\n"
"""Without mail, whose key takes most of the time of a first `up`."""
SECRETS = secrets.lasting(plan(parse(EVERY), "debian"))
HALVES = set(secrets.PUBLIC.values())
ONLY = {
    "backup-repository": ("backup1", "/etc/lab/repository"),
    "ssh-host-key": ("shell1", "/etc/lab/ssh_host_ed25519_key"),
}
"""Secrets that one node has, with its file."""


@pytest.fixture(scope="module")
def _first() -> list[tuple[MemoryBackend, dict[str, bytes]]]:
    """The cluster that the first test made, with its secrets: their keys take most of the time of an `up`."""
    return []


@pytest.fixture
def memory(_first: list[tuple[MemoryBackend, dict[str, bytes]]]) -> MemoryBackend:
    """A cluster of every role: a copy of the first, with a copy of its secrets in this test's folder."""
    if not _first:
        backend = MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
        up(parse(EVERY), backend, Silent())
        _first.append((deepcopy(backend), _stored()))
        return backend
    backend, stored = deepcopy(_first[0])
    where = paths.secrets("golden", make=True)
    for name, content in stored.items():
        private.write(where / name, content)
    for key, text in ownership.note("golden").items():  # it names the folder
        backend.note(key, text)
    return backend


class Warned(Silent):
    """Remembers the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, line: str) -> None:
        self.lines.append(line)


def _lose(name: str, way: str) -> Path:
    path = paths.secrets("golden") / name
    if way == "removed":
        path.unlink()
    else:
        path.write_text("")
    return path


def _stored() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.secrets("golden").iterdir()}


def test_every_role_has_its_secrets_here() -> None:
    assert {name.partition("-")[0] for name in SECRETS} == {"backup", "dkim", "mail", "mysql", "site", "ssh", "stats"}


@pytest.mark.parametrize("way", ["removed", "emptied"])
@pytest.mark.parametrize("name", SECRETS)
def test_a_lost_secret_is_read_from_a_node(name: str, way: str, memory: MemoryBackend) -> None:
    before, value = {node: dict(files) for node, files in memory.files.items()}, secrets.known("golden", name)
    _lose(name, way)
    there = _stored()
    assert prepare(parse(EVERY), memory, Silent()).changes == []
    assert _stored() == there, "a plan stores nothing"
    report = Warned()
    assert up(parse(EVERY), memory, report).changes == []
    assert secrets.known("golden", name) == value
    assert memory.files == before
    assert any(f"the secret '{name}' was missing in" in line for line in report.lines) == (name not in HALVES)


@pytest.mark.parametrize("way", ["removed", "emptied"])
@pytest.mark.parametrize("name", sorted(set(SECRETS) - HALVES))
def test_one_that_no_node_has_is_named_and_nothing_is_made(name: str, way: str, memory: MemoryBackend) -> None:
    """As where the data alone is left: its backups, its databases."""
    down(memory, Silent())
    path = _lose(name, way)
    there = _stored()
    memory.done.clear()
    for act in (prepare, up):
        with pytest.raises(HostError, match=rf"secrets that are missing or empty in .*: {name}\n") as caught:
            act(parse(EVERY), memory, Silent())
        assert (caught.value.exit_code, caught.value.where) == (2, str(path))
        assert "restore them from a copy; 'lab down --volumes'" in caught.value.next_step
    assert _stored() == there
    assert memory.done == []


@pytest.mark.parametrize("name", ONLY)
def test_a_node_whose_file_is_another_one_is_no_source(name: str, memory: MemoryBackend) -> None:
    """Such as one that was changed by hand; a person may still read it there."""
    node, path = ONLY[name]
    memory.files[node][path] = b"# by hand\n" + memory.files[node][path]
    _lose(name, "removed")
    with pytest.raises(HostError, match=name) as caught:
        up(parse(EVERY), memory, Silent())
    assert f"from a copy, or from {path} of {node};" in caught.value.next_step


def test_nodes_that_differ_are_no_source(memory: MemoryBackend) -> None:
    value = secrets.known("golden", "stats-password")
    assert value
    path, files = "/etc/lab/users.cfg", memory.files["http-lb2"]
    files[path] = files[path].replace(value.encode(), b"another")
    files[MANIFEST] = json.dumps(json.loads(files[MANIFEST]) | {path: sha256(files[path]).hexdigest()}).encode()
    _lose("stats-password", "removed")
    with pytest.raises(HostError, match="stats-password"):
        up(parse(EVERY), memory, Silent())


def test_a_lost_private_half_and_its_public_one_come_back_together(memory: MemoryBackend) -> None:
    for name in ("ssh-host-key", "ssh-host-public", "dkim-key", "dkim-record"):
        _lose(name, "removed")
    assert up(parse(EVERY), memory, Silent()).changes == []


@pytest.mark.parametrize("key", secrets.PUBLIC)
def test_a_private_key_that_is_cut_off_is_named(key: str, memory: MemoryBackend) -> None:
    path = paths.secrets("golden") / key
    path.write_text(path.read_text()[:60])
    with pytest.raises(HostError, match=f"the secret '{key}' is damaged"):
        up(parse(EVERY), memory, Silent())


def test_a_role_that_is_new_to_the_cluster_gets_its_secrets() -> None:
    backend = MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
    up(parse(FULL), backend, Silent())
    up(parse(WHOLE), backend, Silent())
    assert secrets.known("golden", "backup-repository")


def test_a_role_that_comes_back_has_its_secrets_still(memory: MemoryBackend) -> None:
    """Its volumes were kept, and their passwords are those of then."""
    less = EVERY.replace("backup: {every: 1h}\n", "")
    up(parse(less), memory, Silent())
    assert "backup-repository" in memory.notes()[lost.NOTE].split()
    _lose("backup-repository", "removed")
    up(parse(less), memory, Silent())
    with pytest.raises(HostError, match="backup-repository"):
        up(parse(EVERY), memory, Silent())


@pytest.mark.parametrize("state", ["up", "down", "without backup"])
def test_a_secret_that_is_not_that_of_the_data_is_refused(state: str, memory: MemoryBackend) -> None:
    """It would replace the right one on the node, where that may be the last copy: no backup could be read."""
    if state == "down":
        down(memory, Silent())
    elif state == "without backup":
        up(parse(EVERY.replace("backup: {every: 1h}\n", "")), memory, Silent())
    path, files = paths.secrets("golden") / "backup-repository", deepcopy(memory.files)
    value = path.read_text()
    path.write_text("another")
    for act in (prepare, up):
        with pytest.raises(HostError, match=r"cannot be read with it: backup-repository\n") as caught:
            act(parse(EVERY), memory, Silent())
        assert (caught.value.exit_code, caught.value.where) == (2, str(path))
        source = "from a copy, or from /etc/lab/repository of backup1;" if state == "up" else "from a copy;"
        assert source in caught.value.next_step
    assert memory.files == files
    path.write_text(value)
    up(parse(EVERY), memory, Silent())
    down(memory, Silent(), volumes=True)
    up(parse(EVERY), memory, Silent())
    assert secrets.known("golden", "backup-repository") != value


def _prune(backend: MemoryBackend) -> None:
    """Removes the data alone: the engine's notes stay."""
    down(backend, Silent())
    for name in backend.observe().volumes or ():
        backend.prune(name)


def test_data_that_was_removed_by_hand_seals_nothing(memory: MemoryBackend) -> None:
    """The first `up` seals its data by the secret that is there then, and the next ones know it by that."""
    _prune(memory)
    path = paths.secrets("golden") / "backup-repository"
    path.write_text("another")
    assert up(parse(EVERY), memory, Silent()).changes
    assert up(parse(EVERY), memory, Silent()).changes == []
    path.write_text("a third one")
    with pytest.raises(HostError, match=r"cannot be read with it: backup-repository\n"):
        up(parse(EVERY), memory, Silent())


def test_data_that_was_removed_by_hand_needs_no_secret_of_a_role_that_comes_later(memory: MemoryBackend) -> None:
    _prune(memory)
    less = EVERY.replace("backup: {every: 1h}\n", "")
    up(parse(less), memory, Silent())
    path = _lose("backup-repository", "removed")
    up(parse(EVERY), memory, Silent())
    assert path.is_file()
    assert up(parse(EVERY), memory, Silent()).changes == []


def test_an_up_that_made_nothing_seals_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its note is there before its nodes."""

    def failing(*_: object) -> None:
        raise BackendError("the engine is full")

    backend = MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
    with monkeypatch.context() as patched:
        patched.setattr(backend, "create", failing)
        with pytest.raises(LabError, match="is full"):
            up(parse(FEWER), backend, Silent())
    (paths.secrets("golden") / "backup-repository").write_text("another")
    up(parse(FEWER), backend, Silent())
    assert up(parse(FEWER), backend, Silent()).changes == []


def test_a_password_that_a_person_changed_is_applied(memory: MemoryBackend) -> None:
    (paths.secrets("golden") / "stats-password").write_text("another")
    assert up(parse(EVERY), memory, Silent()).changes
    assert b"another" in memory.files["http-lb1"]["/etc/lab/users.cfg"]


def test_a_cluster_without_data_and_nodes_begins_again(memory: MemoryBackend) -> None:
    down(memory, Silent(), volumes=True)
    assert up(parse(EVERY), memory, Silent()).changes


def test_another_password_is_taken_where_the_volume_that_it_sealed_was_removed(memory: MemoryBackend) -> None:
    """All other data is there, and 'lab down --volumes' would remove it."""
    down(memory, Silent())
    others = [name for name in memory.observe().volumes or () if not name.startswith("backup1-")]
    memory.clear(volumes=True, keep=others)
    (paths.secrets("golden") / "backup-repository").write_text("another")
    for _ in range(2):
        up(parse(EVERY), memory, Silent())
        assert memory.files["backup1"]["/etc/lab/repository"] == b"another\n"


@pytest.mark.parametrize("way", ["removed", "emptied"])
@pytest.mark.parametrize("name", ["backup-repository", "mysql-replication", "ssh-host-key"])
def test_compose_keeps_what_it_has_written(name: str, way: str, tmp_path: Path) -> None:
    """Its volumes are not the lab's to see: what was written for them before is all that is known."""
    file = tmp_path / "cluster.yaml"
    file.write_text(FEWER)
    argv = ("compose", "-f", str(file), "--secrets", "--dir", str(tmp_path / "compose"))
    assert lab(*argv).returncode == 0
    value = secrets.known("golden", name)
    _lose(name, way)
    assert lab(*argv).returncode == 0
    assert secrets.known("golden", name) == value


def test_compose_makes_no_secret_that_a_cluster_has(
    memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next `lab up` would put it over the cluster's own."""
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    file = tmp_path / "cluster.yaml"
    file.write_text(EVERY)
    path = _lose("backup-repository", "removed")
    done = lab("compose", "-f", str(file), "--secrets", "--dir", str(tmp_path / "compose"))
    assert done.returncode == 2
    assert "missing or empty" in done.stderr
    assert "from /etc/lab/repository of backup1" in done.stderr
    assert not path.exists()
    assert not (tmp_path / "compose").exists()


@pytest.mark.parametrize("state", ["up", "down"])
@pytest.mark.parametrize("beside", ["", "stats-password"])
def test_compose_writes_no_secret_that_is_not_that_of_the_data(
    state: str, beside: str, memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not another secret is missing `beside` it, which compose has written before."""
    monkeypatch.setattr("lab.backends.backend", lambda *_: memory)
    file, folder = tmp_path / "cluster.yaml", tmp_path / "compose"
    file.write_text(EVERY)
    argv = ("compose", "-f", str(file), "--secrets", "--dir", str(folder))
    assert lab(*argv).returncode == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if state == "down":
        down(memory, Silent())
    (paths.secrets("golden") / "backup-repository").write_text("another")
    if beside:
        _lose(beside, "removed")
    done = lab(*argv)
    assert done.returncode == 2
    assert "cannot be read with it: backup-repository\n" in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
