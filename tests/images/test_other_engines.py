"""Podman's socket, and Docker without root: the smallest cluster on each, and what `lab doctor` says is different.

Each has its own data, in memory, its own network, and the images of the usual engine.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker.backend import DockerBackend
from lab.building import trial_container
from lab.lifecycle.trial import trial
from lab.recipes import recipe
from tests.images import engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recipes import Family

PODMAN, ROOTLESS = "podman", "rootless"
PRIVILEGED = 81
START = {PODMAN: engines.podman, ROOTLESS: engines.rootless_dockerd}
pytestmark = pytest.mark.nightly("each is an engine of its own, for a minute and a half; unit tests have its limits")
IMAGES = ("base", "client", "web")
STORAGE = "web: {count: 1}\nstorage: {count: 3}\n"


@pytest.fixture(scope="module", params=[ROOTLESS, PODMAN])
def engine(request: pytest.FixtureRequest, table: Family) -> Iterator[tuple[str, str]]:
    """Which engine, and its URL."""
    # In no folder of pytest's: those are closed to others, again and again, by each run that begins on this machine.
    with TemporaryDirectory(prefix=f"{engines.NAME}-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with engines.memory_disk(folder / "data", "2g") as data, START[request.param](folder, data) as url:
            engines.copied([recipe(role, table.family).tag for role in IMAGES], url)
            yield request.param, url


@pytest.fixture(scope="module")
def lab(engine: tuple[str, str], table: Family, tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Lab]:
    """The command on it; its cluster, once it is made, stays for the tests that follow, and is removed after them."""
    made = engines.Lab(engine[1], tmp_path_factory.mktemp("lab"), table.family)
    yield made
    assert made("down", "--volumes").returncode == 0


def test_the_doctor_says_what_is_different_here(engine: tuple[str, str], lab: engines.Lab) -> None:
    asked = lab("doctor", "--file", "stage1")
    assert asked.returncode == 0, asked.stdout
    assert ("Podman 4" if engine[0] == PODMAN else "Docker 2") in asked.stdout
    assert "wanted for 2 nodes" in asked.stdout, "the images are there, by whatever names"
    rootless = engine[0] == ROOTLESS
    assert ("bricks of the shared filesystem" in asked.stdout) is rootless
    assert ("any node may take all of the machine" in asked.stdout) is (rootless and engines.no_groups(engine[1]))


def test_an_image_is_tried_here_as_elsewhere(
    engine: tuple[str, str], table: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine[1])
    backend = DockerBackend(engines.NAME)
    try:
        assert trial_container.tried(backend.api, recipe("web", table.family).tag, trial("web", table.family)) == ""
    finally:
        backend.api.close()


def test_what_can_not_be_there_is_refused_before_anything_is_made(engine: tuple[str, str], lab: engines.Lab) -> None:
    if engine[0] != ROOTLESS:
        pytest.skip("Podman, run by root, has all roles")
    (lab.folder / "cluster.yaml").write_text(STORAGE, encoding="utf-8")
    done = lab("up")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "does not support the role 'storage'" in done.stderr
    assert "--file rootless" in done.stderr
    assert "there is no cluster" in lab("status").stdout
    told = lab("doctor")
    assert told.returncode == 2, told.stdout + told.stderr
    assert "does not support the role 'storage'" in " ".join(told.stdout.split()), "the doctor refuses what 'up' does"
    assert lab("doctor", "--file", "rootless").returncode == 0
    low = lab("up", "--file", "stage1", "--port", f"site={PRIVILEGED}")
    assert low.returncode == 2, low.stdout + low.stderr
    assert f"cannot publish port {PRIVILEGED}" in low.stderr


def test_the_smallest_cluster_comes_up_stays_and_heals(lab: engines.Lab) -> None:
    made = lab("up", "--file", "stage1")
    assert made.returncode == 0, made.stdout + made.stderr
    again = lab("plan", "--file", "stage1")
    assert "nothing to change" in again.stdout, again.stdout + again.stderr
    assert lab("exec", "web1", "--", "cat", "/etc/hostname").stdout.strip() == "web1"
    assert lab("kill", "web1").returncode == 0
    healed = lab("up", "--file", "stage1")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert "1 started" in healed.stdout
    assert "on docker" in lab("status").stdout


def test_a_fault_that_the_engine_can_not_do_is_refused(engine: tuple[str, str], lab: engines.Lab) -> None:
    assert lab("up", "--file", "stage1").returncode == 0
    done = lab("fault", "pause", "web1", "--for", "1")
    if engine[0] == ROOTLESS and engines.no_groups(engine[1]):
        assert done.returncode == 2, done.stderr
        assert "no control groups" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
    cut = lab("fault", "cut", "web1", "--for", "1")
    assert cut.returncode == 0, cut.stderr
