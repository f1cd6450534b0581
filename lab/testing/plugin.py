"""The pytest plugin: options, and the `cluster` fixture for this project's suites and for anybody's own tests.

`cluster` is a cluster of its own for the whole session, made at the first use and removed at the end; every test finds
it whole, whatever the one before did to it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.spec import Placement
    from lab.testing.cluster import LabCluster


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which cluster the tests run on."""
    group = parser.getgroup("lab", "the www cluster lab")
    group.addoption("--backend", default="docker", help="where the cluster runs (default: docker)")
    group.addoption("--host", default=None, help="the Xen host (default: the nested one)")
    group.addoption("--topology", default="full", help="a topology file, or the name of one that ships (default: full)")
    group.addoption("--family", default=None, help="the nodes' system: centos, debian or auto")
    group.addoption("--parity", default=None, help="a JSON file that compares the backends, run by run")
    group.addoption("--keep-cluster", action="store_true", help="leave the cluster running at the end")


def pytest_configure(config: pytest.Config) -> None:
    """Keeps a column of the comparison, if that is asked for."""
    file = config.getoption("--parity")
    if file:
        from pathlib import Path

        from lab.testing.parity import Parity

        config.pluginmanager.register(Parity(Path(file), config.getoption("--backend")))


def place(config: pytest.Config) -> Placement:
    """Where the tests' clusters run."""
    from lab.spec import Placement, Xen

    return Placement(config.getoption("--backend"), Xen(host=config.getoption("--host")))


@pytest.fixture(scope="session")
def _session_cluster(request: pytest.FixtureRequest) -> Iterator[LabCluster]:
    from lab.backends import backend
    from lab.lifecycle.down import down
    from lab.lifecycle.report import Silent
    from lab.spec import find, load
    from lab.testing.cluster import LabCluster

    option = request.config.getoption
    spec = load(find(option("--topology")), name=f"labtest-{os.getpid()}", family=option("--family"))
    made = backend(place(request.config), spec.name)
    try:
        yield LabCluster(spec, made)
    finally:
        if not option("--keep-cluster"):
            down(made, Silent(), volumes=True)


@pytest.fixture
def cluster(_session_cluster: LabCluster) -> LabCluster:
    """A cluster that is up and whole."""
    _session_cluster.heal()
    return _session_cluster
