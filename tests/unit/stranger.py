"""A backend of another package, as pip would have installed it, for the tests of the seam to engines."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends import kinds
from lab.topology.cluster import cluster_model
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
STRANGER = '''
"""A backend that the lab knows nothing of: nodes in a file."""

import atexit
import pickle
from pathlib import Path

from lab.backends.kinds import BackendKind, Settings
from lab.backends.memory import MemoryBackend
from lab.host.findings import Finding


class Drawer(Settings):
    """Where it keeps them."""

    folder: str
    host: str = ""


class DrawerBackend(MemoryBackend):
    """Plain values, written down when the command ends."""

    name = "chest-of-drawers"


class DrawerKind(BackendKind):
    """One folder, one entry point."""

    settings = Drawer
    description = "the chest, for 'backend: chest-of-drawers'"

    def open(self, cluster, settings):
        file = Path(settings.folder) / cluster
        made = pickle.loads(file.read_bytes()) if file.exists() else DrawerBackend(cluster)
        atexit.register(lambda: file.write_bytes(pickle.dumps(made)))
        return made

    def findings(self):
        return [Finding("chest", good=True, detail="stands here")]
'''
NAME = "chest-of-drawers"
ENTRY = f"[{kinds.GROUP}]\n{NAME} = strangers_lab:DrawerKind\nbroken = no_such_module:Kind\nodd = json:JSONDecoder\n"
TOPOLOGY = "name: own\nbackend: chest-of-drawers\nchest-of-drawers: {{folder: {}}}\nweb: {{count: 2}}\n"


class Stranger:
    """Another package, as pip would have installed it, and the lab beside it."""

    def __init__(self, folder: Path) -> None:
        self.site, self.folder = folder / "site", folder / "work"
        info = self.site / "strangers_lab-1.0.dist-info"
        for made in (self.site / "strangers_lab", info, self.folder, folder / "chest"):
            made.mkdir(parents=True)
        (self.site / "strangers_lab" / "__init__.py").write_text(STRANGER, encoding="utf-8")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers-lab\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(ENTRY, encoding="utf-8")
        self.topology = self.folder / "cluster.yaml"
        self.topology.write_text(TOPOLOGY.format(folder / "chest"), encoding="utf-8")

    def process(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, where no Docker engine answers."""
        way = os.pathsep.join([str(ROOT), str(self.site)])
        told = {**os.environ, "PYTHONPATH": way, "DOCKER_HOST": command.NOWHERE}
        program = [sys.executable, "-c", "from lab.cli.main import main; main()", *argv]
        done = subprocess.run(
            program, cwd=self.folder, env=told, capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def lab(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """The same in this process; what is to be done at its end is done at the command's."""
        ends: list[Callable[[], object]] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(atexit, "register", ends.append)
            done = command.lab(*argv, cwd=self.folder)
        for end in reversed(ends):
            end()
        return done


@contextmanager
def installed(folder: Path) -> Iterator[Stranger]:
    """It is there for the span of a `with`."""
    with pytest.MonkeyPatch.context() as patched:
        stranger = Stranger(folder)
        patched.syspath_prepend(stranger.site)
        _look_again()
        yield stranger
    sys.modules.pop("strangers_lab", None)
    _look_again()


def _look_again() -> None:
    """Forgets which backends were registered, and what was made of that."""
    kinds._registered.cache_clear()  # noqa: SLF001
    kinds.kind.cache_clear()
    cluster_model.cache_clear()  # type: ignore[attr-defined]
