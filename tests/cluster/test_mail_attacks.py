"""Mail, from somebody who may not: each case is tried with its siblings, over every door that there is."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from email import message_from_string
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.mail_client import PASSWORD, correspondents
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from lab.testing import LabCluster
    from tests.cluster.mail_client import Post
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

DIALOG = "/root/smtp_dialog.py"
STRANGER = "stranger@example.org"
CLAIMED = "203.0.113.7"  # of TEST-NET-3 (RFC 5737): nobody's
SMTP = 25
ENDS = {
    "LF . LF": "\n.\n",
    "LF . CR LF": "\n.\r\n",
    "CR LF . LF": "\r\n.\n",
    "CR . CR": "\r.\r",
    "CR . CR LF": "\r.\r\n",
    "CR LF . CR": "\r\n.\r",
    "LF . CR": "\n.\r",
}


@pytest.fixture
def post(cluster: LabCluster) -> Post:
    return correspondents(cluster)


def _unique(what: str) -> str:
    return f"{what} {uuid.uuid4().hex[:8]}"


def _dialog(cluster: LabCluster, host: str, port: int, steps: list[str], **more: Any) -> list[list[str]]:
    """The answers to the greeting and to each step; the greeting alone where the server closes."""
    return _dialogs(cluster, host, port, [steps], **more)[0]


def _dialogs(cluster: LabCluster, host: str, port: int, each: list[list[str]], **more: Any) -> list[list[list[str]]]:
    """The same of several dialogs at once."""
    script = Path(__file__).with_name("smtp_dialog.py")
    cluster.backend.put("client", {DIALOG: (script.read_bytes(), 0o644)})
    told = json.dumps([{"host": host, "port": port, "steps": steps} | more for steps in each])
    done = cluster.backend.run("client", ["python3", DIALOG, told], seconds=120)
    assert done.ok, done.last_line
    return list(json.loads(done.stdout))


def _subjects(post: Post, user: str) -> str:
    return "\n".join(post.read(user)["messages"])


@pytest.mark.parametrize("port", [25, 465, 587])
@pytest.mark.read_only
def test_nobody_but_a_balancer_says_whom_it_speaks_for(cluster: LabCluster, post: Post, port: int) -> None:
    """From whoever else, the PROXY protocol is a line that SMTP or TLS does not know, said before the greeting."""
    for node in cluster.plan.role("mail"):
        mark = _unique("claimed")
        envelope = [f"MAIL FROM:<{STRANGER}>\r\n", f"RCPT TO:<{post.address('ann')}>\r\n", "DATA\r\n"]
        steps = ["EHLO x\r\n", *envelope, f"Subject: {mark}\r\n\r\nHello.\r\n.\r\n"]
        proxy = f"PROXY TCP4 {CLAIMED} {node.address} 1 {port}"
        heard = _dialog(cluster, node.address, port, steps, proxy=proxy)
        assert all(CLAIMED not in line for answer in heard for line in answer), heard
        taken = any("queued" in line for answer in heard for line in answer)
        if port == SMTP and taken:  # its line came after the greeting: anybody may send to ann, under their own address
            assert CLAIMED not in post.arrived("ann", mark)
        else:
            assert not taken, heard


def _from_a_stranger(post: Post, what: str, author: str) -> str:
    """What ann gets of a message that is sent without a login, with an author of the sender's choice."""
    mark = _unique(what)
    text = f"From: {author}\nTo: {post.address('ann')}\nSubject: {mark}\n\nHello.\n"
    got = post.send("", "ann", port=SMTP, user="", sender=STRANGER, message=text)
    assert got[0] == 250, got
    return post.arrived("ann", mark)


@pytest.mark.read_only
def test_a_client_is_known_by_its_address_alone(post: Post) -> None:
    """A question for its name would leave the cluster, and each greeting would wait where no DNS server answers."""
    got = message_from_string(_from_a_stranger(post, "by its address", STRANGER))
    received = got.get_all("Received") or []
    assert any("(unknown [" in line for line in received), received


