"""A command that waited for another one applies what that one wrote, and not what it read before."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.lifecycle.lock import held
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.services import sites, users
from lab.topology import load
from tests.pages import served
from tests.unit.command import lab
from tests.unit.conftest import FEW
from tests.unit.live_page import running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.page.actions import Work
    from tests.unit.live_page import Engine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcWwD1sSUBbMpGK1SYCjNEIvOu7ntZ8WvR1Pf8mqXVh ann@home"
ANN = f"{FEW}storage: {{count: 1}}\nshell: {{count: 1}}\nusers:\n  ann: {{keys: [{KEY}]}}\n"
BOTH = f"{ANN}  bob: {{keys: [{KEY}]}}\n"
BLOG = f"{FEW}sites:\n  blog: {{}}\n"
WIKI = f"{BLOG}  wiki: {{}}\n"
WAIT_SECONDS = 30.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The topology, with one user."""
    path = tmp_path / "cluster.yaml"
    path.write_text(ANN)
    return path


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    """The engine of every command."""
    backend = MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
    monkeypatch.setattr("lab.backends.backend", lambda *_: backend)
    return backend


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a command waits for the lock."""
    event = threading.Event()

    def sleep(seconds: float) -> None:
        event.set()
        time.sleep(seconds)

    monkeypatch.setattr("lab.lifecycle.lock.time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    return event


@pytest.fixture
def writing(file: Path, memory: MemoryBackend, waiting: threading.Event) -> Iterator[threading.Thread]:
    """Another command holds the lock, adds a user once it is waited for, and ends."""
    begun = threading.Event()

    def add() -> None:
        with held("golden", "lab user", Silent()):
            begun.set()
            assert waiting.wait(WAIT_SECONDS)
            file.write_text(BOTH)
            up(load(file), memory, Silent())

    up(load(file), memory, Silent())
    thread = threading.Thread(target=add)
    thread.start()
    assert begun.wait(WAIT_SECONDS)
    yield thread
    thread.join(WAIT_SECONDS)


@pytest.mark.usefixtures("writing")
@pytest.mark.parametrize("verb", ["up", "renew"])
def test_a_command_that_waited_applies_what_was_written_meanwhile(verb: str, file: Path, memory: MemoryBackend) -> None:
    done = lab(verb, "-f", str(file))
    assert done.returncode == 0, done.stderr
    assert users.present(memory, memory.observe()) == {"ann", "bob"}


VERBS = {
    "up": ("up",),
    "renew": ("renew",),
    "user": ("user", "add", "zoe", "--key", KEY),
    "site": ("site", "add", "shelf"),
}


@pytest.mark.parametrize("change", ["name: other\n", "backend: xen\nname: golden\n"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_topology_that_is_of_another_cluster_by_then_is_refused(
    verb: str, change: str, file: Path, memory: MemoryBackend, waiting: threading.Event
) -> None:
    begun = threading.Event()
    changed = ANN.replace("name: golden\n", change)

    def rewrite() -> None:
        with held("golden", "lab user", Silent()):
            begun.set()
            assert waiting.wait(WAIT_SECONDS)
            file.write_text(changed)

    thread = threading.Thread(target=rewrite)
    thread.start()
    assert begun.wait(WAIT_SECONDS)
    done = lab(*VERBS[verb], "-f", str(file))
    thread.join(WAIT_SECONDS)
    assert done.returncode == 2
    assert "no longer describes the cluster 'golden' on docker: name, backend or host changed while" in done.stderr
    assert not memory.done
    assert file.read_text() == changed


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_was_moved_meanwhile_is_not_replaced_by_another_topology(
    verb: str, file: Path, memory: MemoryBackend, waiting: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the one that the cluster was made from, which `lab user` would change."""
    other = file.parent / "other.yaml"
    other.write_text(ANN)
    assert lab("up", "-f", str(other)).returncode == 0
    memory.done.clear()
    begun = threading.Event()

    def move() -> None:
        with held("golden", "lab user", Silent()):
            begun.set()
            assert waiting.wait(WAIT_SECONDS)
            file.rename(file.with_name("moved.yaml"))

    monkeypatch.chdir(file.parent)
    thread = threading.Thread(target=move)
    thread.start()
    assert begun.wait(WAIT_SECONDS)
    done = lab(*VERBS[verb], "-n", "golden")
    thread.join(WAIT_SECONDS)
    assert done.returncode == 2, done.stderr
    assert "was moved or removed while" in " ".join(done.stderr.split())
    assert not [entry for entry in memory.done if not entry.startswith("run")]
    assert other.read_text() == ANN


def _scaled(applied: Path, written: str, file: Path) -> tuple[Work, Engine]:
    """The page scales once another command has applied a topology; `file`: what the page began with."""
    file.write_text(BLOG)
    first = load(file)
    engine = running(first)
    engine.answers["sites"] = (0, '{"releases": [], "switched": ""}')
    with served(engine, first, folder=file.parent / "runs") as page:
        applied.write_text(written)
        up(load(applied), engine, Silent())
        page.post("/do", {"do": "scale", "target": "web", "settings": {"count": "2"}})
        return until("its end", lambda: (one := page.page.actions.works[1]).state != "running" and one), engine


def test_the_page_scales_what_the_file_says_now(file: Path) -> None:
    work, engine = _scaled(file, WIKI, file)
    assert (work.state, work.message) == ("done", "web has 2 nodes")
    assert sites.present(engine, engine.observe()) == {"blog", "wiki"}


def test_the_page_removes_nothing_that_its_file_lacks(file: Path) -> None:
    """As after `lab up` with another file than the one that the page began with."""
    work, engine = _scaled(file.with_name("other.yaml"), WIKI, file)
    assert work.state == "failed"
    assert "cluster.yaml lacks parts of the cluster 'golden', which would be removed: the sites wiki" in work.message
    assert engine.observe().node("web2") is None
