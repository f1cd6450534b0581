"""`lab images`: what other versions left is removed, what is of use or of others stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker.backend import DockerBackend
from lab.building import base_image, trial_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recipes import Family

LAB = str(Path(sys.executable).with_name("lab"))
NAME = f"labtest-{os.getpid()}-stock"
OLD, USED, OTHERS = f"{NAME}/web:debian-000000000000", f"{NAME}/mail:debian-000000000000", f"{NAME}-others/web:debian-1"


@pytest.fixture
def engine(table: Family) -> Iterator[DockerBackend]:
    """An engine with an image of an older version, one that a container uses, and one of somebody else."""
    backend = DockerBackend(NAME)
    source = base_image.tag(table.family)
    made = []
    for number, name in enumerate((OLD, USED, OTHERS)):  # images of their own, not names of one
        container = backend.api.create_container(source, ["true"], labels={"number": str(number)})["Id"]
        repository, _, tag = name.partition(":")
        backend.api.commit(container, repository, tag, changes=f"LABEL number={number}")
        backend.api.remove_container(container)
    made.append(backend.api.create_container(USED, ["true"])["Id"])
    yield backend
    for container in made:
        backend.api.remove_container(container, force=True)
    for image in backend.api.images():
        for tag in image["RepoTags"] or []:
            if tag.startswith(NAME):
                backend.api.remove_image(tag, noprune=True)
    backend.api.close()


def _lab(cache: Path, *arguments: str) -> str:
    """Without the Xen host of this machine, which keeps the disks that it may use."""
    here = {"XDG_CACHE_HOME": str(cache), "LAB_XEN_FOLDER": str(cache / "xen-host")}
    environment = {**os.environ, "LAB_NAMESPACE": NAME, **here}
    done = subprocess.run(
        [LAB, "images", *arguments], check=False, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _names(engine: DockerBackend) -> set[str]:
    return {tag for image in engine.api.images() for tag in image["RepoTags"] or [] if tag.startswith(NAME)}


def test_what_is_left_over_is_named_and_removed(engine: DockerBackend, tmp_path: Path) -> None:
    disks = tmp_path / "www-cluster-lab" / "xen"
    disks.mkdir(parents=True)
    (disks / "web-0123456789abcdef-a1b2c3.ext4").write_bytes(b"of another version")
    found = {one["name"]: one["why"] for one in json.loads(_lab(tmp_path, "list", "--json"))}
    assert found[OLD] == ""
    assert "in use" in found[USED]
    assert OTHERS not in found
    assert set(_lab(tmp_path, "prune", "--dry-run").split()) == {OLD, "web-0123456789abcdef-a1b2c3.ext4"}
    assert OLD in _names(engine), "a dry run removes nothing"
    assert "removed 2" in _lab(tmp_path, "prune")
    assert _names(engine) == {USED, OTHERS}
    assert list(disks.iterdir()) == []
    assert json.loads(_lab(tmp_path, "list", "--json"))[0]["name"] == USED


def test_a_trial_that_was_broken_off_is_removed_once_it_is_over(
    engine: DockerBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that goes on is left alone."""
    monkeypatch.setattr(trial_container, "LABELLED", f"{NAME}.trial")  # other builds on this engine go on
    trial = engine.api.create_container(USED, ["sleep", "60"], labels={trial_container.LABELLED: "web"})["Id"]
    trial_container.clear(engine.api)
    assert engine.api.containers(all=True, filters={"id": trial})
    monkeypatch.setattr(trial_container, "TRIAL_SECONDS", -1)  # as if it had been made long ago
    trial_container.clear(engine.api)
    assert not engine.api.containers(all=True, filters={"id": trial})
