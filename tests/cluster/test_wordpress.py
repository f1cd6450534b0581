"""A site as docs/wordpress.md puts it on the cluster; WordPress is installed, written to, and kept when a node dies."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.services import mail, sites
from lab.testing.site import LabSite
from lab.topology import load
from tests.cluster.commands import completed

if TYPE_CHECKING:
    from lab.testing import LabCluster
    from lab.testing.faults import Faults

pytestmark = pytest.mark.smaller(
    "two web nodes that share a disk, a database and mail are all it needs",
    topology="tests/cluster/topologies/sites.yaml",
)
PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "wordpress.md"
TOPOLOGY = PROJECT / "tests" / "cluster" / "topologies" / "sites.yaml"
JAR = "/var/tmp/press-jar"
COMMANDS_SECONDS = 400
BROWSER = ("-b", JAR, "-c", JAR)
PASSWORD = "correct-horse-battery"  # noqa: S105  of a site that lives for one test
COMMENTS = 12
RATE = 30.0
GET = "sh docs/examples/wordpress/get-wordpress ./wordpress\n"
SMALL = "small"  # another name than WordPress has, whose releases and database outlive it
MAKE = "mkdir -p ./wordpress/wp-content/uploads && echo small > ./wordpress/index.php\n"


def _commands() -> str:
    """The commands of the page, in order."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def _followed(cluster: LabCluster, folder: Path, commands: str, name: str) -> LabSite:
    """A site, after commands of the page, in a folder with the topology."""
    (folder / "docs").symlink_to(PROJECT / "docs")
    (folder / "cluster.yaml").write_text(TOPOLOGY.read_text(encoding="utf-8"), encoding="utf-8")
    lab = folder / "bin" / "lab"
    lab.parent.mkdir()
    lab.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from lab.cli.main import main; main()' \"$@\"\n", encoding="utf-8"
    )
    lab.chmod(0o755)
    said = os.environ | {
        "LAB_NAME": cluster.spec.name,
        "LAB_BACKEND": cluster.backend.name,
        "PATH": f"{lab.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
    }
    cluster.applied = None  # the command changes the cluster beside its topology
    done = completed(cluster.clock, ["bash", "-exc", commands], COMMANDS_SECONDS, cwd=folder, env=said)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"site_{name}\n" in done.stdout
    assert f"{name}: serves the release" in done.stdout
    assert "DB_PASSWORD=" in (folder / f"{name}.env").read_text(encoding="utf-8")
    kept = sites.releases(cluster.backend, name)
    assert [each.current for each in kept][-2:] == [True, False], "the page ends with the first of two releases"
    cluster.spec, before = load(folder / "cluster.yaml", name=cluster.spec.name), cluster.spec
    site = LabSite(cluster, name)
    cluster.spec = before
    return site


