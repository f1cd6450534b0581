"""`lab site sync`: what is saved here is served there, whatever dies meanwhile. How soon: `python -m bench sites`."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from lab.services import sites
from lab.testing.site import LabSite
from tests.cluster.commands import completed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.testing import LabCluster
    from lab.testing.faults import Faults

pytestmark = pytest.mark.smaller(
    "two web nodes that share a disk are all it needs", topology="tests/cluster/topologies/sites.yaml"
)
SAVES = 7
MANY = 2_800  # files, as WordPress has
LAB = (sys.executable, "-c", "from lab.cli.main import main; main()")
END_SECONDS = 20
REFUSED_SECONDS = 60


class Syncing:
    """A running `lab site sync` of the site `blog`."""

    def __init__(self, cluster: LabCluster, folder: Path) -> None:
        self.cluster, self.folder, self.site = cluster, folder, LabSite(cluster, "blog")
        self.output = folder.parent / "sync.log"
        told = os.environ | {"LAB_NAME": cluster.spec.name, "LAB_BACKEND": cluster.backend.name, "COLUMNS": "200"}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [*LAB, "site", "sync", "blog", str(folder)], stdout=out, stderr=subprocess.STDOUT, env=told
            )

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8")

    def until(self, text: str, count: int = 1) -> None:
        """Waits until it has printed a text."""
        self.cluster.until(
            f"'{text}' of the sync", 90, lambda: self.said, lambda said: len(re.findall(text, said)) >= count
        )

    def served(self, path: str, text: str, seconds: float = 30) -> float:
        """Waits until every web node serves a text, and returns how long it took."""
        began = time.monotonic()
        asked = f"curl -s -H 'Host: {self.site.host}' http://127.0.0.1{path}"
        for node in sites.look(self.cluster.backend).nodes:
            ask = functools.partial(self.cluster.run, node, asked)
            self.cluster.until(f"{path} on {node}", seconds, ask, lambda done: done.stdout == text)
        return time.monotonic() - began

    def end(self) -> int:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(self.cluster.clock.guard(END_SECONDS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "code"
    (made / "files").mkdir(parents=True)
    (made / "index.php").write_text("<?php echo 'zero';", encoding="utf-8")
    (made / "files" / "local.txt").write_text("of this machine", encoding="utf-8")
    return made


@pytest.fixture
def many(folder: Path) -> None:
    """As much as a large program."""
    (folder / "many").mkdir()
    for number in range(MANY):
        (folder / "many" / f"{number}.txt").write_text(f"{number}\n" * 50, encoding="utf-8")


@pytest.fixture
def sync(cluster: LabCluster, folder: Path) -> Iterator[Syncing]:
    running = Syncing(cluster, folder)
    try:
        running.until("watching")
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.read_only
@pytest.mark.usefixtures("many")
def test_what_is_saved_here_is_served_there(
    cluster: LabCluster, sync: Syncing, folder: Path, request: pytest.FixtureRequest
) -> None:
    assert sync.served("/", "zero") < 30
    took = []
    for number in range(SAVES):
        (folder / "index.php").write_text(f"<?php echo 'save {number}';", encoding="utf-8")
        took.append(sync.served("/", f"save {number}"))
    request.node.user_properties.append(("seconds", [round(each, 2) for each in took]))
    print("saved until served by all nodes:", ", ".join(f"{each:.2f} s" for each in took))

    (folder / "many" / "7.txt").unlink()
    (folder / "files" / "local.txt").write_text("not sent", encoding="utf-8")
    (folder / "index.php").rename(folder / "home.php")
    (folder / "index.php").write_text("<?php echo 'new ', (include 'home.php');", encoding="utf-8")
    sync.served("/", f"new save {SAVES - 1}1")
    status = ("-o", "/dev/null", "-w", "%{http_code}")
    assert sync.site.ask("/many/7.txt").startswith("new"), "a file that is gone is a path of the site's program"
    assert sync.site.ask("/many/8.txt").startswith("8")
    assert sync.site.ask("/files/local.txt", *status) == "404", "what is writable is the site's own"

    assert sync.end() == 0
    assert "the sync has ended" in sync.said
    assert "Traceback" not in sync.said
    sites.rollback(cluster.backend, "blog")
    sync.served("/", "zero")


@pytest.mark.nightly("a quarter of a minute; at every change what is saved is served")
def test_a_sync_goes_on_when_a_web_node_dies(cluster: LabCluster, sync: Syncing, folder: Path, faults: Faults) -> None:
    cluster.require("web", 2)
    sync.site.run(["sh", "-c", "echo kept > files/upload.txt"])
    with faults.kill("web1"):
        (folder / "index.php").write_text("<?php echo 'without it';", encoding="utf-8")
        assert sync.served("/", "without it") < 15
    cluster.until("web1", 60, lambda: "web1" in sites.look(cluster.backend).nodes)
    sync.served("/", "without it", 60)
    assert sync.site.ask("/files/upload.txt") == "kept\n"
    (folder / "index.php").write_text("<?php echo 'again';", encoding="utf-8")
    sync.served("/", "again")
    assert sync.end() == 0


@pytest.mark.nightly(
    "takes over a minute: nodes are made anew without storage; at every change what is saved is served"
)
@pytest.mark.usefixtures("many")
def test_nodes_with_stores_of_their_own_get_what_they_lack_once_they_run_again(
    cluster: LabCluster, folder: Path
) -> None:
    without = dict.fromkeys(("storage", "backup", "mail", "mysql"))
    plain = {
        name: one.model_copy(update={"database": False, "mail": False}) for name, one in cluster.spec.sites.items()
    }
    with cluster.changed(cluster.spec.model_copy(update={**without, "sites": plain})):
        running = Syncing(cluster, folder)
        try:
            running.until("watching")
            cluster.backend.kill("web2")
            (folder / "index.php").write_text("<?php echo 'one of two';", encoding="utf-8")
            running.served("/", "one of two")
            cluster.backend.start("web2")
            running.served("/", "one of two", 60)
            assert running.end() == 0
        finally:
            running.process.kill()
            running.process.wait()
        cluster.run("web1", "su -s /bin/sh site-blog -c 'echo one > /var/lib/sites/store/blog/data/files/one.txt'")
        cluster.run("web2", "su -s /bin/sh site-blog -c 'echo two > /var/lib/sites/store/blog/data/files/two.txt'")
    # The cluster has its storage again: all of it has moved there.
    site = LabSite(cluster, "blog")
    cluster.until("the release in the shared store", 60, site.ask, "one of two".__eq__)
    both = lambda: site.ask("/files/one.txt") + site.ask("/files/two.txt")  # noqa: E731  a question for `until`
    cluster.until("the files of both", 60, both, "one\ntwo\n".__eq__)


@pytest.mark.parametrize(
    ("site", "path", "said"),
    [
        ("blgo", "code", "has no site 'blgo'; did you mean 'blog'"),
        ("blog", "none", "was not found"),
        ("blog", "code/index.php", "is a file"),
        ("blog", "empty", "has no file"),
        ("blog", "leading", "leads out of the folder"),
    ],
)
@pytest.mark.read_only
def test_what_can_not_be_synced_is_one_screen(
    cluster: LabCluster, folder: Path, site: str, path: str, said: str
) -> None:
    (folder.parent / "empty").mkdir()
    (folder.parent / "leading").mkdir()
    (folder.parent / "leading" / "out").symlink_to("/etc")
    told = os.environ | {"LAB_NAME": cluster.spec.name, "LAB_BACKEND": cluster.backend.name, "COLUMNS": "200"}
    argv = [*LAB, "site", "sync", site, str(folder.parent / path)]
    done = completed(cluster.clock, argv, REFUSED_SECONDS, env=told)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.read_only
def test_a_folder_that_goes_and_a_mistake_in_it_are_told(sync: Syncing, folder: Path) -> None:
    (folder / "out").symlink_to("/etc")
    sync.until("leads out of the folder")
    (folder / "out").unlink()
    (folder / "index.php").write_text("<?php echo 'mended';", encoding="utf-8")
    sync.served("/", "mended")
    folder.rename(folder.parent / "elsewhere")
    sync.until("not found")
    assert sync.process.poll() is None, "it waits for the folder to come back"
    assert sync.site.ask() == "mended"
    (folder.parent / "elsewhere").rename(folder)
    (folder / "index.php").write_text("<?php echo 'back';", encoding="utf-8")
    sync.served("/", "back")
