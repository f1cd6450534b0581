"""Mail: what is accepted arrives once, whoever dies; what may not be is refused while its sender listens."""

from __future__ import annotations

import contextlib
import json
import random
import uuid
from email import message_from_string
from functools import partial
from typing import TYPE_CHECKING, Any

import dkim
import pytest

from lab.errors import SpecError
from lab.evidence.ledger import Verdict
from lab.services import mail
from lab.topology import Mail, Web
from tests.cluster.mail_client import PASSWORD, correspondents
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster, Rounds
    from tests.cluster.mail_client import Post
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

RATE = 6.0  # messages a second
SOME = 15
SUPERVISOR = "supervisorctl -c /etc/lab/supervisord.conf"
MEGABYTE = 1 << 20
FILTER = """require ["fileinto", "mailbox"];
if header :contains "subject" "[class]" { fileinto :create "class"; }
"""
OUTSIDE: dict[str, Any] = {"port": 25, "user": "", "sender": "stranger@example.org"}


@pytest.fixture
def post(cluster: LabCluster) -> Post:
    return correspondents(cluster)


def _unique(what: str) -> str:
    return f"{what} {uuid.uuid4().hex[:8]}"


def _signed(cluster: LabCluster, message: str) -> bool:
    """Whether the signature is right, by the key that the cluster's own DNS gives to the client."""

    def record(name: bytes, timeout: int = 5) -> bytes:
        del timeout
        said = cluster.run("client", f"dig +short TXT {name.decode()}").stdout
        return said.replace('" "', "").strip().strip('"').encode()

    return bool(dkim.verify(message.encode("latin-1"), dnsfunc=record))


def _holds(book: Ledger) -> None:
    """Every accepted message is in the mailbox once, whichever node it is read on."""
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement


@pytest.mark.parametrize("port", [587, 465])
@pytest.mark.read_only
def test_what_is_submitted_arrives_signed(cluster: LabCluster, post: Post, port: int) -> None:
    subject = _unique("submitted")
    code, said = post.send("ann", "bob", subject=subject, port=port)
    assert code == 250, said
    message = post.arrived("bob", subject)
    assert "DKIM-Signature" in message
    if cluster.plan.vip:
        assert _signed(cluster, message)
        assert not _signed(cluster, message.replace("Hello.", "Hullo."))
    assert cluster.plan.node("client").address in message, "the client's own address is known"


@pytest.mark.read_only
def test_mail_to_an_alias_arrives(post: Post) -> None:
    subject = _unique("by alias")
    assert post.send("bob", "info", subject=subject)[0] == 250
    assert post.arrived("ann", subject)


def test_postfix_ends_with_its_service(cluster: LabCluster, post: Post) -> None:
    """The script of 'start-fg' left its master behind, which kept the queue from the next one."""
    node = cluster.require("mail", 1)[0]
    cluster.run(node, f"{SUPERVISOR} stop postfix")
    try:
        assert cluster.run(node, "pgrep -x master").stdout == ""
    finally:
        cluster.run(node, f"{SUPERVISOR} start postfix")
    cluster.until("one master", 30, lambda: cluster.run(node, "pgrep -cx master").stdout == "1\n")
    before = cluster.run(node, "pgrep -x master").stdout
    cluster.run(node, f"kill -KILL $({SUPERVISOR} pid postfix)")
    cluster.until(
        "one master, another one",
        30,
        lambda: cluster.run(node, "pgrep -x master").stdout,
        lambda found: len(found.split()) == 1 and found != before,
    )
    cluster.until("the service after its death", 30, lambda: cluster.run(node, "/usr/lib/lab/ready").ok)
    subject = _unique("after a restart")
    assert post.send("ann", "bob", subject=subject)[0] == 250
    assert post.arrived("bob", subject)


@pytest.mark.read_only
def test_mail_from_outside_arrives(post: Post) -> None:
    subject = _unique("from outside")
    assert post.send("", "ann", subject=subject, **OUTSIDE)[0] == 250
    assert "dkim=none" in post.arrived("ann", subject)


