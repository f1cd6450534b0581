"""What of mail needs no daemon: a message's way through logs, what a node finds delivered, what accounts can't be."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.errors import SpecError
from lab.plan import plan
from lab.recipes import families
from lab.services import mail
from lab.topology import parse
from lab_node import delivered
from tests.unit.conftest import WHOLE

if TYPE_CHECKING:
    from pathlib import Path

LOG = """\
postfix | Nov 23 14:21:17 mail1 postfix/smtpd[292]: 4jY7R12g69zCHcL: client=client[10.90.0.81]
postfix | Nov 23 14:21:17 mail1 postfix/cleanup[297]: 4jY7R12g69zCHcL: message-id=<one@www.test>
postfix | Nov 23 14:21:17 mail1 postfix/cleanup[297]: 4jY7R12g69zCHcM: message-id=<two@www.test>
dovecot | Nov 23 14:21:18 lmtp(ann@www.test): Info: sieve: msgid=<one@www.test>: stored mail into mailbox 'INBOX'
postfix | Nov 23 14:21:18 mail1 postfix/lmtp[298]: 4jY7R12g69zCHcM: to=<bob@www.test>, status=deferred
postfix | Nov 23 14:21:18 mail1 postfix/lmtp[298]: 4jY7R12g69zCHcL: to=<ann@www.test>, status=sent
supervisor | 4jY7R12g69zCHcL: is no line of a mail server
""".splitlines()


def test_a_messages_way_is_what_names_it_or_its_queue_id() -> None:
    found = mail.way(LOG, "<one@www.test>")
    assert found == [LOG[0], LOG[1], LOG[3], LOG[5]]
    assert mail.way(LOG, "<three@www.test>") == []


def test_what_waits_for_a_later_try_may_be_in_the_mailbox_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind the delivery, deferred after the boot since Dovecot did not listen yet, and killed again."""
    rows = [
        {"queue_name": name, "queue_id": f"{name}1", "arrival_time": 1000, "recipients": [{"address": "Ann@www.test"}]}
        for name in ("incoming", "active", "deferred", "hold")
    ]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "postqueue").write_text(f"#!/bin/sh\ncat << 'END'\n{lines}\nMail queue is empty\nEND\n")
    (tmp_path / "postqueue").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = delivered.awaited(delivered.queued())
    assert found == {"ann@www.test": {"incoming1": 1000, "active1": 1000, "deferred1": 1000, "hold1": 1000}}


def test_what_is_in_a_mailbox_is_dropped_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered, "MAILBOXES", tmp_path)
    here = os.uname().nodename
    for folder, name, head in (
        ("new", f"1001.M1P1.{here},S=9", "Received: from x\n\tby mail1 (Postfix) with ESMTPSA id AAA111\n"),
        ("cur", f"1002.M1P1.{here},S=9:2,S", "Received: by mail1 (Postfix) id BBB222\n"),
        (".Junk/new", f"1003.M1P1.{here}", "Received: by mail1 (Postfix) id CCC333\n"),
        ("cur", f"1004.M1P1.{here}:2,", "Subject: about id\n\nthe id DDD is not here\n"),
        ("new", f"0900.M1P1.{here},S=9", "Received: by mail1 (Postfix) id EEE555\n"),  # before it was in the queue
        ("new", "1004.M1P1.another-node,S=9", "Received: by another-node (Postfix) id EEE555\n"),
    ):
        place = tmp_path / "www.test/ann/Maildir" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(head)
    ids = dict.fromkeys(["AAA111", "BBB222", "CCC333", "AAA11", "EEE555"], 1000)
    place = delivered.mailbox("ann+list@www.test")
    assert delivered.present(place, ids) - {"AAA11"} == {"AAA111", "BBB222", "CCC333"}
    assert delivered.present(delivered.mailbox("bob@www.test"), ids) == set()
    text = delivered.script({("AAA111", "ann@www.test")})
    assert text.count("discard") == 1
    assert 'header :contains "received" " id AAA111"' in text
    assert "discard" not in delivered.script(set())


