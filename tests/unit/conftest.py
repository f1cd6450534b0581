"""No engine, no folder of the person's, no port of this machine: what happens to be here changes no result."""

from __future__ import annotations

import gc
import itertools
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from lab import assets, paths
from lab.backends.memory import MemoryBackend
from lab.lifecycle import resolve
from lab.topology import Cluster, parse
from tests.unit.thorough import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab_node.sites.site import Site
    from tests.pages import Served
    from tests.unit.live_page import Engine

settings.load_profile(PROFILE)
gc.set_threshold(20_000)  # trees of all sources make a process of many objects: by default a third of its time

for library in ("pymysql", "pymysql.cursors", "pymysql.constants"):  # in the images alone; nothing here connects
    sys.modules.setdefault(library, ModuleType(library))
vars(sys.modules["pymysql.constants"]).setdefault("COMMAND", None)

REAL_FREE = resolve.free
TAKEN = {8080, 9999}
"""Ports that somebody else has."""

FULL = """
name: golden
network: 10.90.0.0/24
ports: {site: 8443, site-http: 8081, stats: 8404}
web: {count: 3}
http-lb: {count: 2}
tcp-lb: {count: 2}
"""
"""The web tier: not the topology `full`, which has all roles."""

FEW = FULL.replace("{count: 3}", "{count: 1}").replace("{count: 2}", "{count: 1}")
"""The web tier with one node of each role."""

WHOLE = f"{FULL}storage: {{count: 3}}\nmysql: {{count: 3}}\nmail: {{count: 2}}\nbackup: {{every: 1h}}\n"
"""The same with storage, mysql, mail and backup: every role that promises something. No shell."""


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A path for each test that asks for no folder. Most write nothing, so it is left to them to make it."""
    top = tmp_path_factory.mktemp("homes")
    return (top / str(number) for number in itertools.count())


@pytest.fixture(scope="session")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled templates: the same for all tests, and a tenth of their time where each compiles its own."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def own_templates() -> None:
    """Compiled templates are in the test's own folder."""


@pytest.fixture(autouse=True)
def _own_folders(
    request: pytest.FixtureRequest, _homes: Iterator[Path], _templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else next(_homes)
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("LAB_XEN_FOLDER", str(home / "xen"))
    if "own_templates" not in request.fixturenames:
        monkeypatch.setattr(paths, "templates", lambda: _templates)
    assets.use_roles(None)
    monkeypatch.setattr(resolve, "free", lambda port, there=None: port not in (TAKEN if there is None else there))


@pytest.fixture
def bare_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest that the test starts loads the plugins that it is told to, and no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def full() -> Cluster:
    """The web tier with everything chosen."""
    return parse(FULL)


@pytest.fixture
def memory() -> MemoryBackend:
    """An engine of plain values."""
    return MemoryBackend("golden")


@pytest.fixture
def engine(full: Cluster) -> Engine:
    """A cluster that is up, on an engine that may be lost."""
    from tests.unit.live_page import running

    return running(full)


@pytest.fixture
def page(engine: Engine, full: Cluster, tmp_path: Path) -> Iterator[Served]:
    """Its live page."""
    from tests.pages import served

    with served(engine, full, folder=tmp_path / "runs") as live:
        yield live


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site of a web node whose folders are here, with one release, `1-a`, of `index.html` and `old.html`."""
    from tests.unit.node_site import node_site

    return node_site(tmp_path, monkeypatch)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a shell script on the PATH by a program's name; what it is called with is in the file that comes back."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def play(name: str, script: str) -> Path:
        program, calls = tmp_path / name, tmp_path / f"{name}.calls"
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n', encoding="utf-8")
        program.chmod(0o755)
        return calls

    return play
