"""The owner of a site changes it at ~/sites/NAME on a shell node, and nothing else; nobody else changes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from lab.services import sites
from lab.testing.site import LabSite
from lab.topology import Shell
from lab.topology.users import User

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.backends.base import Result
    from lab.testing import LabCluster
    from lab.testing.faults import Faults

pytestmark = pytest.mark.smaller(
    "two web nodes that share a disk, and a shell node, are all it needs",
    topology="tests/cluster/topologies/sites.yaml",
)
KEYS = "/root/owner-keys"
ANN, BOB = "ann", "bob"
SETTLED_SECONDS = 30.0
LEASE_SECONDS = 60.0


class Owner:
    """A user on the shell node, and the site `blog`."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster, self.site = cluster, LabSite(cluster, "blog")

    def ssh(self, command: str, user: str = ANN) -> Result:
        """Runs a command on the shell node as a user who has logged in."""
        options = "-o UserKnownHostsFile=/etc/lab/known_hosts -o BatchMode=yes -o IdentitiesOnly=yes"
        door = self.cluster.plan.vip or self.cluster.plan.node("shell1").address
        argv = ["sh", "-c", f'exec ssh -i {KEYS}/{user} {options} {user}@{door} "$0"', command]
        return self.cluster.backend.run("client", argv, seconds=60)

    def until(self, what: str, command: str, text: str, seconds: float = SETTLED_SECONDS) -> str:
        """Waits until a command of the owner's prints a text."""
        return self.cluster.until(what, seconds, lambda: self.ssh(command).stdout, lambda said: text in said)

    def served(self, text: str, seconds: float = SETTLED_SECONDS) -> None:
        """Waits until every web node serves a text."""
        asked = f"curl -s -H 'Host: {self.site.host}' http://127.0.0.1/"
        for node in sites.look(self.cluster.backend).nodes:
            ask = lambda node=node: self.cluster.run(node, asked).stdout  # noqa: E731  a question for `until`
            self.cluster.until(f"'{text}' on {node}", seconds, ask, text.__eq__)


@pytest.fixture(scope="module")
def keys(_session_cluster: LabCluster) -> Iterator[dict[str, tuple[bytes, int]]]:
    """For these tests the topology has a shell node, two users, and an owner. Returns the files of their keys."""
    cluster, before = _session_cluster, _session_cluster.spec
    if "blog" not in before.sites:
        pytest.skip("the topology has no site 'blog'")
    making = " && ".join(f"ssh-keygen -q -t ed25519 -N '' -f {KEYS}/{name}" for name in (ANN, BOB))
    cluster.run("client", f"rm -rf {KEYS} && mkdir -m 700 {KEYS} && {making}")
    paths = [f"{KEYS}/{name}" for name in (ANN, BOB)]
    private = {path: (cluster.run("client", f"cat {path}").stdout.encode(), 0o600) for path in paths}
    users = {name: User(keys=[cluster.run("client", f"cat {KEYS}/{name}.pub").stdout]) for name in (ANN, BOB)}
    owned = before.sites | {"blog": before.sites["blog"].model_copy(update={"owner": ANN})}
    shell = before.shell or Shell(count=1)
    cluster.spec = before.model_copy(update={"users": users, "shell": shell, "sites": owned})
    yield private
    cluster.spec = before


@pytest.fixture
def ann(keys: dict[str, tuple[bytes, int]], cluster: LabCluster, tmp_path: Path) -> Owner:
    """The owner, who has logged in, with a copy of a release that has just been deployed."""
    cluster.backend.put("client", keys)  # a port for ssh makes the client anew
    owner = Owner(cluster)
    cluster.until("ann to log in", 60, lambda: owner.ssh("true"), lambda done: done.ok)
    code = tmp_path / "blog"
    (code / "sub").mkdir(parents=True)
    (code / "index.php").write_text("<?php echo 'operator';", encoding="utf-8")
    (code / "sub" / "stamp.txt").write_text(f"{time.time_ns()}", encoding="utf-8")
    release = owner.site.deploy(code)
    owner.until("the working copy", "cat sites/blog.status", release, LEASE_SECONDS + SETTLED_SECONDS)
    return owner