@pytest.mark.read_only
def test_what_a_stranger_writes_in_our_name_is_not_signed(post: Post) -> None:
    """The envelope's sender is refused; a From alone gets no signature, from whichever node it comes."""
    assert "DKIM-Signature" not in _from_a_stranger(post, "in bob's name", post.address("bob"))


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.read_only
def test_a_second_message_is_not_smuggled_in_the_first(cluster: LabCluster, post: Post, login: bool) -> None:  # noqa: FBT001
    """Nothing but CR LF . CR LF ends a message (SMTP smuggling, CVE-2023-51764)."""
    sender = post.address("bob") if login else STRANGER
    to, second = post.address("ann"), {case: _unique(f"smuggled {number}") for number, case in enumerate(ENDS)}
    who = {"login": [sender, PASSWORD]} if login else {}

    envelope = [f"MAIL FROM:<{sender}>\r\n", f"RCPT TO:<{to}>\r\n", "DATA\r\n"]
    said = {
        case: ["EHLO x\r\n", *envelope, f"From: {sender}\r\nSubject: {_unique('first')}\r\n\r\nHello.{end}"]
        for case, end in ENDS.items()
    }
    for case, steps in said.items():
        steps[-1] += f"{''.join(envelope)}From: {sender}\r\nSubject: {second[case]}\r\n\r\nHa.\r\n.\r\n"
        steps.append("QUIT\r\n")
    answers = _dialogs(cluster, post.door, 587 if login else 25, list(said.values()), **who)
    for (case, steps), heard in zip(said.items(), answers, strict=True):
        data = heard[steps.index("DATA\r\n") + (2 if login else 1)]
        assert data[0].startswith("354"), (case, heard)
        taken = [line for answer in heard for line in answer if "queued as" in line]
        assert len(taken) <= 1, (case, heard)
        if "\n" in ENDS[case].replace("\r\n", ""):
            assert not taken, f"a line that ends with LF alone was accepted: {heard}"
    heads = _heads(post, "ann")
    assert [case for case in ENDS if f"Subject: {second[case]}" in heads] == []


def _heads(post: Post, user: str) -> str:
    """The headers alone: what was smuggled may well be a part of the first one's text."""
    return "\n".join(one.partition("\r\n\r\n")[0] for one in post.read(user)["messages"])


@pytest.mark.read_only
def test_who_speaks_before_the_server_is_refused(cluster: LabCluster, post: Post) -> None:
    mark = _unique("too early")
    lines = [
        "EHLO x",
        f"MAIL FROM:<{STRANGER}>",
        f"RCPT TO:<{post.address('ann')}>",
        "DATA",
        f"Subject: {mark}",
        "",
        ".",
    ]
    heard = _dialog(cluster, post.door, 25, ["\r\n".join(lines) + "\r\n"])
    assert any("synchronization" in line for answer in heard for line in answer), heard
    assert mark not in _subjects(post, "ann")


OTHERS = [
    "From: root@{domain}",
    "From: bob@{domain}",
    "From: Ann <bob@{domain}>",
    'From: "ann@{domain}" <bob@{domain}>',
    "From: bob@{domain} <ann@{domain}>",
    "From: ann@{domain}, bob@{domain}",
    "From: bob@{domain}, ann@{domain}",
    "From: <ann@{domain}> <bob@{domain}>",
    "From: friends: ann@{domain}, bob@{domain};",
    "From: (<ann@{domain}>) bob@{domain}",
    'From: "<ann@{domain}>" bob@{domain}',
    "From: ann@{domain}\nFrom: bob@{domain}",
    "From: bob@{domain}\nFrom: ann@{domain}",
    "From: ann@{domain}\nfrom: bob@{domain}",
    "From: ann@{domain}\nFROM : bob@{domain}",
    "From: someone@example.org",
    "From: Ann",
    "From:",
    "From: <@{domain}>",
    'From: "bob@{domain} <ann@{domain}>',
    "From: (bob@{domain} <ann@{domain}>",
    "From: bob@{domain}\nX-Other: x\nFrom: <ann@{domain}",
]