@pytest.mark.nightly(
    "takes a minute and a half; at every change its verbs are used (test_sites.py) and its commands read"
)
def test_the_page_is_followed_with_a_small_site_and_changes_nothing_for_the_others(
    cluster: LabCluster, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A mailbox that a person has is not taken by the site; a web node that is added serves what the others do."""
    blog, web = LabSite(cluster, "blog"), cluster.spec.roles()["web"]
    cluster.room(len(cluster.plan.nodes) + 1)
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "index.html").write_text("the blog\n", encoding="utf-8")
    blog.deploy(tmp_path / "blog")
    ann = f"{SMALL}@{cluster.spec.domain}"
    mail.add(cluster.backend, ann, PASSWORD)
    request.addfinalizer(lambda: mail.remove(cluster.backend, ann))
    login = f"doveadm -c /etc/lab/dovecot.conf auth test {ann} '{PASSWORD}'"
    assert cluster.run("mail1", login).ok

    page = _commands()
    assert GET in page
    commands = re.sub(r"\bpress\b", SMALL, page.replace(GET, MAKE))
    with blog.load(RATE) as visitors:
        small = _followed(cluster, tmp_path, commands, SMALL)
        assert small.ask() == "small\n"
        assert "PHP Version" not in small.ask("/info.php"), "that release was rolled back"
        of_sites = cluster.run("mysql1", 'mariadb -BNe "SELECT address FROM lab.mailboxes"').stdout.split()
        assert f"blog@{cluster.spec.domain}" in of_sites
        assert ann not in of_sites
        assert cluster.run("mail1", login).ok
        with_it = load(tmp_path / "cluster.yaml", name=cluster.spec.name).sites
        more = {"sites": with_it, "web": web.model_copy(update={"count": web.count + 1})}
        with cluster.changed(cluster.spec.model_copy(update=more)):
            visitors.more(int(RATE))
            new = cluster.plan.node(f"web{web.count + 1}").address
            for site, text in ((blog, "the blog\n"), (small, "small\n")):
                assert cluster.run("client", f"curl -sS -H 'Host: {site.host}' http://{new}/").stdout == text
    assert not visitors.failed


@pytest.fixture
def press(cluster: LabCluster, tmp_path: Path) -> LabSite:
    """WordPress, not yet installed, after all that the page says."""
    if cluster.backend.name != "docker" or cluster.plan.family != "debian":
        pytest.skip("its files come from a container of Debian's")
    return _followed(cluster, tmp_path, _commands(), "press")


def _install(press: LabSite, mailbox: str) -> None:
    cluster_says = press.ask("/", "-o", "/dev/null", "-w", "%{redirect_url}")
    assert cluster_says == f"{press.url}/wp-admin/install.php"
    form = {
        "weblog_title": "Lab", "user_name": "ann", "admin_password": PASSWORD, "admin_password2": PASSWORD,
        "pw_weak": "on", "admin_email": mailbox, "language": "", "Submit": "Install",
    }  # fmt: skip
    fields = [part for key, value in form.items() for part in ("--data-urlencode", f"{key}={value}")]
    assert "<h1>Success!</h1>" in press.ask("/wp-admin/install.php?step=2", *fields)
    assert press.ask("/info.php", "-o", "/dev/null", "-w", "%{http_code}") == "404", "that release was rolled back"


def _log_in(cluster: LabCluster, press: LabSite) -> None:
    cluster.run("client", f"rm -f {JAR}")
    press.ask("/wp-login.php", *BROWSER)
    fields = ("-d", f"log=ann&pwd={PASSWORD}&testcookie=1")
    assert press.ask("/wp-login.php", *BROWSER, *fields, "-o", "/dev/null", "-w", "%{redirect_url}").endswith(
        "/wp-admin/"
    )


def _comment(press: LabSite, text: str) -> str:
    """The status and the place that WordPress answers with."""
    fields = ("-d", f"comment={text}&comment_post_ID=1&submit=Post")
    asked = (*BROWSER, *fields, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")
    return press.ask("/wp-comments-post.php", *asked)


@pytest.mark.nightly(
    "takes a minute and a half: WordPress is fetched, and three times put on every node; at every change a site's"
    " sessions, mail and database are tried (test_sites.py)"
)
def test_wordpress_is_installed_written_to_and_survives_a_web_node(
    cluster: LabCluster, press: LabSite, faults: Faults
) -> None:
    mailbox = f"press@{cluster.spec.domain}"
    _install(press, mailbox)
    _log_in(cluster, press)
    assert "Dashboard" in press.ask("/wp-admin/", *BROWSER)
    asked = f"doveadm -c /etc/lab/dovecot.conf fetch -u {mailbox} hdr.from mailbox INBOX subject WordPress"
    cluster.until("the mail of the installation", 60, lambda: mailbox in cluster.run("mail1", asked).stdout)

    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    cluster.run("client", f"echo {pixel} | base64 -d > /var/tmp/pixel.png")
    nonce = re.search(r'"_wpnonce":"([0-9a-f]+)"', press.ask("/wp-admin/media-new.php", *BROWSER))
    assert nonce, "the page that takes pictures has no form"
    upload = ("-F", "async-upload=@/var/tmp/pixel.png", "-F", "name=pixel.png", "-F", f"_wpnonce={nonce[1]}")
    press.ask("/wp-admin/async-upload.php", *BROWSER, *upload, "-F", "action=upload-attachment")
    picture = press.run(["sh", "-c", "find wp-content/uploads/ -name 'pixel*.png' | head -1"]).stdout.strip()
    for node in sites.look(cluster.backend).nodes:
        page = f"curl -sS -o /dev/null -w '%{{content_type}}' -H 'Host: {press.host}' http://127.0.0.1/{picture}"
        assert cluster.run(node, page).stdout == "image/png", f"{picture} on {node}"

    acknowledged = []
    for number in range(COMMENTS):
        text = f"comment-{number}-{time.time_ns()}"
        if number == COMMENTS // 3:
            faults.kill("web1").__enter__()
        if _comment(press, text).startswith("302 "):
            acknowledged.append(text)
    assert "Dashboard" in press.ask("/wp-admin/", *BROWSER), "who was logged in is asked for the password again"
    shown = press.ask("/?p=1", *BROWSER)
    lost = [text for text in acknowledged if text not in shown]
    assert not lost
    assert len(acknowledged) >= COMMENTS - 1, "no more than the one that was on the node can fail"
