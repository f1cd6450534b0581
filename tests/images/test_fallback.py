"""CentOS that can be had and does not work: a family of this suite that is broken on purpose, by real builds and nodes.

In a namespace of images of its own: nobody else on the engine must take this for CentOS.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab import engine as engines
from lab.backends.docker.backend import DockerBackend
from lab.building import base_image, builder
from lab.errors import BuildError
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.recipes import Recipe
from tests.images import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recipes import Family

NAME = f"labtest-{os.getpid()}-f"
UP_SECONDS = 600
READY_SECONDS = "15"
TOPOLOGY = "family: {}\nweb: {{count: 1}}\n"
# The command line with the images of another folder.
DRIVER = """
import sys
from pathlib import Path
from lab import assets
folder = Path(sys.argv.pop(1))
assets.images = lambda: folder
from lab.cli.main import main
main()
"""
HTTPD = "binaries: {httpd: /usr/sbin/apache2}"
ANOTHER = pytest.mark.nightly(
    "half a minute: another reason to fall back; at every change one image does not build, and a pull stalls"
)


@pytest.fixture
def engine(table: Family) -> Iterator[DockerBackend]:
    """An engine on which Debian's base goes by CentOS's name."""
    backend = DockerBackend(NAME)
    if table.family == "centos":
        base_image.ensure(backend.api, "debian", lambda *_: None)
    for family in ("centos", "debian"):
        backend.api.tag(base_image.tag("debian"), f"{NAME}/origin", family)
    yield backend
    down(backend, Silent(), volumes=True)
    for image in backend.api.images():
        for tag in image["RepoTags"] or []:
            if tag.startswith(f"{NAME}/"):
                backend.api.remove_image(tag, noprune=True)
    backend.api.close()


def _images(folder: Path, old: str = "", new: str = "") -> Path:
    """The images' sources, where CentOS has Debian's table with one difference; without one, its own."""
    made = shutil.copytree(assets.images(), folder / "images")
    if old:
        debian = (made / "families" / "debian.yaml").read_text(encoding="utf-8")
        assert debian.count(old) == 1
        text = debian.replace(old, new).replace("family: debian", "family: centos")
        (made / "families" / "centos.yaml").write_text(text, encoding="utf-8")
    return made


def _lab(folder: Path, images: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command whose secrets and notes lie in the folder."""
    kept = {"XDG_STATE_HOME": str(folder / "state"), "XDG_DATA_HOME": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(images), *arguments],
        cwd=folder,
        env={**os.environ, "LAB_NAMESPACE": NAME, "LAB_NAME": NAME, **kept},
        check=False,
        capture_output=True,
        text=True,
        timeout=UP_SECONDS,
    )


def _up(folder: Path, images: Path, choice: str) -> subprocess.CompletedProcess[str]:
    (folder / "cluster.yaml").write_text(TOPOLOGY.format(choice), encoding="utf-8")
    return _lab(folder, images, "up", "--timeout", READY_SECONDS)


def _fell_back(done: subprocess.CompletedProcess[str], engine: DockerBackend) -> str:
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "family: centos" in said
    assert "falling back to Debian" in said
    assert engine.observe().family == "debian"
    return said


def _remembers(tmp_path: Path, images: Path, why: str) -> None:
    """A later `up` does not try the same images again, and says why."""
    assert _lab(tmp_path, images, "down", "--volumes").returncode == 0
    again = _up(tmp_path, images, "auto")
    said = again.stdout + again.stderr
    assert again.returncode == 0, said
    assert "family: debian (CentOS failed here: " in said
    assert why in said
    assert "'lab up --family centos' retries it" in said
    assert "falling back" not in said


def test_an_image_that_does_not_build(engine: DockerBackend, tmp_path: Path) -> None:
    """The log is kept."""
    images = _images(tmp_path)
    said = _fell_back(_up(tmp_path, images, "auto"), engine)
    assert "WARNING: CentOS failed here" in said
    assert re.search(r"step: Step \d+/\d+ : RUN dnf", said)
    log = re.search(r"whole log: (\S+)", said)
    assert log
    assert "dnf: not found" in Path(log[1]).read_text(encoding="utf-8")
    _remembers(tmp_path, images, "did not build")


@ANOTHER
def test_an_image_that_does_not_pass_its_trial(engine: DockerBackend, tmp_path: Path) -> None:
    """A wrong fact of the table is named, and the image gets no name."""
    images = _images(tmp_path, HTTPD, "binaries: {httpd: /usr/sbin/httpd}")
    said = _fell_back(_up(tmp_path, images, "auto"), engine)
    assert "did not pass its trial" in said
    assert "httpd: binary /usr/sbin/httpd: not found" in said
    tags = [tag for image in engine.api.images() for tag in image["RepoTags"] or []]
    assert not [tag for tag in tags if tag.startswith(f"{NAME}/web:centos")]
    _remembers(tmp_path, images, "did not pass its trial")


