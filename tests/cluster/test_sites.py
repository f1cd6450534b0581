"""Sites of a person's own: deployed whole, apart from each other, with sessions that a dead web node does not end."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.errors import SpecError
from lab.services import backup, sites
from lab.services.packing import packed
from lab.testing.site import LabSite

if TYPE_CHECKING:
    from pathlib import Path

    from lab.testing import LabCluster, Rounds
    from lab.testing.faults import Faults

pytestmark = pytest.mark.smaller(
    "two web nodes that share a disk and a database are all it needs", topology="tests/cluster/topologies/sites.yaml"
)
WRITTEN = 1_700_000_000  # when, in Unix seconds: packed with the files
CHILDREN = 4  # of each site, in that topology
RATE = 30.0
SLOW_SECONDS, HELD_SECONDS = 4, 60  # of one page; of all that ask for it
QUICK_SECONDS = 2.0  # for a page that waits for nobody, on a busy machine
JAR = "/var/tmp/sites-jar"

# ruff: noqa: S608  the statements are these tests' own
CONNECT = (
    "$m = mysqli_init(); $m->ssl_set(null, null, getenv('DB_CA'), null, null);"
    "$m->real_connect(getenv('DB_HOST'), getenv('DB_USER'), getenv('DB_PASSWORD'), getenv('DB_NAME'));"
)

INDEX = """<?php
if (isset($_GET['slow'])) { sleep((int) $_GET['slow']); }
if (isset($_GET['login'])) { session_start(); $_SESSION['name'] = $_GET['login']; }
if (isset($_GET['who'])) {
    session_start();
    exit(json_encode(['who' => $_SESSION['name'] ?? '', 'node' => gethostname()]));
}
if (isset($_GET['https'])) { exit($_SERVER['HTTPS'] ?? 'off'); }
echo '@VERSION@ ', (include __DIR__ . '/part.php'), "\\n";
"""


def _code(folder: Path, version: int) -> Path:
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "index.php").write_text(INDEX.replace("@VERSION@", str(version)), encoding="utf-8")
    (folder / "part.php").write_text(f"<?php return '{version}';\n", encoding="utf-8")
    (folder / "style.css").write_text(f"/* {version} */\n", encoding="utf-8")
    (folder / "files" / "seed.txt").write_text("brought by the release\n", encoding="utf-8")
    for path in folder.rglob("*"):  # the same files are the same release, and what is served is not brought again
        os.utime(path, (WRITTEN, WRITTEN))
    return folder


@pytest.fixture
def blog(cluster: LabCluster, tmp_path: Path) -> LabSite:
    site = LabSite(cluster, "blog")
    site.deploy(_code(tmp_path / "blog", 1))
    return site


@pytest.fixture
def other(cluster: LabCluster, tmp_path: Path) -> LabSite:
    site = LabSite(cluster, "other")
    site.deploy(_code(tmp_path / "other", 1))
    return site


@pytest.mark.read_only
def test_a_site_is_served_by_its_name_alone(cluster: LabCluster, blog: LabSite) -> None:
    assert blog.ask() == "1 1\n"
    assert blog.ask("/a/pretty/path") == "1 1\n"
    assert blog.ask("/style.css") == "/* 1 */\n"
    assert blog.ask("/files/seed.txt") == "brought by the release\n"
    assert blog.ask("/?https") == "on"
    assert json.loads(cluster.ask("/whoami"))["node"].startswith("web")
    balancer = cluster.plan.entry
    unknown = ("--connect-to", f"::{balancer}:443", "-k", "-w", "%{http_code}")
    said = cluster.run("client", f"curl -sS {' '.join(unknown)} https://nobody.{cluster.spec.domain}/").stdout
    assert said.endswith("421")
    assert f"https://blog.{cluster.spec.domain}/" in said
    here = f"curl -sS --cacert /etc/lab/ca.crt --connect-to ::{balancer}:443 https://blog.localhost:8443/style.css"
    assert cluster.run("client", here).stdout == "/* 1 */\n", "the certificate has that name, too"


@pytest.mark.read_only
def test_a_deployment_is_whole_for_every_visitor_and_no_request_fails(
    cluster: LabCluster, blog: LabSite, tmp_path: Path
) -> None:
    look = f"curl -sS --cacert /etc/lab/ca.crt {blog.url}/"
    watch = f"rm -f /var/tmp/end; while [ ! -e /var/tmp/end ]; do {look}; done > /var/tmp/seen 2>&1 &"
    cluster.run("client", watch)
    try:
        with blog.load(RATE) as load:
            for version in (2, 3):
                load.more(int(RATE))
                blog.deploy(_code(tmp_path / f"v{version}", version))
                assert blog.ask() == f"{version} {version}\n", "from the moment that it is said to be served"
            load.more(int(RATE))
            sites.rollback(cluster.backend, "blog")
            assert blog.ask() == "2 2\n"
            load.more(int(RATE))
    finally:
        cluster.run("client", "touch /var/tmp/end")
    assert not load.failed
    seen = cluster.run("client", "sort /var/tmp/seen | uniq").stdout.splitlines()
    assert seen == ["1 1", "2 2", "3 3"], "a visitor saw a part of a release"


@pytest.mark.read_only
def test_five_releases_are_kept_and_any_of_them_is_served_again(
    cluster: LabCluster, blog: LabSite, tmp_path: Path
) -> None:
    names = [blog.deploy(_code(tmp_path / f"r{version}", version)) for version in range(11, 17)]
    kept = [each.release for each in sites.releases(cluster.backend, "blog")]
    assert kept == names[-5:]
    assert sites.rollback(cluster.backend, "blog", names[-4]) == names[-4]
    assert blog.ask() == "13 13\n"
    with pytest.raises(SpecError, match="has no release"):
        sites.rollback(cluster.backend, "blog", names[0])


@pytest.mark.read_only
def test_no_site_reads_another_ones_files_and_none_changes_its_own_code(
    cluster: LabCluster, blog: LabSite, other: LabSite
) -> None:
    web = sites.look(cluster.backend).nodes[0]
    store = "/srv/shared/sites/blog"
    secret = (
        "/var/lib/sites/blog/current/index.php",
        "/var/lib/sites/blog/current/style.css",
        f"{store}/data/files/seed.txt",
    )
    assert other.run(["cat", "/var/lib/sites/other/current/index.php"]).ok, "its own it reads"
    for path in (*secret, f"{store}/current", "/etc/lab/sites.env", "/etc/lab/php-fpm.conf"):
        assert cluster.run(web, f"test -e {path}").ok, path
        assert "Permission denied" in other.run(["cat", path]).stderr, path
    assert "Permission denied" in other.run(["ls", f"{store}/sessions"]).stderr
    for change in ("echo x > index.php", "rm part.php", "chmod 777 .", "touch new.php"):
        assert not blog.run(["sh", "-c", change]).ok, change
    assert blog.run(["sh", "-c", "echo mine > files/mine.txt"]).ok
    assert blog.ask("/files/mine.txt") == "mine\n"


@pytest.mark.read_only
def test_what_a_site_wrote_is_shown_and_never_run_or_followed(
    cluster: LabCluster, blog: LabSite, other: LabSite
) -> None:
    del other
    blog.run(
        [
            "sh",
            "-c",
            "echo '<?php echo 6*7;' > files/evil.php; ln -sf /var/lib/sites/other/current/style.css files/a.css",
        ]
    )
    code = ("-o", "/dev/null", "-w", "%{http_code}")
    assert blog.ask("/files/evil.php", *code) == "403"
    assert blog.ask("/files/a.css", *code) == "403"
    assert blog.ask("/files/seed.txt", *code) == "200"
    assert LabSite(cluster, "other").ask("/style.css", *code) == "200"


@pytest.mark.nightly(
    "takes a minute and a half: all processes of a site are held, and end; at every change the same limit of PHP-FPM is"
    " tried with the guest book's pool (test_crowds.py)"
)
def test_a_site_that_uses_all_its_processes_leaves_the_others_working(
    cluster: LabCluster, blog: LabSite, other: LabSite
) -> None:
    webs = cluster.require("web", 2)
    many = 12 * CHILDREN
    limit = cluster.clock.option(HELD_SECONDS)
    asked = f"curl -s -o /dev/null --max-time {limit} --cacert /etc/lab/ca.crt '{other.url}/?slow={SLOW_SECONDS}'"
    slow = f"for i in $(seq {many}); do {asked} & done; wait"
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(cluster.run, "client", slow, seconds=90)
        busy = (
            "grep -lx 'php-fpm: pool site-other' /proc/[0-9]*/cmdline 2>/dev/null | wc -l; pgrep -fc 'pool site-other'"
        )
        cluster.until(
            "all its processes to be busy",
            20,
            lambda: [int(cluster.run(web, busy).stdout.split()[-1]) for web in webs],
            lambda counts: all(count >= CHILDREN for count in counts),
        )
        began = cluster.clock.steady()
        for _ in range(5):
            assert blog.ask() == "1 1\n"
            assert cluster.ask("/healthz") == "ok\n"
            assert "web" in cluster.ask("/whoami")
        took = (cluster.clock.steady() - began) / 15
        for web in webs:
            healthy = f"curl -sS --max-time {cluster.clock.option(2)} http://127.0.0.1/healthz"
            assert cluster.run(web, healthy).stdout == "ok\n"
        assert not held.done(), "the slow ones had ended: nothing was tried"
        held.result()
    assert took < QUICK_SECONDS
    cluster.until("the other site to answer again", 30, lambda: other.ask() == "1 1\n")


def test_who_is_logged_in_stays_so_when_the_web_node_dies(
    cluster: LabCluster, blog: LabSite, faults: Faults, rounds: Rounds
) -> None:
    """The first page after the node's death takes no longer than a request in flight on it."""
    jar = ("-b", JAR, "-c", JAR)
    cluster.run("client", f"rm -f {JAR}")
    blog.ask("/?login=ann", *jar)
    for round_ in rounds("web-node-hangs"):
        before = json.loads(blog.ask("/?who", *jar))
        assert before["who"] == "ann"
        with round_, faults.kill(before["node"]):
            begun = cluster.clock.now()
            after = json.loads(blog.ask("/?who", *jar))
            round_.measured("web-node-hangs", cluster.clock.now() - begun, begun)
        assert after["who"] == "ann"
        assert after["node"] != before["node"]


