"""CentOS that is there and does not build: a real image under its name, and a real failing step.

In a namespace of images of its own: nobody else on the engine must take this for CentOS.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker import DockerBackend, origin
from lab.lifecycle.down import down
from lab.lifecycle.report import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recipes import Family

LAB = str(Path(sys.executable).with_name("lab"))
NAME = f"labtest-{os.getpid()}-f"
UP_SECONDS = 600


@pytest.fixture
def engine(table: Family) -> Iterator[DockerBackend]:
    """An engine on which Debian's base goes by CentOS's name: it can be had, and has no dnf."""
    backend = DockerBackend(NAME)
    if table.family == "centos":
        origin.ensure(backend.api, "debian", lambda *_: None)
    for family in ("centos", "debian"):
        backend.api.tag(origin.tag("debian"), f"{NAME}/origin", family)
    yield backend
    down(backend, Silent(), volumes=True)
    for image in backend.api.images():
        for tag in image["RepoTags"] or []:
            if tag.startswith(f"{NAME}/"):
                backend.api.remove_image(tag, noprune=True)
    backend.api.close()


def _up(folder: Path, choice: str) -> subprocess.CompletedProcess[str]:
    (folder / "cluster.yaml").write_text(f"family: {choice}\nweb: {{count: 1}}\n", encoding="utf-8")
    environment = {**os.environ, "LAB_NAMESPACE": NAME, "LAB_NAME": NAME}
    return subprocess.run(
        [LAB, "up"], cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=UP_SECONDS
    )


def test_auto_falls_back_and_keeps_the_log(engine: DockerBackend, tmp_path: Path) -> None:
    done = _up(tmp_path, "auto")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "family: centos" in said
    assert "WARNING: CentOS does not build here; falling back to Debian" in said
    assert re.search(r"step: Step \d+/\d+ : RUN dnf", said)
    log = re.search(r"whole log: (\S+)", said)
    assert log
    assert "dnf: not found" in Path(log[1]).read_text(encoding="utf-8")
    assert engine.observe().family == "debian"


def test_an_explicit_centos_is_an_error_and_makes_nothing(engine: DockerBackend, tmp_path: Path) -> None:
    done = _up(tmp_path, "centos")
    assert done.returncode == 1
    assert "did not build" in done.stderr
    assert "RUN dnf" in done.stderr
    assert engine.observe().nodes == ()
