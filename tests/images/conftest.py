"""Each role alone, as a container of its own, through testcontainers: no cluster, no network of the lab."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from testcontainers.core.config import testcontainers_config

from lab.backends.docker.backend import DockerBackend
from lab.building import base_image
from lab.lifecycle import resolve
from lab.lifecycle.trial import trial
from lab.progress import Silent
from lab.recipes import Family, family, recipe, roles
from lab.topology import Cluster
from tests.images.single_role import SingleRole

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Family:
    """The family that can be built here, its images built."""
    engine = DockerBackend(f"labtest-{os.getpid()}-images")
    asked = Cluster.model_validate({"web": {}, "family": request.config.getoption("--family") or "auto"})
    chosen = resolve.family(asked, engine.observe(), engine, Silent())
    engine.build([recipe(role, chosen) for role in roles()], lambda *_: None, lambda role: trial(role, chosen))
    # The reaper needs an image of its own; where that can't be had, each test's own clean-up has to do.
    testcontainers_config.ryuk_disabled = not base_image.obtainable(engine.api, testcontainers_config.ryuk_image, 3)
    engine.api.close()
    return family(chosen)


@pytest.fixture(scope="session", params=roles())
def alone(request: pytest.FixtureRequest, table: Family) -> Iterator[SingleRole]:
    """A role's container, one for all tests of the role."""
    with SingleRole(request.param, table.family) as node:
        yield node
