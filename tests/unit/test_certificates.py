"""Secrets are private, and certificates follow addresses."""

from __future__ import annotations

from ipaddress import IPv4Address

from cryptography import x509

from lab.lifecycle import secrets
from lab.plan import plan
from lab.topology import Cluster, parse
from tests.unit.conftest import FULL, WHOLE


def test_secrets_are_private_and_the_certificate_follows_the_vip(full: Cluster) -> None:
    made = plan(full, "debian")
    first = secrets.ensure(made)
    assert secrets.ensure(made) == first
    for path in secrets.folder("golden").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    other = secrets.ensure(plan(parse(FULL + "vip: 10.90.0.99"), "debian"))
    assert other["ca-certificate"] == first["ca-certificate"]
    assert other["site-certificate"] != first["site-certificate"]


def test_a_nodes_certificate_follows_its_address_and_the_vip() -> None:
    """As where another cluster took the subnet while this one was down: a client knows mail by the VIP's address."""
    here = f"{WHOLE}users: {{}}\n"
    first = secrets.ensure(plan(parse(here), "debian"))
    assert secrets.ensure(plan(parse(here), "debian")) == first
    moved = secrets.ensure(plan(parse(here.replace("10.90.0", "10.90.7")), "debian"))
    changed = {name for name in first if name in moved and first[name] != moved[name]}
    assert changed == {name for name in first if "certificate" in name} - {"ca-certificate"}
    assert {"certificate-mail1", "certificate-mysql1", "site-certificate"} <= changed
    held = x509.load_pem_x509_certificate(
        moved["certificate-mail1"].encode()[moved["certificate-mail1"].index("-----BEGIN CERT") :]
    )
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert IPv4Address("10.90.7.100") in names.get_values_for_type(x509.IPAddress)
