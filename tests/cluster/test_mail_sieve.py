"""What a person's Sieve script sends: it arrives, and where it can't, the message is kept."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from email import message_from_string
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.mail_client import correspondents
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.testing import LabCluster
    from tests.cluster.mail_client import Post
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

QUIET = "keep;"
AT_NIGHT = pytest.mark.nightly(
    "ten seconds each: what a script does is Pigeonhole's; at every change it files, redirects from outside,"
    " keeps what nobody takes, and signs nothing"
)
QUEUE_SECONDS = 30


@pytest.fixture
def post(cluster: LabCluster) -> Post:
    return correspondents(cluster)


@contextmanager
def _sifted(post: Post, **scripts: str) -> Iterator[None]:
    """Some people's scripts, for a while."""
    try:
        for user, script in scripts.items():
            assert post.sift(user, script) == {}
        yield
    finally:
        for user in scripts:
            post.sift(user, QUIET)


def _unique(what: str) -> str:
    return f"{what} {uuid.uuid4().hex[:8]}"


def _count(post: Post, user: str, subject: str) -> int:
    return sum(message_from_string(one)["Subject"] == subject for one in post.read(user)["messages"])


def _outside(post: Post, to: str, subject: str) -> None:
    """A message from outside: nobody has logged in, and the sender is not of the domain."""
    head = f"From: stranger@example.org\nTo: {post.address(to)}\nMessage-ID: <{uuid.uuid4().hex}@example.org>"
    text = f"{head}\nSubject: {subject}\n\nHello.\n"
    got = post.send("", to, port=25, user="", sender="stranger@example.org", message=text)
    assert got[0] == 250, got


@pytest.mark.parametrize(
    "inside",
    [pytest.param(True, marks=pytest.mark.nightly("seven seconds; at every change outside")), False],
)
@pytest.mark.read_only
def test_redirected_mail_arrives(post: Post, inside: bool) -> None:  # noqa: FBT001
    """From one of the domain's accounts, and from outside; the copy stays."""
    subject = _unique("redirected")
    with _sifted(post, ann=f'require ["copy"]; redirect :copy "{post.address("carol")}";'):
        if inside:
            assert post.send("bob", "ann", subject=subject)[0] == 250
        else:
            _outside(post, "ann", subject)
        assert post.arrived("carol", subject)
        assert post.arrived("ann", subject)


MANY = 60


@contextmanager
def _waiting(cluster: LabCluster, post: Post) -> Iterator[tuple[str, str]]:
    """Many messages in Carol's mailbox that nobody has moved yet: a command that counts them, and their subject."""
    node, maildir = cluster.plan.role("mail")[0].name, f"/srv/mail/accounts/{post.domain}/carol/Maildir"
    subject = _unique("waits")
    post.read("carol")  # whoever reads moves what there is; with a folder made by it
    make = (
        f"cd {maildir}/new && for i in $(seq {MANY}); do printf 'Subject: {subject}\\n\\n%s\\n' $i"
        f" > $(date +%s).M${{i}}P$$.{node}; done && chown 5000:5000 *P$$.{node} && ls *P$$.{node} | wc -l"
    )
    supervisor = "supervisorctl -c /etc/lab/supervisord.conf"
    nodes = [each.name for each in cluster.plan.role("mail")]
    for each in nodes:
        assert cluster.run(each, f"{supervisor} stop arrivals").ok
    try:
        assert cluster.run(node, make, seconds=60).stdout.strip() == str(MANY)
        yield f"ls {maildir}/new | wc -l", subject
    finally:
        for each in nodes:
            assert cluster.run(each, f"{supervisor} start arrivals").ok


@pytest.mark.read_only
def test_much_that_arrived_is_moved_before_a_mailbox_is_opened(cluster: LabCluster, post: Post) -> None:
    """And not message by message, for 20 ms each, while who opens it waits (5,000 took 122 s)."""
    with _waiting(cluster, post) as (count, subject):
        post.enter("carol")
        assert cluster.run(cluster.plan.role("mail")[0].name, count).stdout.strip() == "0"
    assert _count(post, "carol", subject) == MANY


