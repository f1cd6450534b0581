"""A person with a folder, a small topology and a cluster of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.backends import backend

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.topology import Placement

UP_SECONDS = 120
PIPED_SECONDS = 60
LAB = [str(Path(sys.executable).with_name("lab"))]
SMALL = "web: {count: 1}\nhttp-lb: {count: 1}\n"


class Person:
    """Somebody in a folder of their own, with a small topology and a cluster name of their own."""

    def __init__(self, folder: Path, name: str, place: Placement) -> None:
        self.folder = folder
        self.backend: Backend = backend(place, name)
        self.environment = {**os.environ, "LAB_NAME": name, "LAB_BACKEND": place.backend}
        if host := getattr(place.settings, "host", None):
            self.environment["LAB_HOST"] = host
        self.write()

    def write(self, topology: str = SMALL) -> None:
        """Writes the topology."""
        (self.folder / "cluster.yaml").write_text(topology, encoding="utf-8")

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Begins a command."""
        return subprocess.Popen(
            [*LAB, *argv],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def lab(self, *argv: str, code: int = 0) -> str:
        """Runs a command to its end, which must have the exit code; returns all that it printed."""
        with self.start(*argv) as process:
            out, err = process.communicate(timeout=self.backend.clock.guard(UP_SECONDS))
        assert process.returncode == code, f"lab {' '.join(argv)}: {process.returncode}\n{out}\n{err}"
        return out + err

    def piped(self, *argv: str, stdin: bytes) -> tuple[int, bytes]:
        """Exit code and output of a command that reads bytes."""
        done = subprocess.run(
            [*LAB, *argv],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=self.backend.clock.guard(PIPED_SECONDS),
        )
        return done.returncode, done.stdout

    def ask(self, url: str, *options: str) -> str:
        """What the client node is answered; without a command of the lab's, where that is not what is tried."""
        asked = ["curl", "-sS", "--cacert", "/etc/lab/ca.crt", *options, url]
        done = self.backend.run("client", asked)
        assert done.ok, done.last_line
        return done.stdout

    def nodes(self) -> list[str]:
        """What exists."""
        return [node.name for node in self.backend.observe().nodes]