@pytest.mark.read_only
def test_a_site_has_a_database_of_its_own(cluster: LabCluster, blog: LabSite, other: LabSite) -> None:
    assert sites.environment(cluster.backend, "blog")["DB_NAME"] == "site_blog"
    assert "DB_NAME" not in sites.environment(cluster.backend, "other")
    code = (
        f"{CONNECT}$m->query('CREATE TABLE IF NOT EXISTS t (n INT)'); $m->query('INSERT INTO t VALUES (1)');"
        "echo $m->query('SELECT count(*) > 0 FROM t')->fetch_row()[0], ' ';"
        "try { $m->query('SELECT * FROM guestbook.posts'); echo 'read'; } catch (Exception $e) { echo 'denied'; }"
    )
    assert blog.run(["php", "-r", code]).stdout == "1 denied"
    address = cluster.plan.vip or ""
    reach = f"timeout {cluster.clock.option(3)} bash -c ': < /dev/tcp/{address}/3306'"
    assert blog.run(["sh", "-c", reach]).ok
    assert not other.run(["sh", "-c", reach]).ok, "a site without a database reaches it"


@pytest.mark.read_only
def test_a_site_leaves_connections_to_the_database_to_the_others(cluster: LabCluster, blog: LabSite) -> None:
    code = f"$all = []; try {{ while (count($all) < 60) {{ {CONNECT} $all[] = $m; }} }} catch (Exception $e) {{ }}"
    said = blog.run(["php", "-r", f"{code} echo count($all), ' ', $e->getMessage();"]).stdout
    assert int(said.split()[0]) <= CHILDREN * len(cluster.require("web", 2)) + 2
    assert "max_user_connections" in said


