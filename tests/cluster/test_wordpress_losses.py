"""WordPress's comments by a ledger while nodes die one after the other; then all of it from a backup, into nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from requests.cookies import RequestsCookieJar

from lab.backends.base import State
from lab.evidence.ledger import Outcome, Verdict
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services import backup, mysql
from lab.testing.site import LabSite
from lab.topology.sites import Php, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.evidence.own import OwnLedger
    from lab.evidence.visitor import Visitor
    from lab.testing import LabCluster
    from lab.testing.faults import Faults

EXAMPLE = Path(__file__).parents[2] / "docs/examples/wordpress"
NAME, RATE = "press", 2.0
PASSWORD = "correct-horse-battery"  # noqa: S105  of a site that lives for one test
SITE = Site(database=True, writable=["wp-content/uploads"], php=Php(extensions=["gd"], children=6))
SOME = 12
FIRST_SECONDS = 60.0


class Comments:
    """A comment of the administrator, whom no limit on the rate of comments concerns."""

    cookies = RequestsCookieJar()  # of the administrator, who has logged in

    def write(self, http: Visitor, id: str) -> object:  # noqa: A002  as docs/losses.md has it
        http.cookies.update(self.cookies)
        fields = {"comment": id, "comment_post_ID": "1", "submit": "Post"}
        return http.post("/wp-comments-post.php", data=fields, allow_redirects=False)

    def read(self, http: Visitor) -> list[str]:
        found: list[str] = []
        pages = 1
        while len(found) < 100 * pages:
            asked = f"/?rest_route=/wp/v2/comments&post=1&per_page=100&page={len(found) // 100 + 1}&order=asc"
            answer = http.get(asked)
            answer.raise_for_status()
            pages = int(answer.headers["X-WP-TotalPages"])
            texts = [re.sub("<[^>]+>", "", one["content"]["rendered"]).strip() for one in answer.json()]
            found += texts
            if len(texts) < 100:
                break
        return found


@pytest.fixture
def press(cluster: LabCluster, tmp_path: Path) -> Iterator[LabSite]:
    """WordPress, installed, with its administrator logged in."""
    for role, count in (("web", 2), ("mysql", 3), ("storage", 3), ("backup", 1)):
        cluster.require(role, count)
    if cluster.backend.name != "docker" or cluster.plan.family != "debian":
        pytest.skip("its files come from a container of Debian's")
    code, before = tmp_path / "wordpress", cluster.spec
    subprocess.run(["sh", EXAMPLE / "get-wordpress", code], check=True)
    shutil.copy(EXAMPLE / "wp-config.php", code)
    with cluster.changed(before.model_copy(update={"sites": before.sites | {NAME: SITE}})):
        cluster.spec = cluster.applied or before
        try:
            site = LabSite(cluster, NAME)
            site.deploy(code)
            with cluster.site(NAME) as http:
                _install(http)
                Comments.cookies = http.cookies.copy()
            yield site
        finally:
            cluster.spec = before


def _install(http: Visitor) -> None:
    http.patience = FIRST_SECONDS
    form = {
        "weblog_title": "Lab", "user_name": "ann", "admin_password": PASSWORD, "admin_password2": PASSWORD,
        "pw_weak": "on", "admin_email": "ann@example.com", "language": "", "Submit": "Install",
    }  # fmt: skip
    assert "<h1>Success!</h1>" in http.post("/wp-admin/install.php?step=2", data=form).text
    http.get("/wp-login.php")
    http.post("/wp-login.php", data={"log": "ann", "pwd": PASSWORD, "testcookie": "1"})
    assert "Dashboard" in http.get("/wp-admin/").text


def _all(http: Visitor) -> dict[str, Any]:
    """What visitors see: the comments, and a picture."""
    return {"comments": sorted(Comments().read(http)), "picture": http.get("/wp-content/uploads/seen.txt").text}


@pytest.mark.nightly("some three minutes: three nodes die one after the other, and all disks but the backup's are lost")
def test_no_acknowledged_comment_is_lost_and_all_of_it_comes_back_from_a_backup(
    cluster: LabCluster, press: LabSite, faults: Faults, ledger: Callable[..., OwnLedger]
) -> None:
    assert press.run(["sh", "-c", "echo here > wp-content/uploads/seen.txt"]).ok
    with ledger(Comments, rate=RATE, site=NAME) as comments:
        comments.more(SOME)
        for victim in ("web1", mysql.primary(cluster.backend), "storage1"):
            with faults.kill(victim):
                comments.more(SOME, 120)
            _whole(cluster)
            comments.more(SOME, 120)
    (judged,) = comments.judge()
    print("comments:", dict(judged.counts))
    assert judged.verdict is Verdict.HOLDS, judged
    assert judged.counts[Outcome.ACKNOWLEDGED] >= 6 * SOME

    with cluster.site(NAME) as http:
        before = _all(http)
    assert before["picture"] == "here\n"
    backup.now(cluster.backend)
    down(cluster.backend, Silent(), volumes=True, keep_backups=True)
    cluster.apply(cluster.spec)
    with cluster.site(NAME) as http:
        assert "has no release yet" in http.get("/").text, "the cluster is not empty"
    backup.restore(cluster.backend)
    with cluster.site(NAME) as http:
        cluster.until("WordPress", 60, lambda: http.get("/").status_code, lambda status: status == 200)
        cluster.until("its release", 60, lambda: "Lab" in http.get("/").text)
        assert _all(http) == before
        http.cookies.update(Comments.cookies)
        assert "Dashboard" in http.get("/wp-admin/").text, "who was logged in still is"


def _whole(cluster: LabCluster) -> None:
    """Waits until every node runs, and serves."""
    names = [node.name for node in cluster.plan.nodes]
    states = lambda: {node.name: node.state for node in cluster.backend.observe().nodes}  # noqa: E731  a question
    cluster.until("all nodes to run", 60, states, lambda found: found == dict.fromkeys(names, State.RUNNING))
    lacking = lambda: [node for node in cluster.status().nodes if node.reason]  # noqa: E731  a question
    cluster.until("all nodes to be ready", 120, lacking, lambda found: not found)