@pytest.mark.read_only
def test_who_has_logged_in_writes_in_no_other_name(post: Post) -> None:
    """An envelope that is right, and a From that another one would see."""
    mark = _unique("another name")
    rest = f"To: {post.address('bob')}\nSubject: {mark}\n\nHello.\n"
    tried = [(written, port) for written in OTHERS for port in (587, 465)]
    told = [{"message": f"{written.format(domain=post.domain)}\n{rest}", "port": port} for written, port in tried]
    for case, got in zip(tried, post.send_each("ann", "ann", *told), strict=True):
        assert got[0] == 550, (case, got)
        assert "From header" in got[1], (case, got)


@pytest.mark.read_only
def test_who_writes_in_no_name_gets_their_own(post: Post) -> None:
    mark = _unique("no From")
    text = f"To: {post.address('ann')}\nSubject: {mark}\n\nHello.\n"
    assert post.send("ann", "ann", message=text)[0] == 250
    assert message_from_string(post.arrived("ann", mark))["From"].endswith(post.address("ann"))


@pytest.mark.parametrize(
    ("sender", "written"),
    [
        ("ann", "ann@{domain}"),
        ("ann", "ANN@{domain}"),
        ("ann", '"Smith, Ann: (the first) @ home" <ann@{domain}>'),
        ("ann", "=?utf-8?Q?=C3=84nn?= <ann@{domain}>"),
        ("ann", "Ann (not <bob@{domain}>)\n <ann@{domain}>"),
        ("info", "info@{domain}"),
        ("ann+lists", "Ann <ann+lists@{domain}>"),
    ],
)
@pytest.mark.read_only
def test_who_has_logged_in_writes_in_their_own_name(post: Post, sender: str, written: str) -> None:
    mark = _unique("own name")
    text = f"From: {written.format(domain=post.domain)}\nTo: {post.address('ann')}\nSubject: {mark}\n\nHello.\n"
    got = post.send("ann", "ann", sender=post.address(sender), message=text)
    assert got[0] == 250, got
    assert "DKIM-Signature" in post.arrived("ann", mark)


@pytest.mark.parametrize("to", ["änn", "ańn", "añn", "ann ", " ann", "böb", "\uff41nn"])
@pytest.mark.read_only
def test_an_address_is_the_one_that_is_written(cluster: LabCluster, post: Post, to: str) -> None:
    """Refused while its sender listens: as UTF-8, as Latin-1 where that has it, and quoted.

    A space outside of quotes is no part of an address for Postfix.
    """
    raw = [to.encode().decode("latin-1")]
    raw += [to] if all(ord(char) < 256 for char in to) else []
    forms = [f"<{one}@{post.domain}>" for one in raw if " " not in one] + [f'<"{one}"@{post.domain}>' for one in raw]
    each = [["EHLO x\r\n", f"MAIL FROM:<{STRANGER}>\r\n", f"RCPT TO:{form}\r\n"] for form in forms]
    for form, heard in zip(forms, _dialogs(cluster, post.door, 25, each), strict=True):
        assert heard[-1][0][0] == "5", (form, heard)


@pytest.mark.read_only
def test_what_dovecot_does_not_speak_is_not_offered(cluster: LabCluster, post: Post) -> None:
    """A message that needs SMTPUTF8 would be accepted and then lost."""
    to = post.address("ann")
    heard = _dialog(cluster, post.door, 25, ["EHLO x\r\n", f"MAIL FROM:<{STRANGER}> SMTPUTF8\r\n"])
    assert heard[-1][0].startswith("555"), heard
    said = _dialog(cluster, post.door, 25, ["EHLO x\r\n", f"MAIL FROM:<{STRANGER}>\r\n", f"RCPT TO:<{to}>\r\n"])
    assert said[-1][0].startswith("250"), said


