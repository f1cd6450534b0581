"""A change of one section of a topology removes nothing else of the running cluster, whatever the file lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.services import users
from lab.topology import Shell, load
from tests.unit.command import lab
from tests.unit.conftest import FEW

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcWwD1sSUBbMpGK1SYCjNEIvOu7ntZ8WvR1Pf8mqXVh ann@home"
PARTS = {
    "mysql": "mysql: {count: 2}\n",
    "mail": "mail: {count: 1}\n",
    "users": f"users: {{ann: {{keys: [{KEY}]}}, bob: {{keys: [{KEY}]}}}}\n",
    "sites": "sites: {blog: {}, wiki: {}}\n",
    "apps": "apps: {shop: {image: shop, port: 80, count: 1}}\n",
}
LOSSES = {
    ("mail", "mysql"): "the nodes mail1, mysql1, mysql2",
    ("mail",): "the nodes mail1",
    ("users",): "the users ann, bob",
    ("sites",): "the sites blog, wiki",
    ("apps",): "the nodes shop1",
}
VERBS = {
    "user add": ("user", "add", "zoe", "--key", KEY),
    "user keys": ("user", "keys", "ann", "--key", KEY.replace("ann@", "other@").replace("AAAAIB", "AAAAIC")),
    "user remove": ("user", "remove", "ann"),
    "site add": ("site", "add", "shelf"),
    "site remove": ("site", "remove", "blog"),
}


CASES = [
    (verb, lacking)
    for verb in VERBS
    for lacking in LOSSES
    if (verb, lacking) not in {("user keys", ("users",)), ("user remove", ("users",)), ("site remove", ("sites",))}
]
"""Without those where the file has nothing that the verb could change."""


def _whole(*lacking: str) -> str:
    base = f"{FEW}storage: {{count: 1}}\nshell: {{count: 1}}\n"
    return base + "".join(text for part, text in PARTS.items() if part not in lacking)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    """A cluster of all parts, made from `own.yaml`."""
    backend = MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
    monkeypatch.setattr("lab.backends.backend", lambda *_: backend)
    monkeypatch.setattr("lab.lifecycle.resolve.apps", lambda cluster, _: cluster)
    own = tmp_path / "own.yaml"
    own.write_text(_whole())
    up(load(own), backend, Silent())
    return backend


def _faults(done: CompletedProcess[str], lost: str, own: Path) -> list[str]:
    """What is missing in the refusal of a file that lacks parts of the cluster."""
    wanted = (
        f"lacks parts of the cluster 'golden', which would be removed: {lost}\n",
        f"the cluster's own topology, {own}, with --file",
    )
    return [
        *([f"exit code {done.returncode}"] if done.returncode != 2 else []),
        *(f"no {text!r} in {done.stderr!r}" for text in wanted if text not in done.stderr),
    ]


def test_files_that_lack_parts_of_the_cluster_are_refused(tmp_path: Path, running: MemoryBackend) -> None:
    """Nothing is changed, so that all of them meet the same cluster."""
    other, wrong = tmp_path / "other.yaml", []
    for verb, lacking in CASES:
        other.write_text(_whole(*lacking))
        running.done.clear()
        faults = _faults(lab(*VERBS[verb], "-f", str(other)), LOSSES[lacking], tmp_path / "own.yaml")
        faults += ["the file was changed"] if other.read_text() != _whole(*lacking) else []
        faults += [f"the cluster was changed: {running.done}"] if running.done else []
        wrong += [f"{verb}, without {', '.join(lacking)}: {fault}" for fault in faults]
        if running.done:
            break  # the others would meet another cluster
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("verb", VERBS)
def test_the_clusters_own_file_is_taken(verb: str, tmp_path: Path, running: MemoryBackend) -> None:
    done = lab(*VERBS[verb], "-f", str(tmp_path / "own.yaml"))
    assert done.returncode == 0, done.stderr
    assert {node.role for node in running.observe().nodes} >= {"mysql", "mail", "shop", "shell"}


@pytest.mark.usefixtures("running")
def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(f"{FEW}shell: {{count: 1}}\nstorage: {{count: 1}}\n")
    done = lab("user", "add", "ann", "--key", KEY, "-f", str(other))
    assert "removed: the nodes mail1, mysql1, mysql2, shop1; the users bob; the sites blog, wiki\n" in done.stderr


def test_a_server_that_runs_tells_the_users(tmp_path: Path, running: MemoryBackend) -> None:
    """One that was down meanwhile has those of then."""
    up(load(tmp_path / "own.yaml").model_copy(update={"shell": Shell(count=2)}), running, Silent())
    running.files["shell1"][users.PEOPLE] = b"user carl 30000 people\n"
    running.kill("shell1")
    assert users.present(running, running.observe()) == {"ann", "bob"}
    running.kill("shell2")
    assert users.present(running, running.observe()) == {"carl"}


def test_what_a_person_made_of_a_node_is_a_part_of_the_cluster(tmp_path: Path, running: MemoryBackend) -> None:
    """Without its key the node would be made again."""
    own = tmp_path / "own.yaml"
    own.write_text(f"{_whole()}by-hand: [web1]\n")
    up(load(own), running, Silent())
    other = tmp_path / "other.yaml"
    other.write_text(_whole())
    done = lab("site", "add", "shelf", "-f", str(other))
    assert done.returncode == 2
    assert "which would be removed: the nodes by hand web1\n" in done.stderr
    assert lab("site", "add", "shelf", "-f", str(own)).returncode == 0