@pytest.mark.read_only
def test_a_signature_is_judged(cluster: LabCluster, post: Post) -> None:
    cluster.require("tcp-lb", 1)  # it serves the names, and so the key
    signed = _unique("signed")
    assert post.send("ann", "bob", subject=signed)[0] == 250
    message = post.arrived("bob", signed)
    sent = message[message.index("DKIM-Signature") :].replace("\r\n", "\n")
    assert post.send("", "ann", message=sent, **OUTSIDE)[0] == 250
    assert "dkim=pass" in post.arrived("ann", signed)


@pytest.mark.parametrize(
    ("to", "more", "code", "said"),
    [
        ("bob", {"password": "wrong horse"}, 535, "authentication fail"),
        ("nobody", {}, 550, "User unknown"),
        ("nobody", {"port": 25, "user": "", "sender": "x@example.net"}, 550, "User unknown"),
        ("someone@example.org", {}, 550, "outside delivery is off"),
        ("someone@example.org", {"port": 25, "user": "", "sender": "x@example.net"}, 550, "outside delivery is off"),
        ("bob", {"more": 21 * MEGABYTE}, 552, "size"),
        ("bob", {"user": "", "sender": "ann@example.org"}, 554, "Access denied"),
        ("bob", {"tls": False}, 503, "AUTH extension not supported"),
        ("bob", {"tls": False, "user": ""}, 530, "STARTTLS"),
        ("bob", {"port": 25}, 503, "AUTH extension not supported"),
        ("ann", {"sender": "root@example.org"}, 553, "not owned by user"),
        ("ann", {"port": 25, "user": "", "sender": "bob@{domain}"}, 554, "log in to send as one of us"),
        ("ann", {"port": 25, "user": "", "sender": "nobody@{domain}"}, 554, "log in to send as one of us"),
    ],
)
@pytest.mark.read_only
def test_what_may_not_be_is_refused_while_its_sender_listens(
    post: Post, to: str, more: dict[str, Any], code: int, said: str
) -> None:
    filled = {key: value.format(domain=post.domain) if key == "sender" else value for key, value in more.items()}
    got = post.send("ann", to, **filled)
    assert got[0] == code, got
    assert said in got[1]


@pytest.mark.read_only
def test_nobody_reads_without_tls_or_with_a_wrong_password(post: Post) -> None:
    refused = post.read("ann", port=143, tls=False)
    assert "LOGINDISABLED" in refused["can"]
    assert "refused" in refused
    assert "messages" in post.read("ann", port=143)
    assert "refused" in post.read("ann", password="wrong horse")  # noqa: S106


@pytest.mark.read_only
def test_a_persons_filter_files_what_arrives(post: Post) -> None:
    """Put there once, by ManageSieve, it is heeded by whichever node delivers."""
    assert post.sift("ann", FILTER) == {}
    try:
        named, plain = [_unique("[class]") for _ in range(4)], _unique("no class")
        for subject in (*named, plain):
            assert post.send("bob", "ann", subject=subject)[0] == 250
        for subject in named:
            assert post.arrived("ann", subject, folder="class")
        assert post.arrived("ann", plain)
        assert all("[class]" not in one for one in post.read("ann")["messages"])
        assert "unknown command" in post.sift("ann", "nonsense;")["refused"]
    finally:
        post.sift("ann", "keep;")


@pytest.mark.read_only
def test_a_full_mailbox_takes_no_more(cluster: LabCluster, post: Post) -> None:
    """Its sender is told so at once: nothing waits in a queue. Each node knows its size, by an index of its own."""
    big, account = 700 * 1024, f"bob@{cluster.spec.domain}"
    doveadm = "doveadm -c /etc/lab/dovecot.conf"

    def used() -> set[str]:
        """Messages in the mailbox, as each node counts them."""
        asked = f"{doveadm} -f tab quota get -u {account} | grep MESSAGE | cut -f 3"
        return {cluster.run(node.name, asked).stdout.strip() for node in cluster.plan.role("mail")}

    def said() -> int:
        return post.send("ann", "bob", more=big, subject=_unique("large"))[0]

    cluster.until("a full mailbox", 60, said, lambda code: code == 552)
    assert post.send("ann", "ann")[0] == 250
    (count,) = used()
    assert int(count) > 0
    cluster.run(cluster.plan.role("mail")[0].name, f"{doveadm} expunge -u {account} mailbox INBOX all")
    assert used() == {"0"}
    assert said() == 250


