"""An engine whose images lie on a small disk: `lab doctor` and `lab up` say so before anything is built."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.recipes import manifest
from tests.images import engines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGE1 = sum(manifest(role).takes.image for role in ("base", "client", "web"))  # MiB of images
BESIDE = 20  # MiB that an empty engine writes, at most


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 1 GiB: too small for all roles."""
    with engines.memory_disk(tmp_path_factory.mktemp("disk") / "images", "1g") as folder:
        yield folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, disk: Path) -> Iterator[str]:
    """The URL of an engine that keeps its images there."""
    with engines.dockerd(tmp_path_factory.mktemp("engine"), disk) as url:
        yield url


@pytest.fixture
def lab(engine: str, tmp_path: Path) -> engines.Lab:
    """The command, with that engine and folders of its own."""
    return engines.Lab(engine, tmp_path)


def test_the_topology_that_can_not_fit_is_refused_and_nothing_is_made(lab: engines.Lab, disk: Path) -> None:
    asked = lab("doctor")
    assert asked.returncode == 2, asked.stdout
    assert f"disk of {disk}" in asked.stdout
    done = lab("up")
    assert done.returncode == 2
    assert re.search(r"the cluster does not fit: disk: 2\.\d GiB wanted for 10 images", done.stderr), done.stderr
    assert f"where: disk of {disk}" in done.stderr
    assert "Traceback" not in done.stderr
    lab.made_nothing()


def test_a_smaller_one_fits_the_same_disk(lab: engines.Lab) -> None:
    asked = lab("doctor", "--file", "stage1")
    assert asked.returncode == 0, asked.stdout
    assert f"{STAGE1 + 2} MiB wanted for 3 images" in asked.stdout


@pytest.mark.nightly("eight seconds; at every change a topology that can not fit is refused")
def test_a_disk_that_is_enough_but_for_the_building_is_a_warning(lab: engines.Lab, disk: Path) -> None:
    size = STAGE1 + STAGE1 // 10 + BESIDE
    subprocess.run(["mount", "-o", f"remount,size={size}m", str(disk)], check=True)
    asked = lab("doctor", "--file", "stage1")
    assert asked.returncode == 0, asked.stdout
    assert "take a smaller topology" in asked.stdout
    planned = lab("plan", "--file", "stage1")
    assert planned.returncode == 0, planned.stderr
    assert f"WARNING: disk of {disk} may not be enough" in planned.stderr + planned.stdout
    lab.made_nothing()