@pytest.mark.parametrize("to", ["Postmaster", "postmaster@{domain}", "POSTMASTER@{domain}", "abuse@{domain}"])
@pytest.mark.read_only
def test_who_is_responsible_can_be_reached(cluster: LabCluster, post: Post, to: str) -> None:
    """RFC 5321, 4.5.1, and RFC 2142: without a domain, too."""
    mark = _unique("to whom it may concern")
    steps = ["EHLO x\r\n", f"MAIL FROM:<{STRANGER}>\r\n", f"RCPT TO:<{to.format(domain=post.domain)}>\r\n", "DATA\r\n"]
    heard = _dialog(cluster, post.door, 25, [*steps, f"Subject: {mark}\r\n\r\nHello.\r\n.\r\n"])
    assert heard[-1][0].startswith("250"), heard
    node = cluster.plan.role("mail")[0].name
    asked = f"doveadm -c /etc/lab/dovecot.conf search -u postmaster@{post.domain} subject '{mark}'"
    cluster.until(
        "the message of postmaster", 30, partial(cluster.run, node, asked), lambda said: bool(said.stdout.strip())
    )


WEAK = ("aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "RC4:3DES:DES:EXP:LOW:@SECLEVEL=0", "kRSA:@SECLEVEL=0")


@pytest.mark.parametrize(
    ("port", "more"),
    [
        (25, "-starttls smtp"),
        (587, "-starttls smtp"),
        (465, ""),
        (993, ""),
        (143, "-starttls imap"),
        (4190, "-starttls sieve"),
    ],
)
@pytest.mark.read_only
def test_weak_ciphers_are_refused(cluster: LabCluster, post: Post, port: int, more: str) -> None:
    """Without a certificate nobody knows whom he speaks to."""
    where = f"openssl s_client -connect {post.door}:{port} {more} -CAfile /etc/lab/ca.crt"
    limit = cluster.clock.option(20)
    good = cluster.run("client", f"echo | timeout {limit} {where} 2>&1")
    assert "Verify return code: 0" in good.stdout, good.stdout
    weak = f"echo | timeout {limit} {where} -no_tls1_3 -cipher '{{}}' 2>&1 || true"
    with ThreadPoolExecutor(len(WEAK)) as pool:
        for said in pool.map(lambda ciphers: cluster.run("client", weak.format(ciphers)).stdout, WEAK):
            assert "Cipher is (NONE)" in said or "no cipher match" in said.lower(), said


WRONG = 30
QUICK_SECONDS = 2.0


@pytest.mark.read_only
def test_who_guesses_makes_nobody_else_wait(cluster: LabCluster, post: Post) -> None:
    """All share one address behind a published port. Who guesses waits; the others log in as ever, by each protocol."""
    assert post.guess("bob", WRONG) == WRONG
    for what, done in (
        ("IMAP", partial(post.read, "ann")),
        ("submission", partial(post.send, "ann", "ann")),
        ("ManageSieve", partial(post.sift, "ann", "keep;")),
    ):
        begun = cluster.clock.steady()
        answer = done()
        took = cluster.clock.steady() - begun
        assert "refused" not in str(answer), (what, answer)
        assert took < QUICK_SECONDS, f"{what} took {took:.1f} s after {WRONG} wrong passwords from its address"


IDLE = 150


@pytest.mark.parametrize("port", [143, 993, 25])
@pytest.mark.read_only
def test_who_says_nothing_keeps_nobody_else_out(cluster: LabCluster, post: Post, port: int) -> None:
    """Many connections from one address, none of which says a word."""
    holding = (
        f"import socket, time; held = [socket.create_connection(('{post.door}', {port})) for _ in range({IDLE})];"
        " print('held', flush=True); time.sleep(20)"
    )
    assert cluster.run("client", f'nohup python3 -c "{holding}" > /tmp/held 2>&1 & echo $! > /tmp/held.pid').ok
    try:
        cluster.until("the connections to be held", 20, lambda: "held" in cluster.run("client", "cat /tmp/held").stdout)
        assert "messages" in post.read("ann", port=port if port in (143, 993) else 993)
        assert post.send("ann", "ann")[0] == 250
    finally:
        cluster.run("client", "kill $(cat /tmp/held.pid)")
