"""Nobody speaks to the database in the clear but by its socket, and its clients speak to nobody else's database."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.mail_client import PASSWORD, correspondents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Result
    from lab.testing import LabCluster

AUTHORITY = "/run/lab/ca.crt"
MADE = "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj '/CN=another CA' -days 2"


def _client(cluster: LabCluster, options: str, statement: str = "SELECT 1") -> Result:
    host = cluster.plan.vip or cluster.plan.role("mysql")[0].address
    return cluster.run("client", f'mariadb --host={host} {options} -N -e "{statement}"')


@pytest.mark.read_only
def test_no_account_is_let_in_without_tls(cluster: LabCluster) -> None:
    """The lab's own, and one that somebody made without a word of it."""
    cluster.require("mysql", 1)
    node = cluster.plan.role("mysql")[0].name
    select = "SELECT CONCAT(user, ' ', ssl_type) FROM mysql.user WHERE host <> 'localhost'"
    for member in cluster.plan.role("mysql"):
        rows = cluster.run(member.name, f'mariadb -N -e "{select}"').stdout.splitlines()
        assert {"evidence ANY", "guestbook ANY", "mail ANY", "monitor ANY", "replication ANY"} <= set(rows), rows
        assert all(row.endswith(" ANY") for row in rows), rows
    made = "CREATE OR REPLACE USER tls_probe@'%' IDENTIFIED BY 'open sesame'"
    assert cluster.run(node, f'mariadb -e "SET sql_log_bin = 0; {made}"').ok
    try:
        password = {"evidence": "$(cat /etc/lab/passwords/evidence)", "tls_probe": "open sesame"}
        for user, word in password.items():
            for port in [3306, 3307] if cluster.plan.vip and user == "evidence" else [3306]:
                clear = _client(cluster, f'--port={port} --skip-ssl --user={user} --password="{word}"')
                assert not clear.ok, f"{user} was let in at {port}"
                assert "insecure transport" in clear.last_line or "Access denied" in clear.last_line, clear.last_line
        tls = _client(
            cluster,
            f'--ssl-ca=/etc/lab/ca.crt --ssl-verify-server-cert --user=evidence --password="{password["evidence"]}"',
        )
        assert tls.ok, tls.last_line
    finally:
        cluster.run(node, "mariadb -e \"SET sql_log_bin = 0; DROP USER IF EXISTS tls_probe@'%'\"")
    assert cluster.run(node, "mariadb --skip-ssl -e 'SELECT 1'").ok, "the socket is as it was"


@contextmanager
def _another_authority(cluster: LabCluster, node: str) -> Iterator[None]:
    """What a node trusts is the certificate of a CA that nobody has."""
    assert cluster.run(node, f"cp {AUTHORITY} /root/ca.crt && {MADE} -out {AUTHORITY} 2> /dev/null").ok
    try:
        yield
    finally:
        cluster.run(node, f"install -m 0444 /root/ca.crt {AUTHORITY}")


@pytest.mark.read_only
def test_the_mail_servers_ask_no_database_but_the_clusters(cluster: LabCluster) -> None:
    """By its CA and by its name; Postfix' and Dovecot's libraries take any certificate unless they are told."""
    post = correspondents(cluster)
    node, ann = cluster.plan.role("mail")[0].name, post.address("ann")
    table, other = "/run/lab/postfix/accounts.cf", "/root/elsewhere.cf"
    asked = f"postmap -q {ann} mysql:{table}"
    login = f"doveadm -c /etc/lab/dovecot.conf auth test {ann} '{PASSWORD}'"
    assert cluster.run(node, asked).stdout.strip() == ann
    assert cluster.run(node, login).ok
    host = cluster.plan.vip or cluster.plan.role("mysql")[0].address
    renamed = f"sed 's/{host}/elsewhere.test/g' {table} > {other} && echo {host} elsewhere.test >> /etc/hosts"
    assert cluster.run(node, renamed).ok
    try:
        said = cluster.run(node, f"postmap -q {ann} mysql:{other}")
        assert ann not in said.stdout, said
    finally:
        cluster.run(node, f"grep -v elsewhere.test /etc/hosts > /root/hosts; cat /root/hosts > /etc/hosts; rm {other}")
    with _another_authority(cluster, node):
        assert ann not in cluster.run(node, asked).stdout
        assert cluster.run(node, "doveadm -c /etc/lab/dovecot.conf reload").ok
        cluster.until("logins to fail", 20, partial(cluster.run, node, login), lambda done: not done.ok)
    assert cluster.run(node, "doveadm -c /etc/lab/dovecot.conf reload").ok
    cluster.until("logins again", 20, partial(cluster.run, node, login), lambda done: done.ok)


@pytest.mark.read_only
def test_a_connection_that_broke_is_made_again_by_tls(cluster: LabCluster) -> None:
    """Dovecot's own settings for TLS are heeded at its first connection alone."""
    post = correspondents(cluster)
    ann = post.address("ann")
    asked = f"postmap -q {ann} proxy:mysql:/run/lab/postfix/accounts.cf"
    login = f"doveadm -c /etc/lab/dovecot.conf auth test {ann} '{PASSWORD}'"
    for _ in range(3):
        for member in cluster.plan.role("mysql"):
            assert cluster.run(member.name, "mariadb -e 'KILL CONNECTION USER mail'").ok
        for node in cluster.plan.role("mail"):
            cluster.until(f"logins on {node.name}", 20, partial(cluster.run, node.name, login), lambda done: done.ok)
            found = partial(cluster.run, node.name, asked)
            cluster.until(f"lookups on {node.name}", 20, found, lambda done: done.stdout.strip() == ann)


@pytest.mark.nightly("eleven seconds; at every change the mail servers, which ask in the same way")
@pytest.mark.read_only
def test_the_guest_book_asks_no_database_but_the_clusters(cluster: LabCluster) -> None:
    cluster.require("mysql", 1)
    node = cluster.require("web", 1)[0]
    page = partial(cluster.run, node, "curl -s -o /dev/null -w '%{http_code}' http://localhost/api/posts")
    assert page().stdout == "200"
    with _another_authority(cluster, node):
        assert page().stdout[:1] == "5"
    assert page().stdout == "200"