@pytest.mark.nightly("twenty seconds; at every change the limit is read from what is rendered (test_golden.py)")
def test_who_sends_too_much_is_told_to_wait(cluster: LabCluster, post: Post) -> None:
    few = cluster.options(Mail).model_copy(update={"rate": 2})
    with cluster.changed(cluster.spec.model_copy(update={"mail": few})):
        codes = [post.send("ann", "ann")[0] for _ in range(3 * len(cluster.plan.role("mail")) + 1)]
        assert 450 in codes, codes
        assert 250 in codes, codes


@pytest.mark.read_only
def test_a_password_is_changed_and_an_account_goes(cluster: LabCluster, post: Post) -> None:
    mail.add(cluster.backend, "guest", PASSWORD)
    with pytest.raises(SpecError, match="already exists"):
        mail.add(cluster.backend, "guest", PASSWORD)
    assert post.send("guest", "ann")[0] == 250
    mail.passwd(cluster.backend, "guest", "another horse")
    cluster.until("the old password to be refused", 10, lambda: post.send("guest", "ann")[0], lambda code: code == 535)
    assert post.send("guest", "ann", password="another horse")[0] == 250  # noqa: S106
    mail.remove(cluster.backend, "guest")
    cluster.until("the account to be gone", 10, lambda: post.send("ann", "guest")[0], lambda code: code == 550)


@pytest.mark.read_only
def test_an_account_that_could_not_work_is_refused(cluster: LabCluster, post: Post) -> None:
    """A quota that the volume has no room for, and the cluster's own accounts; nothing is changed, exit code 2."""
    del post
    before = mail.accounts(cluster.backend)
    for attempt, said in (
        (partial(mail.add, cluster.backend, "guest", PASSWORD, quota=1 << 40), "more than the volume holds"),
        (partial(mail.add, cluster.backend, "guest", PASSWORD, aliases=["postmaster"]), "already exists"),
        (partial(mail.add, cluster.backend, "guest", PASSWORD, aliases=["abuse"]), "already exists"),
        (partial(mail.passwd, cluster.backend, "ann", "x" * 73), "73 bytes"),
        (partial(mail.passwd, cluster.backend, "guestbook", PASSWORD), "the cluster's own"),
        (partial(mail.remove, cluster.backend, "evidence"), "the cluster's own"),
        (partial(mail.remove, cluster.backend, "postmaster"), "the cluster's own"),
    ):
        with pytest.raises(SpecError, match=said) as refused:
            attempt()
        assert refused.value.exit_code == 2
    assert mail.accounts(cluster.backend) == before


def test_the_guest_book_tells_of_a_post(cluster: LabCluster, post: Post) -> None:
    """Its visitor's words are in the body; no line of them becomes a header."""
    cluster.require("web", 1)
    web = cluster.options(Web)
    told = cluster.spec.model_copy(update={"web": web.model_copy(update={"notify": "ann"})})
    with contextlib.nullcontext() if web.notify == "ann" else cluster.changed(told):
        mark = uuid.uuid4().hex
        kept = json.loads(
            cluster.ask(
                "/api/posts", "--data-urlencode", f"author=eve\nBcc: bob@{post.domain}", "-d", f"message={mark}"
            )
        )
        found = message_from_string(post.arrived("ann", "A post in the guest book"))
        assert found["Message-ID"] == f"<{kept['id']}@{post.domain}>"
        assert found["Bcc"] is None
        assert mark in found.get_payload()
        assert all(mark not in one for one in post.read("bob")["messages"])


@pytest.mark.read_only
def test_a_messages_way_is_shown(cluster: LabCluster, post: Post) -> None:
    mark = f"{uuid.uuid4().hex}@{post.domain}"
    text = f"From: {post.address('ann')}\nMessage-ID: <{mark}>\nSubject: traced\n\nHello.\n"
    assert post.send("ann", "ann", message=text)[0] == 250
    cluster.until(
        "its way to the mailbox",
        30,
        lambda: mail.trace(cluster.backend, mark),
        lambda lines: any("status=sent" in line for line in lines) and any("sasl_username" in line for line in lines),
    )
    assert mail.trace(cluster.backend, "never-sent@example.org") == []