@pytest.mark.read_only
def test_an_access_file_that_a_site_wrote_closes_its_folder(blog: LabSite) -> None:
    code = ("-o", "/dev/null", "-w", "%{http_code}")
    for text in ("Require expr true", "Require all granted", "<If true>", "Options +FollowSymLinks"):
        blog.run(
            ["sh", "-c", 'mkdir -p files/own && echo x > files/own/x.txt && echo "$0" > files/own/.htaccess', text]
        )
        assert blog.ask("/files/own/x.txt", *code) == "500", text
        assert blog.ask("/files/seed.txt", *code) == "200"
    blog.run(["rm", "-r", "files/own"])


@pytest.mark.read_only
def test_a_release_with_an_expression_in_an_access_file_is_refused(
    cluster: LabCluster, blog: LabSite, tmp_path: Path
) -> None:
    code = _code(tmp_path / "asking", 99)
    (code / ".htaccess").write_text("Require expr file('/etc/hostname') =~ /./\n", encoding="utf-8")
    with pytest.raises(SpecError, match="leave that out"):
        sites.deploy(cluster.backend, "blog", code)
    assert blog.ask() == "1 1\n"


@pytest.mark.read_only
def test_a_site_sends_mail_in_its_own_name_whatever_its_program_claims(cluster: LabCluster, blog: LabSite) -> None:
    me, mark = f"blog@{cluster.spec.domain}", f"sites-{time.time_ns()}"
    sent = blog.run(["php", "-r", f"echo (int) mail('{me}', '{mark}', 'hello', ['From' => 'root@example.com']);"])
    assert sent.stdout == "1", sent
    asked = f"doveadm -c /etc/lab/dovecot.conf fetch -u {me} hdr.from mailbox INBOX subject {mark}"
    said = cluster.until("the message", 60, lambda: cluster.run("mail1", asked).stdout)
    assert said.split() == ["hdr.from:", me]


