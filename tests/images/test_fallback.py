"""CentOS that is there and does not build: a real image under its name, and a real failing step."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker import DockerBackend
from lab.errors import BuildError
from lab.lifecycle.down import down
from lab.lifecycle.report import Silent
from lab.lifecycle.up import up
from lab.recipes import family
from lab.spec import Cluster, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recipes import Family


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def engine(table: Family) -> Iterator[DockerBackend]:
    """An engine on which Debian's base goes by CentOS's name: it can be had, and has no dnf."""
    backend = DockerBackend(f"labtest-{os.getpid()}-f")
    origin = family("centos").origin
    if table.family == "centos" or backend.origin("centos", 3):
        pytest.skip("CentOS can be had here: the real thing builds")
    repository, _, tag = origin.rpartition(":")
    backend.api.tag("www-cluster-lab/origin:debian", repository, tag)
    yield backend
    down(backend, Silent(), volumes=True)
    for name in (origin, "www-cluster-lab/origin:centos"):
        backend.api.remove_image(name, force=False)
    backend.api.close()


def _spec(engine: DockerBackend, choice: str) -> Cluster:
    return parse(f"name: {engine.cluster}\nfamily: {choice}\nweb: {{count: 1}}\n")


def test_auto_falls_back_and_keeps_the_log(engine: DockerBackend) -> None:
    heard = Heard()
    assert up(_spec(engine, "auto"), engine, heard).plan.family == "debian"
    said = "\n".join(heard.lines)
    assert "family: centos" in said
    assert "WARNING: CentOS does not build here; falling back to Debian" in said
    assert re.search(r"step: Step \d+/\d+ : RUN dnf", said)
    log = re.search(r"whole log: (\S+)", said)
    assert log
    assert "dnf: not found" in Path(log[1]).read_text(encoding="utf-8")
    assert engine.observe().family == "debian"


def test_an_explicit_centos_is_an_error_and_makes_nothing(engine: DockerBackend) -> None:
    with pytest.raises(BuildError, match="did not build") as caught:
        up(_spec(engine, "centos"), engine, Silent())
    assert "RUN dnf" in caught.value.step
    assert engine.observe().nodes == ()