def test_only_what_was_about_to_be_delivered_is_looked_for() -> None:
    to = [{"address": "Ann@www.test"}, {"address": "bob@www.test"}]
    rows = [{"queue_id": "A", "arrival_time": 5, "recipients": to}]
    assert delivered.awaited(rows) == {"ann@www.test": {"A": 5}, "bob@www.test": {"A": 5}}


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("ann@example.org", "not in the cluster's domain"),
        ("../ann", "is not a valid account name"),
        ("", "is not a valid account name"),
        ("ann'--", "is not a valid account name"),
        (".ann", "is not a valid account name"),
        ("ann.", "is not a valid account name"),
        ("a..b", "is not a valid account name"),
        ("a+b", "is not a valid account name"),
        ("änn", "is not a valid account name"),
        ("ann\n", "is not a valid account name"),
        ("x" * 65, "is not a valid account name"),
    ],
)
def test_an_account_that_can_not_be_is_refused(user: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        mail.add(MemoryBackend("www"), user, "long enough")
    with pytest.raises(SpecError, match=said):
        mail.add(MemoryBackend("www"), "ann", "long enough", aliases=[user])
    if "@" not in user:
        with pytest.raises(SpecError, match="notify"):
            parse(WHOLE.replace("web: {", f"web: {{notify: {json.dumps(user)}, "))


@pytest.mark.parametrize("aliases", [["info", "info"], ["info", "INFO@www.test"], ["ann"]])
def test_an_address_that_is_given_twice_is_refused(aliases: list[str]) -> None:
    with pytest.raises(SpecError, match="given twice"):
        mail.add(MemoryBackend("www"), "ann", "long enough", aliases=aliases)


@pytest.mark.parametrize("password", ["short", "", "with\ttab in it", "x" * 73, "ä" * 37, "\U0001f40e" * 19])
def test_a_password_that_can_not_be_is_refused(password: str) -> None:
    """Too short to be safe, or longer than what bcrypt takes, in bytes."""
    with pytest.raises(SpecError, match="password"):
        mail.add(MemoryBackend("www"), "ann", password)


@pytest.mark.parametrize("text", ["mail:\nmysql:\n", "mail:\nstorage:\n"])
def test_mail_without_what_it_needs_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="'mail' keeps accounts in 'mysql'"):
        parse(text)


@pytest.mark.parametrize(
    ("sections", "quota", "size"),
    [("backend: xen\n", 4097, 4096), ("backend: xen\nxen: {volume: 600}\n", 601, 600), ("", 4097, 0)],
)
def test_a_quota_that_no_volume_holds_is_refused(sections: str, quota: int, size: int) -> None:
    text = f"{sections}mysql:\nstorage:\nmail: {{quota: QUOTA}}\n"
    if size:
        with pytest.raises(SpecError, match=f"{quota} MiB, more than a volume of 'xen' holds, {size} MiB"):
            parse(text.replace("QUOTA", str(quota)))
        quota = size
    assert parse(text.replace("QUOTA", str(quota))).mail


def test_nothing_leaves_the_lab_unless_it_is_said() -> None:
    def settings(text: str) -> str:
        files = plan(parse(text), "debian").node("mail1").files
        return next(file.text for file in files if file.path == "/etc/postfix/main.cf")

    assert "default_transport = error:" in settings(WHOLE)
    open_to = settings(WHOLE.replace("mail: {count: 2}", "mail: {count: 2, relayhost: '[mx.example.org]:587'}"))
    assert "default_transport" not in open_to
    assert "relayhost = [mx.example.org]:587" in open_to


@pytest.mark.parametrize("family", families())
def test_no_port_of_postfix_is_a_name(family: str) -> None:
    """Postfix 3.5, CentOS Stream 9's, looks it up in /etc/services, where 'submissions' is missing there."""
    node = plan(parse(WHOLE), family).node("mail1")
    (text,) = [file.text for file in node.files if file.path == "/etc/postfix/master.cf"]
    ports = [line.split()[0] for line in text.splitlines() if line.split()[1:2] == ["inet"]]
    assert ports
    assert all(port.rpartition(":")[2].isdigit() for port in ports), ports
