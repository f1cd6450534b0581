"""A cluster's secrets: created at its first `up`, in one folder (0700, files 0600), the only state on disk."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from lab import paths, private
from lab.recipes import manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.lifecycle.certificates import Authority
    from lab.plan import Plan

HOST_KEY, HOST_PUBLIC = "ssh-host-key", "ssh-host-public"
DKIM_KEY, DKIM_RECORD = "dkim-key", "dkim-record"
TRUSTED, SITE = "ca-certificate", "site-certificate"
NODE = "certificate-"
"""Before a node's name: the certificate by which it is known to other nodes."""

ABSENT = "(made by the next 'up')"
"""In the place of a secret that is not made yet, or is to be made again."""


@dataclass(frozen=True)
class Leaf:
    """A node's certificate: its subject, and its subject alternative names."""

    common_name: str
    names: tuple[str, ...]


def folder(cluster: str) -> Path:
    """The folder of the secrets."""
    return paths.secrets(cluster)


def ensure(plan: Plan, warn: Callable[[str], object] = lambda _: None) -> dict[str, str]:
    """All secrets that the plan's files name; missing and expiring ones are created.

    Args:
        plan: the cluster.
        warn: receives warnings.
    """
    from lab.lifecycle import authority

    where, leaves = paths.secrets(plan.cluster, make=True), _leaves(plan)
    ca = authority.ensured(where, plan, [name for leaf in leaves.values() for name in leaf.names], warn)
    if ca.worry:
        warn(f"the CA of '{plan.cluster}' {ca.worry}; 'lab renew --ca' replaces it")
    for name, leaf in leaves.items():
        if not _serves(where / name, ca, leaf):
            private.write(where / name, ca.issued(leaf.names, leaf.common_name))
    if {HOST_KEY, HOST_PUBLIC} & set(plan.secrets) and not known(plan.cluster, HOST_KEY):
        _make_host_key(where)
    if {DKIM_KEY, DKIM_RECORD} & set(plan.secrets) and not known(plan.cluster, DKIM_KEY):
        _make_dkim_key(where)
    for name in plan.secrets:
        if name != TRUSTED and not known(plan.cluster, name):
            private.write(where / name, token_urlsafe(18))
    return peek(plan)


def peek(plan: Plan) -> dict[str, str]:
    """As `ensure`, without creating any: `ABSENT` stands for missing ones."""
    from lab.lifecycle import authority

    where, leaves = folder(plan.cluster), _leaves(plan)
    ca = authority.usable(where, [name for leaf in leaves.values() for name in leaf.names])
    values = {name: known(plan.cluster, name) or ABSENT for name in plan.secrets}
    again = {name for name, leaf in leaves.items() if ca is None or not _serves(where / name, ca, leaf)}
    again |= set() if ca else {TRUSTED} & values.keys()
    return values | dict.fromkeys(again, ABSENT)


def known(cluster: str, name: str) -> str | None:
    """A stored secret, or None; also for an empty file."""
    if name == TRUSTED:
        from lab.lifecycle import authority

        return authority.trusted(folder(cluster)) or None
    path = folder(cluster) / name
    return (private.read(path).strip() or None) if path.is_file() else None


def authorities(cluster: str) -> frozenset[str]:
    """The fingerprints of the CAs that the cluster's nodes trust, by the stored files."""
    from lab.lifecycle.fingerprints import known

    return known(folder(cluster))


def expire(cluster: str) -> None:
    """Makes the next `up` issue all certificates again."""
    where = folder(cluster)
    for path in (where / SITE, *where.glob(f"{NODE}*")):
        path.unlink(missing_ok=True)


def forget(cluster: str) -> None:
    """Removes all secrets of a cluster."""
    where = folder(cluster)
    if where.is_dir():
        for path in where.iterdir():
            path.unlink()
        where.rmdir()


def _leaves(plan: Plan) -> dict[str, Leaf]:
    """The certificates that the plan's files name."""
    domain, shared = f"{plan.cluster}.test", [plan.vip] if plan.vip else []
    hosts = [name for host in plan.hosts for name in host.names]
    own = (f"www.{domain}", "localhost", "127.0.0.1", *(shared or [plan.entry]), *hosts)
    leaves = {SITE: Leaf(f"www.{domain}", own)}
    for node in plan.nodes:
        # A node may also have the name and address of its whole role.
        known = manifest(node.role).own.certificate
        more = [] if known is None else [*(name.format(domain=domain) for name in known), *shared, "localhost"]
        leaves[f"{NODE}{node.name}"] = Leaf(node.name, (f"{node.name}.{domain}", node.address, *more))
    named = set(plan.secrets)
    return {name: leaf for name, leaf in leaves.items() if name in named}


def _serves(path: Path, ca: Authority, leaf: Leaf) -> bool:
    return path.is_file() and ca.serves(private.read(path), leaf.names, leaf.common_name)


def _make_host_key(where: Path) -> None:
    """Creates the shell servers' host key: the public half first, so that the private one marks both as complete."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    private.write(where / HOST_PUBLIC, public.decode())
    private.write(where / HOST_KEY, secret.decode())


def _make_dkim_key(where: Path) -> None:
    """Creates the DKIM key and its DNS record: strings of at most 255 bytes (RFC 6376, 3.6.2.2)."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    record = f"v=DKIM1; k=rsa; p={public}"
    private.write(where / DKIM_RECORD, ",".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200)))
    private.write(where / DKIM_KEY, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