def test_the_domains_names_are_served_whoever_holds_the_vip(cluster: LabCluster, post: Post, faults: Faults) -> None:
    cluster.require("tcp-lb", 2)

    def exchanger() -> str:
        return cluster.run("client", f"dig +short +time=1 +tries=1 MX {post.domain}").stdout.strip()

    assert exchanger() == f"10 mail.{post.domain}."
    assert cluster.run("client", f"getent hosts mail.{post.domain}").stdout.split()[0] == cluster.plan.vip
    assert cluster.run("client", "dig +short example.org").stdout == "", "nothing is asked outside"
    with faults.kill("vip-holder"):
        cluster.until("the names again", 10, exchanger)


@pytest.mark.nightly(
    "twenty seconds: mail nodes are killed under a ledger at every change, and that a dead node leaves the pools of the"
    " TCP balancers is tried with the HTTP balancers"
)
def test_sending_and_reading_go_on_without_a_node(
    cluster: LabCluster, post: Post, faults: Faults, rounds: Rounds
) -> None:
    first, *_ = cluster.require("mail", 2)
    cluster.require("tcp-lb", 1)
    cluster.until(
        "both to be read from", 30, lambda: {post.read("ann").get("node") for _ in range(4)}, lambda got: len(got) > 1
    )
    balancers = [node.name for node in cluster.plan.role("tcp-lb")]
    for round_ in rounds("http-lb-leaves"):  # what is behind a TCP balancer is watched alike, mail too
        with round_, faults.kill(first) as killed:
            round_.watch(
                "http-lb-leaves",
                killed.bitten or killed.begun,
                f"the balancers to leave {first} out",
                lambda: [cluster.pool(name, "imaps") for name in balancers],
                lambda pools: all(first not in pool for pool in pools),
            )
            for _ in range(4):
                subject = _unique("meanwhile")
                assert post.send("ann", "ann", subject=subject)[0] == 250
                assert post.arrived("ann", subject)


@pytest.mark.nightly(
    "one moment of a node's death, of a tenth of a second; mail nodes are killed under a ledger at every change"
)
def test_a_lock_that_a_dead_node_had_not_signed_is_nobodys(cluster: LabCluster, post: Post, faults: Faults) -> None:
    """Killed between making a lock and writing its name into it; for Dovecot it would be there for two minutes."""
    first, *_ = cluster.require("mail", 2)
    subject = _unique("before the lock")
    assert post.send("ann", "ann", subject=subject)[0] == 250
    assert post.arrived("ann", subject)
    mailbox = f"/srv/mail/accounts/{post.domain}/ann/Maildir"
    assert cluster.run(first, f"touch {mailbox}/new/1.M1P1.{first} && touch {mailbox}/dovecot-uidlist.lock").ok
    with faults.kill(first):
        assert post.arrived("ann", subject)
    cluster.run("mail2", f"rm -f {mailbox}/*/1.M1P1.{first}*")


@pytest.mark.parametrize(
    "kills", [2, pytest.param(6, marks=pytest.mark.nightly("half a minute to a minute each: two at every change"))]
)
def test_what_was_accepted_arrives_once_though_nodes_are_killed(
    cluster: LabCluster, post: Post, ledger: Callable[..., Ledger], kills: int
) -> None:
    del post
    names = cluster.require("mail", 2)
    chance = random.Random(6)
    with ledger("mail", RATE) as book:
        for _ in range(kills):
            book.more(chance.randint(1, SOME))
            node = chance.choice(names)
            cluster.backend.kill(node)
            book.more(SOME)
            cluster.backend.start(node)
            ready = partial(cluster.run, node, "/usr/lib/lab/ready")
            cluster.until(f"{node} to be back", 60, ready, lambda done: done.ok)
        book.more(SOME)
    _holds(book)


@pytest.mark.nightly(
    "half a minute: mail's own nodes are killed in 'make test', and so are the others' in their own suites"
)
def test_mail_goes_on_while_the_database_and_storage_lose_a_node(
    cluster: LabCluster, post: Post, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    del post
    cluster.require("mysql", 3)
    cluster.require("storage", 3)
    with ledger("mail", RATE) as book:
        book.more(SOME)
        with faults.kill("primary"):
            book.more(SOME)
        with faults.kill("storage2"):
            book.more(SOME)
        book.more(SOME)
    _holds(book)
