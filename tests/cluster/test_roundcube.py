"""Roundcube, from Debian's package: a user logs in, reads and sends mail, and stays logged in when a node dies."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.services import mail
from lab.testing.site import LabSite
from lab.topology.sites import Php, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.evidence.visitor import Visitor
    from lab.testing import LabCluster
    from lab.testing.faults import Faults

pytestmark = pytest.mark.smaller(
    "two web nodes that share a disk, a database and mail are all it needs",
    topology="tests/cluster/topologies/sites.yaml",
)
FILES = Path(__file__).parent / "roundcube"
NAME = "letters"
PASSWORD = "correct-horse-battery"  # noqa: S105  of mailboxes that live for one test
EXTENSIONS = ["dom", "iconv", "intl", "mbstring", "pdo_mysql", "zip"]
SITE = Site(database=True, public="public_html", writable=["temp", "logs"], php=Php(extensions=EXTENSIONS, children=4))
ARRIVAL_SECONDS = 60
TABLES = """
$m = mysqli_init(); $m->ssl_set(null, null, getenv('DB_CA'), null, null);
$m->real_connect(getenv('DB_HOST'), getenv('DB_USER'), getenv('DB_PASSWORD'), getenv('DB_NAME'));
$m->multi_query(file_get_contents('SQL/mysql.initial.sql'));
while ($m->more_results()) { $m->next_result(); }
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Roundcube's files, with the configuration of this folder."""
    folder = tmp_path_factory.mktemp("roundcube") / "code"
    done = subprocess.run(["sh", FILES / "get-roundcube", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.copy(FILES / "config.inc.php", folder / "config")
    return folder


@pytest.fixture
def letters(cluster: LabCluster, code: Path) -> Iterator[LabSite]:
    """The site, installed, with the mailboxes ann and bob."""
    cluster.require("web", 2)
    cluster.require("mail", 1)
    if cluster.backend.name != "docker" or cluster.plan.family != "debian":
        pytest.skip("its files come from a container of Debian's")
    before, people = cluster.spec, [f"{name}@{cluster.spec.domain}" for name in ("ann", "bob")]
    with cluster.changed(before.model_copy(update={"sites": before.sites | {NAME: SITE}})):
        cluster.spec = cluster.applied or before
        try:
            site = LabSite(cluster, NAME)
            site.deploy(code)
            done = site.run(["php", "-r", TABLES])
            assert done.ok, done.stdout + done.stderr
            for address in people:
                mail.add(cluster.backend, address, PASSWORD)
            yield site
            for address in people:
                mail.remove(cluster.backend, address)
        finally:
            cluster.spec = before


def _token(page: str) -> str:
    found = re.search(r'"request_token":"([^"]+)"|name="_token" value="([^"]+)"', page)
    assert found, page[:2000]
    return found[1] or found[2]


def _logged_in(http: Visitor, user: str) -> str:
    """The token of a user who has logged in."""
    fields = {"_task": "login", "_action": "login", "_timezone": "UTC", "_user": user, "_pass": PASSWORD}
    page = http.post("/?_task=login", data={**fields, "_token": _token(http.get("/").text)})
    assert "_task=mail" in page.url, page.text[:2000]
    return _token(page.text)


def _send(http: Visitor, token: str, to: str, subject: str, text: str) -> None:
    """Writes a message as the page for that does."""
    page = http.get("/?_task=mail&_action=compose")
    number = re.search(r'name="_id" value="([^"]+)"', page.text)
    sender = re.search(r'<select name="_from".*?<option value="(\d+)"', page.text, re.DOTALL)
    assert number, page.text[:2000]
    assert sender, page.text[:2000]
    fields = {"_token": token, "_id": number[1], "_from": sender[1], "_to": to, "_subject": subject, "_message": text}
    done = http.post(
        "/?_task=mail&_action=send", data={**fields, "_is_html": "0", "_draft_saveid": "", "_attachments": ""}
    )
    assert "sent_successfully" in done.text or "Message sent successfully" in done.text, done.text[:2000]


def _subjects(http: Visitor, token: str) -> dict[str, str]:
    """The subjects of the inbox, and the number of each message."""
    asked = "/?_task=mail&_action=list&_mbox=INBOX&_refresh=1&_remote=1"
    said = http.get(asked, headers={"X-Requested-With": "XMLHttpRequest", "X-Roundcube-Request": token}).json()
    rows = re.findall(r'this\.add_message_row\((\d+),\{.*?"subject":"(.*?)"', said["exec"])
    return {subject: number for number, subject in rows}


@pytest.mark.nightly(
    "takes two minutes with its installation;"
    " at every change a small site keeps its sessions and sends mail (test_sites.py)"
)
def test_a_user_reads_and_sends_mail_and_stays_logged_in_when_the_web_node_dies(
    cluster: LabCluster, letters: LabSite, faults: Faults
) -> None:
    assert letters.ask("/", "-o", "/dev/null", "-w", "%{http_code}") == "200"
    ann, bob = (f"{name}@{cluster.spec.domain}" for name in ("ann", "bob"))
    subject, text = f"from ann {time.time_ns()}", "The text of the message."
    with cluster.site(NAME) as http:
        token = _logged_in(http, ann)
        _send(http, token, bob, subject, text)

    with cluster.site(NAME) as http:
        token = _logged_in(http, bob)
        found = cluster.until(
            "the message", ARRIVAL_SECONDS, lambda: _subjects(http, token), lambda found: subject in found
        )
        shown = http.get(f"/?_task=mail&_action=show&_mbox=INBOX&_uid={found[subject]}").text
        assert text in shown
        assert ann in shown

        http.served.clear()
        assert subject in _subjects(http, token)
        (served,) = http.served
        with faults.kill(served):
            http.served.clear()
            assert subject in _subjects(http, token), "who was logged in is asked for the password again"
            assert served not in http.served
            _send(http, token, ann, f"Re: {subject}", "An answer.")
    mark = subject.rpartition(" ")[2]
    asked = f"doveadm -c /etc/lab/dovecot.conf fetch -u {ann} hdr.from mailbox INBOX subject {mark}"
    cluster.until("the answer", ARRIVAL_SECONDS, lambda: bob in cluster.run("mail1", asked).stdout)
    with cluster.site(NAME) as http:
        fields = {"_task": "login", "_action": "login", "_user": ann, "_pass": "wrong"}
        page = http.post("/?_task=login", data={**fields, "_token": _token(http.get("/").text)})
        assert "_task=mail" not in page.url, "a wrong password is no login"
