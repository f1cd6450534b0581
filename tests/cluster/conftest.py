"""The behaviour suite: written against the backend protocol and the `cluster` fixture, never against Docker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.testing.plugin import place
from lab.topology import Storage, load
from tests.cluster.person import Person
from tests.cluster.school import _people, school  # noqa: F401  fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.testing import LabCluster


@pytest.fixture
def three_bricks(cluster: LabCluster) -> None:
    """Skips where a file has fewer than three copies."""
    cluster.options(Storage)
    cluster.require("storage", 3)


@pytest.fixture
def person(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Person]:
    """A person whose cluster is removed at the end, whatever happened."""
    made = Person(tmp_path, f"labtest-{os.getpid()}-p", place(request.config))
    yield made
    down(made.backend, Silent(), volumes=True)


@pytest.fixture(scope="module")
def _settled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Person]:
    made = Person(tmp_path_factory.mktemp("settled"), f"labtest-{os.getpid()}-s", place(request.config))
    made.lab("up")
    yield made
    down(made.backend, Silent(), volumes=True)


@pytest.fixture
def settled(_settled: Person) -> Iterator[Person]:
    """A person whose small cluster is up, and stays for the next test of the file."""
    _settled.write()
    up(load(_settled.folder / "cluster.yaml", name=_settled.backend.cluster), _settled.backend, Silent())
    environment = dict(_settled.environment)
    yield _settled
    _settled.environment = environment
    if _settled.backend.capabilities().max_nodes is not None:  # the next test may need its room
        down(_settled.backend, Silent(), volumes=True)