@pytest.mark.nightly("twenty seconds; at every change a pull that stalls")
def test_a_base_whose_pull_breaks_midway(engine: DockerBackend, tmp_path: Path) -> None:
    """The registry knows it, and does not have it whole. Nothing is remembered: it says nothing of the images."""
    engine.api.remove_image(f"{NAME}/origin:centos", noprune=True)
    with registry.without_layers() as image:
        images = _images(tmp_path, "origin: debian:bookworm-slim\n", f"origin: {image}\n")
        table = images / "families" / "centos.yaml"
        table.write_text(
            table.read_text(encoding="utf-8").replace("bootstrap: bookworm", "bootstrap: null"), encoding="utf-8"
        )
        said = _fell_back(_up(tmp_path, images, "auto"), engine)
        assert f"the base image {image} can't be pulled: " in said
        assert "BLOB_UNKNOWN" in said or "unknown blob" in said
        assert _lab(tmp_path, images, "down", "--volumes").returncode == 0
        again = _up(tmp_path, images, "centos")
        assert again.returncode == 1
        assert f"the base image {image} can't be pulled: " in again.stderr
        assert "Traceback" not in again.stderr
    assert engine.observe().nodes == ()


def test_a_pull_that_stalls(table: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_image, "PULL_SECONDS", 3)
    with engines.connected(60) as api, registry.without_layers(stalls=True) as image:
        monkeypatch.setattr(
            base_image, "family", lambda _: table.model_copy(update={"origin": image, "bootstrap": None})
        )
        with pytest.raises(BuildError, match=f"the base image {image} can't be pulled: nothing came for 3 s"):
            base_image.ensure(api, f"{NAME}-none", lambda *_: None)


def test_a_step_that_is_silent_for_too_long(table: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine answers no more in time: an error of the image, its step named, with which `auto` falls back."""
    monkeypatch.setattr(builder, "STEP_SECONDS", 3)
    silent = Recipe("web", table.family, "", f"FROM {base_image.tag(table.family)}\nRUN echo {NAME} && sleep 60\n", {})
    with engines.connected(60) as api:
        with pytest.raises(
            BuildError, match=r"the image web \(\w+\) did not build: .*did not answer in time"
        ) as caught:
            builder.build(api, [silent], lambda *_: None)
        assert caught.value.step.startswith("Step 2/2 : RUN echo")
        assert "Step 2/2" in Path(caught.value.log).read_text(encoding="utf-8")
        assert not base_image.present(api, silent.tag)


@ANOTHER
def test_nodes_that_do_not_become_ready(engine: DockerBackend, tmp_path: Path) -> None:
    """Nothing of the first attempt is left but its logs; a change of the images is tried."""
    # It is there, accepts any configuration, and serves nobody.
    images = _images(tmp_path, HTTPD, "binaries: {httpd: /bin/true}")
    said = _fell_back(_up(tmp_path, images, "auto"), engine)
    assert re.search(r"web1 is not ready after \d+ s: ", said)
    log = re.search(r"logs: (\S+)", said)
    assert log
    assert "web1 | supervisor" in Path(log[1]).read_text(encoding="utf-8")
    assert {node.image.partition(":")[2].partition("-")[0] for node in engine.observe().nodes} == {"debian"}
    _remembers(tmp_path, images, "web1 is not ready")


def test_data_is_never_taken_over_by_another_family(engine: DockerBackend, tmp_path: Path) -> None:
    """A cluster that was made by Debian, and removed without its volumes, stays Debian's."""
    images = _images(tmp_path, HTTPD, HTTPD)  # works
    assert _up(tmp_path, images, "debian").returncode == 0
    assert _lab(tmp_path, images, "down").returncode == 0
    done = _up(tmp_path, images, "auto")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "family: debian (the cluster's volumes have it)" in done.stdout + done.stderr
    assert engine.observe().family == "debian"


def test_an_explicit_centos_is_an_error_and_makes_nothing(engine: DockerBackend, tmp_path: Path) -> None:
    done = _up(tmp_path, _images(tmp_path), "centos")
    assert done.returncode == 1
    assert "did not build" in done.stderr
    assert "RUN dnf" in done.stderr
    assert engine.observe().nodes == ()


def test_two_clusters_that_need_the_same_images_at_once(engine: DockerBackend, tmp_path: Path) -> None:
    """Each builds and tries what it does not find; what one has done is in nobody's way."""
    images = _images(tmp_path)
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        asked = [
            pool.submit(_lab, folder, images, "build", "web", "client", "--family", "debian") for folder in folders
        ]
    ended = [one.result() for one in asked]
    for done in ended:
        assert done.returncode == 0, done.stdout + done.stderr
    assert any("image web: testing the image" in done.stderr for done in ended)
    assert [tag for image in engine.api.images() for tag in image["RepoTags"] or [] if tag.startswith(f"{NAME}/web:")]