@pytest.mark.nightly("the same move of many messages is tried at every change, before a mailbox is opened")
@pytest.mark.read_only
def test_much_that_arrived_is_moved_while_nobody_comes(cluster: LabCluster, post: Post) -> None:
    node = cluster.plan.role("mail")[0].name
    with _waiting(cluster, post) as (count, subject):
        assert cluster.run(node, count).stdout.strip() == str(MANY)
    cluster.until("the messages to be moved", 60, partial(cluster.run, node, count), lambda said: said.stdout == "0\n")
    assert _count(post, "carol", subject) == MANY


@AT_NIGHT
@pytest.mark.read_only
def test_what_is_redirected_in_a_circle_ends(cluster: LabCluster, post: Post) -> None:
    """It comes back to who sent it on, once; then Dovecot knows it, and no queue keeps it."""
    subject = _unique("in a circle")
    to_carol, to_ann = (f'require ["copy"]; redirect :copy "{post.address(to)}";' for to in ("carol", "ann"))
    with _sifted(post, ann=to_carol, carol=to_ann):
        _outside(post, "ann", subject)
        post.arrived("carol", subject)
        _idle(cluster)
        assert {user: _count(post, user, subject) for user in ("ann", "carol")} == {"ann": 2, "carol": 1}


_NOBODY = pytest.param(
    "nobody@{domain}",
    marks=pytest.mark.nightly("another address that nothing goes to: one outside is tried at every change"),
)


@pytest.mark.parametrize("to", [_NOBODY, "someone@example.org"])
@pytest.mark.read_only
def test_what_can_not_be_redirected_is_kept(cluster: LabCluster, post: Post, to: str) -> None:
    """To nobody, and to where nothing goes: it stays in the mailbox, once, and neither waits nor comes back."""
    subject = _unique("redirected in vain")
    with _sifted(post, ann=f'redirect "{to.format(domain=post.domain)}";'):
        _outside(post, "ann", subject)
        assert post.arrived("ann", subject)
        _idle(cluster)
        assert _count(post, "ann", subject) == 1


@pytest.mark.read_only
def test_what_is_redirected_is_not_signed(post: Post) -> None:
    """Its text may be a stranger's who writes in the name of one of us."""
    subject = _unique("redirected, in bob's name")
    text = f"From: {post.address('bob')}\nTo: {post.address('ann')}\nSubject: {subject}\n\nHello.\n"
    with _sifted(post, ann=f'redirect "{post.address("carol")}";'):
        assert post.send("", "ann", port=25, user="", sender="stranger@example.org", message=text)[0] == 250
        assert "DKIM-Signature" not in post.arrived("carol", subject)


@AT_NIGHT
@pytest.mark.read_only
def test_a_vacations_answer_arrives_once(cluster: LabCluster, post: Post) -> None:
    """Two people who are both away don't answer each other's answers."""
    subject, mark = _unique("are you there"), _unique("away")
    scripts = {
        user: f'require ["vacation"]; vacation :days 1 :subject "{mark} {user}" "Later.";' for user in ("ann", "carol")
    }
    with _sifted(post, **scripts):
        for _ in range(2):
            assert post.send("carol", "ann", subject=subject)[0] == 250
        answer = message_from_string(post.arrived("carol", f"{mark} ann"))
        assert answer["Auto-Submitted"]
        assert post.address("ann") in answer["From"]
        _idle(cluster)
        assert _count(post, "carol", f"{mark} ann") == 1
        assert _count(post, "ann", f"{mark} carol") == 0
        assert _count(post, "ann", subject) == 2


@AT_NIGHT
@pytest.mark.read_only
def test_what_a_script_rejects_is_told_to_its_sender(post: Post) -> None:
    """Another of the ways in which a script sends something."""
    subject = _unique("unwanted")
    with _sifted(post, ann='require ["reject"]; reject "No, thank you.";'):
        assert post.send("carol", "ann", subject=subject)[0] == 250
        assert subject in post.arrived_with("carol", "No, thank you.")
        assert _count(post, "ann", subject) == 0


def _idle(cluster: LabCluster) -> None:
    """Waits until nothing is on its way."""
    for node in cluster.plan.role("mail"):
        cluster.until(
            f"an empty queue on {node.name}",
            QUEUE_SECONDS,
            partial(cluster.run, node.name, "postqueue -j"),
            lambda said: said.ok and not said.stdout.strip(),
        )