@pytest.mark.nightly("twenty seconds; at every change a whole backup comes back (test_backup.py)")
def test_one_site_comes_back_from_a_backup_and_nothing_else_changes(
    cluster: LabCluster, blog: LabSite, tmp_path: Path
) -> None:
    cluster.require("backup", 1)
    row = (
        CONNECT + "$m->query('CREATE OR REPLACE TABLE k (n INT PRIMARY KEY)'); $m->query('INSERT INTO k VALUES ({n})');"
    )
    blog.run(["sh", "-c", "echo then > files/then.txt"])
    blog.run(["php", "-r", row.replace("{n}", "7")])
    backup.now(cluster.backend)
    blog.run(["sh", "-c", "rm files/then.txt; echo now > files/now.txt"])
    blog.run(["php", "-r", row.replace("{n}", "8")])
    blog.deploy(_code(tmp_path / "later", 2))
    posted = cluster.ask("/api/posts", "-d", "author=backup&message=stays")
    told = backup.restore(cluster.backend, only="site:blog")
    assert told["has"]["tables"] >= 1
    assert "files of mail" not in told["has"]
    cluster.until("the release of the backup", 15, lambda: blog.ask() == "1 1\n")
    assert blog.ask("/files/then.txt") == "then\n"
    assert blog.ask("/files/now.txt", "-o", "/dev/null", "-w", "%{http_code}") == "404"
    assert blog.run(["php", "-r", CONNECT + "echo $m->query('SELECT n FROM k')->fetch_row()[0];"]).stdout == "7"
    assert json.loads(posted)["id"] in cluster.ask("/api/posts"), "the guest book was put back, too"
    with pytest.raises(SpecError, match="no 'site:nobody' to restore"):
        backup.restore(cluster.backend, only="site:nobody")


@pytest.mark.read_only
def test_what_is_too_large_or_no_site_changes_nothing(cluster: LabCluster, blog: LabSite, tmp_path: Path) -> None:
    made = packed(_code(tmp_path / "huge", 9))
    huge = replace(made, size=1 << 60)
    with pytest.raises(SpecError, match="are more than the"):
        sites.bring(cluster.backend, sites.look(cluster.backend), "blog", huge)
    with pytest.raises(SpecError, match="has no site 'blgo'; did you mean 'blog'"):
        sites.deploy(cluster.backend, "blgo", tmp_path / "huge")
    assert blog.ask() == "1 1\n"