@pytest.mark.read_only
def test_what_the_owner_changes_is_served_and_what_comes_another_way_is_followed(
    cluster: LabCluster, ann: Owner
) -> None:
    assert ann.ssh("cat sites/blog/index.php").stdout == "<?php echo 'operator';"
    assert "files" not in ann.ssh("ls sites/blog").stdout.split(), "what the site writes is the site's own"
    began = time.monotonic()
    assert ann.ssh("echo \"<?php echo 'ann';\" > sites/blog/index.php; rm -r sites/blog/sub").ok
    ann.served("ann")
    print(f"changed by the owner until served by all nodes: {time.monotonic() - began:.1f} s")
    assert ann.site.ask("/sub/stamp.txt") == "ann", "a file that is gone is a path of the site's program"
    release = next(one.release for one in sites.releases(cluster.backend, "blog") if one.current)
    ann.until("the release's name", "cat sites/blog.status", release)
    sites.rollback(cluster.backend, "blog")
    ann.served("operator")
    ann.until("the former release", "cat sites/blog/index.php", "operator")
    assert ann.ssh("cat sites/blog/sub/stamp.txt").ok


@pytest.mark.nightly("twenty seconds; at every change what the owner changes is served")
@pytest.mark.read_only
def test_changes_that_were_not_served_are_kept_when_another_release_comes(ann: Owner, tmp_path: Path) -> None:
    ann.ssh("ln -s /etc sites/blog/out; echo mine > sites/blog/mine.txt")
    said = ann.until("the reason", "cat sites/blog.status", "Not served")
    assert "the link 'out' leads out of the site" in said
    ann.served("operator")
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "index.php").write_text("<?php echo 'next';", encoding="utf-8")
    release = ann.site.deploy(tmp_path / "next")
    ann.until("the next release", "cat sites/blog.status", release)
    assert ann.ssh("cat sites/blog.2*/mine.txt").stdout == "mine\n"
    assert ann.ssh("ls sites/blog").stdout == "index.php\n"
    ann.ssh("rm -r sites/blog.2*")


@pytest.mark.nightly("ten seconds; at every change by a unit test, and links of a site's own (test_sites.py)")
@pytest.mark.read_only
def test_no_link_of_the_owner_leads_anywhere(cluster: LabCluster, ann: Owner) -> None:
    before = [one.release for one in sites.releases(cluster.backend, "blog")]
    for place, target in (("sites/blog", "/etc/lab"), ("sites/blog", "/home/bob"), ("sites", "/var/lib/sites")):
        ann.ssh(f"mv {place} {place}.away; ln -s {target} {place}")
        cluster.until(
            f"a word about {place} -> {target}",
            SETTLED_SECONDS,
            lambda: "".join("".join(cluster.logs(web, tail=40)) for web in sites.look(cluster.backend).nodes),
            lambda said: "is a link or a file" in said or "no folder" in said,
        )
        ann.ssh(f"rm {place}; mv {place}.away {place}")
    ann.served("operator")
    assert [one.release for one in sites.releases(cluster.backend, "blog")] == before
    for web in sites.look(cluster.backend).nodes:
        assert not cluster.run(web, "find /etc/lab /var/lib/sites -user ann | grep .").ok


@pytest.mark.read_only
def test_neither_another_user_nor_the_sites_own_program_changes_the_copy(cluster: LabCluster, ann: Owner) -> None:
    cluster.until("bob to log in", 60, lambda: ann.ssh("true", BOB), lambda done: done.ok)
    for command in (
        "cat /home/ann/sites/blog/index.php",
        "ls /home/ann/sites",
        "echo x > /home/ann/sites/blog/index.php",
    ):
        assert not ann.ssh(command, BOB).ok, command
    secret = sites.environment(cluster.backend, "blog")["DB_PASSWORD"]
    assert not ann.ssh(f"grep -r {secret} /etc /home /srv /var/lib /run 2>/dev/null", BOB).ok
    for path in ("/home/ann/sites/blog/index.php", "/home/ann/sites/blog"):
        assert not ann.site.run(["sh", "-c", f"echo x > {path}"]).ok
        assert not ann.site.run(["cat", path]).ok
    assert not ann.site.run(["sh", "-c", "echo x > index.php"]).ok
    ann.served("operator")


@pytest.mark.nightly(
    "takes a minute: a node dies and another one takes over; at every change an owner's changes are served by all nodes"
)
def test_the_other_node_looks_after_the_copy_when_one_dies(cluster: LabCluster, ann: Owner, faults: Faults) -> None:
    lease = cluster.run("web1", "cat /srv/shared/sites/.copies/blog.lease").stdout
    with faults.kill(lease.split()[0]):
        ann.ssh("echo \"<?php echo 'alone';\" > sites/blog/index.php")
        ann.served("alone", LEASE_SECONDS + SETTLED_SECONDS)
