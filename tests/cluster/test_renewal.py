"""Certificates are renewed, and the CA is replaced, while visitors, a database and mail are at work."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.evidence.ledger import Outcome, Verdict
from lab.lifecycle.fingerprints import fingerprints
from lab.lifecycle.renew import renew
from lab.progress import Silent
from lab.services.mysql import members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.evidence import Ledger
    from lab.testing import LabCluster

VISITORS, WRITERS = 40, 8  # a second
SHOWN = "openssl s_client -connect {to} {how} -servername {name} </dev/null 2>/dev/null | openssl x509"


def _ports(cluster: LabCluster) -> dict[str, tuple[str, str]]:
    """Where a certificate is shown, from the client: address and port, and how TLS begins there."""
    found = {}
    for node in cluster.plan.nodes:
        if node.role == "http-lb":
            found[f"site of {node.name}"] = f"{node.address}:443", ""
        if node.role == "mysql":
            found[f"MariaDB of {node.name}"] = f"{node.address}:3306", "-starttls mysql"
    if cluster.plan.role("mail") and cluster.plan.vip:
        found["submission"] = f"{cluster.plan.vip}:587", "-starttls smtp"
        found["IMAPS"] = f"{cluster.plan.vip}:993", ""
    return found


def _shown(cluster: LabCluster) -> dict[str, frozenset[str]]:
    shown = {}
    for what, (to, how) in _ports(cluster).items():
        done = cluster.run("http-lb1", SHOWN.format(to=to, how=how, name=cluster.host))
        shown[what] = fingerprints(done.stdout)
    return shown


def _keepers(cluster: LabCluster) -> dict[str, frozenset[str]]:
    """What the keepers show, to whom shows a certificate too."""
    command = (
        "openssl s_client -connect {}:9105 -cert /etc/lab/mysql.pem -key /etc/lab/mysql.pem </dev/null 2>/dev/null"
    )
    return {
        node.name: fingerprints(cluster.run("mysql1", f"{command.format(node.address)} | openssl x509").stdout)
        for node in cluster.plan.role("mysql")
    }


@pytest.mark.nightly("three minutes; seen with eleven nodes; of eighteen, the mail ledger waited for a queue in vain")
@pytest.mark.parametrize("ca", [False, True], ids=["leaves", "the CA too"])
def test_all_that_show_a_certificate_show_the_new_one_and_no_request_fails(
    cluster: LabCluster, ledger: Callable[..., Ledger], *, ca: bool
) -> None:
    cluster.require("http-lb", 2)
    cluster.require("mail", 2)
    before, trusted = {**_shown(cluster), **_keepers(cluster)}, cluster.backend.get("client", "/etc/lab/ca.crt")
    assert all(before.values()), before
    primary = [member.name for member in members(cluster.backend) if member.serves]
    with cluster.load(VISITORS, keep=False) as visitors, ledger("mysql", WRITERS) as rows, ledger("mail", 2) as letters:
        rows.more(WRITERS)
        renew(cluster.spec, cluster.backend, Silent(), ca=ca)
        visitors.more(VISITORS)
        rows.more(2 * WRITERS)
        letters.more(4)
    after = {**_shown(cluster), **_keepers(cluster)}
    assert {what for what in before if before[what] == after[what] or not after[what]} == set()
    assert (cluster.backend.get("client", "/etc/lab/ca.crt") != trusted) == ca
    assert not visitors.failed
    for book, name in ((rows, "mysql"), (letters, "mail")):
        failed = [one for one in book.operations[name] if one.outcome is not Outcome.ACKNOWLEDGED]
        assert not failed, (name, failed)
        (judgement,) = book.judge()
        assert judgement.verdict is Verdict.HOLDS, judgement
    assert [member.name for member in members(cluster.backend) if member.serves] == primary, "nobody handed over"
    assert cluster.status().ready


def test_a_stranger_with_a_certificate_of_this_ca_is_refused(cluster: LabCluster, tmp_path: Path) -> None:
    """Who stole the CA's key can't speak for a site outside: what trusts the CA refuses it."""
    from lab.lifecycle import authority, secrets

    found = authority.own(secrets.folder(cluster.plan.cluster))
    assert found
    (tmp_path / "ca.pem").write_text(found.certificate, encoding="utf-8")
    for name, good in ((cluster.host, True), ("www.example.com", False)):
        (tmp_path / "leaf.pem").write_text(found.issued([name], name), encoding="utf-8")
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "0", "-cert", "leaf.pem", "-key", "leaf.pem", "-www", "-naccept", "1"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with server:
            assert server.stdout
            port = next(line.rsplit(":", 1)[1].strip() for line in server.stdout if line.startswith("ACCEPT"))
            asked = [
                "curl",
                "-sS",
                "--cacert",
                "ca.pem",
                "--resolve",
                f"{name}:{port}:127.0.0.1",
                f"https://{name}:{port}/",
            ]
            done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
            server.kill()
        assert (done.returncode == 0) == good, done
        assert good or "permitted subtree violation" in done.stderr
