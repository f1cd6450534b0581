"""No symbolic link of a person is followed by a web node or a backup: the kernel refuses it, whenever it is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.storage_files import python_on
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

OWNER = 60999  # above those that wards.py watches: it ends what runs without a login
PAGE = "/home/trial/public_html"
REQUESTS, SWAP_SECONDS = 400, 60
LOOK_SECONDS = 20
SEALED = "awk '/ - fuse.glusterfs / { print $5, ($6 ~ /(^|,)nosymfollow(,|$)/) }' /proc/self/mountinfo"
SWAP = """
import os, sys, time
os.chdir(sys.argv[1])
os.makedirs("real", exist_ok=True)
for own in ("passwd", "real/passwd"):
    with open(own, "w") as file:
        file.write("own")

def lead(path, target):
    os.symlink(target, "draft")
    os.rename("draft", path)

end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end and not os.path.exists("done"):
    lead("folder", "real")
    lead("passwd", "/etc/passwd")
    lead("folder", "/etc")
    with open("draft", "w") as file:
        file.write("own")
    os.rename("draft", "passwd")
"""
READ = """
import collections, sys
answers = collections.Counter()
for path in sys.argv[2:]:
    for _ in range(int(sys.argv[1])):
        try:
            answers["own" if open(path).read() in ("", "own") else "foreign"] += 1
        except OSError as error:
            answers[error.strerror] += 1
print(*(f"{count} {answer}" for answer, count in answers.items()), sep=", ")
"""


@pytest.fixture
def page(cluster: LabCluster) -> Iterator[str]:
    """The shell node, where a person without a login exchanges files for links as long as the test runs."""
    cluster.require("web", 1)
    shell = cluster.require("shell", 1)[0]
    cluster.run(shell, f"rm -rf /home/trial; mkdir -p {PAGE} && chown -R {OWNER}:{OWNER} /home/trial")
    person = ["setpriv", "--reuid", str(OWNER), "--regid", str(OWNER), "--clear-groups"]
    argv = [*person, "python3", "-c", SWAP, PAGE, str(SWAP_SECONDS)]
    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(cluster.backend.run, shell, argv, seconds=2 * SWAP_SECONDS)
        try:
            cluster.until("a link", LOOK_SECONDS, lambda: cluster.run(shell, f"test -L {PAGE}/passwd").ok)
            yield shell
            assert not swapping.done(), swapping.result()
        finally:
            cluster.run(shell, f"touch {PAGE}/done")
            swapping.result()
            cluster.run(shell, "rm -rf /home/trial")


@pytest.mark.nightly("half a minute of tries; at every change each mount is asked to follow a link")
def test_a_page_that_becomes_a_link_shows_no_file_of_the_web_node(cluster: LabCluster, page: str) -> None:
    """Neither the file itself nor the folder that it is in is followed; a file is shown while it is one."""
    assert page
    for path, shown in (("passwd", True), ("folder/passwd", False)):
        asked = f"curl -s -w '\\n' 'http://web1/~trial/{path}?[1-{REQUESTS}]'"
        lines = cluster.run("client", asked, seconds=60).stdout.splitlines()
        assert ("own" in lines) is shown
        assert not [line for line in lines if line.startswith("root:")], path


def test_what_root_reads_in_a_volume_is_no_file_of_the_backup_node(cluster: LabCluster, page: str) -> None:
    assert page
    backup = cluster.require("backup", 1)[0]
    places = [f"/srv/home/trial/public_html/{path}" for path in ("passwd", "folder/passwd")]
    shown = python_on(cluster, backup, READ, str(REQUESTS), *places, seconds=60)
    assert "own" in shown
    assert "Too many levels of symbolic links" in shown
    assert "foreign" not in shown


MADE = {
    "in place of another": "/usr/lib/lab/reload.d/storage.pem",
    "by another process": "pkill -KILL -x glusterfs",
    "by another run": "supervisorctl -c /etc/lab/supervisord.conf restart mounts",
}


@pytest.mark.parametrize("how", MADE)
def test_each_mount_of_web_nodes_and_backups_follows_no_link(cluster: LabCluster, how: str) -> None:
    nodes = [node.name for role in ("web", "backup") for node in cluster.plan.role(role)]

    def followed(node: str) -> list[str]:
        return [line for line in cluster.run(node, SEALED).stdout.splitlines() if not line.endswith(" 1")]

    def mounted(node: str) -> bool:
        listed = cluster.run(node, f"/usr/lib/lab/ready && wc -l < /etc/lab/mounts; {SEALED}").stdout.splitlines()
        return bool(listed) and listed[0] == str(len(listed) - 1)

    for node in nodes:
        cluster.run(node, MADE[how], seconds=90)
        cluster.until(f"the mounts of {node}", LOOK_SECONDS, partial(mounted, node))
        assert followed(node) == []
