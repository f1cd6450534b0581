"""A cluster's secrets: created at its first `up`, in one folder (0700, files 0600), the only state on disk."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from lab import paths, private
from lab.recipes import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lab.lifecycle.certificates import Authority
    from lab.plan import Plan

HOST_KEY, HOST_PUBLIC = "ssh-host-key", "ssh-host-public"
DKIM_KEY, DKIM_RECORD = "dkim-key", "dkim-record"
PUBLIC = {HOST_KEY: HOST_PUBLIC, DKIM_KEY: DKIM_RECORD}
"""The public half of each private key, which follows from it."""
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


def ensure(
    plan: Plan, warn: Callable[[str], object] = lambda _: None, restored: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All secrets that the plan's files name; missing and expiring ones are created.

    Args:
        plan: the cluster.
        warn: receives warnings.
        restored: missing ones that the cluster has; they are stored again.
    """
    from lab.lifecycle import authority

    where, leaves = paths.secrets(plan.cluster, make=True), _leaves(plan)
    for name, value in (restored or {}).items():
        private.write(where / name, value)
        warn(f"the secret '{name}' was missing in {where}: it was read from a node of '{plan.cluster}'")
    ca = authority.ensured(where, plan, [name for leaf in leaves.values() for name in leaf.names], warn)
    if ca.worry:
        warn(f"the CA of '{plan.cluster}' {ca.worry}; 'lab renew --ca' replaces it")
    for name, leaf in leaves.items():
        if not _serves(where / name, ca, leaf):
            private.write(where / name, ca.issued(leaf.names, leaf.common_name))
    for key, public in PUBLIC.items():
        if {key, public} & set(plan.secrets):
            _ensure_pair(where, key, public)
    for name in plan.secrets:
        if name != TRUSTED and not known(plan.cluster, name):
            private.write(where / name, token_urlsafe(18))
    return peek(plan)


def lasting(plan: Plan) -> list[str]:
    """The names of the plan's secrets that are made once: all but certificates, which are issued again."""
    return [name for name in plan.secrets if name not in (TRUSTED, SITE) and not name.startswith(NODE)]


def missing(plan: Plan) -> list[str]:
    """Those that are not stored; a public half follows from its private key."""
    names = lasting(plan)
    follow = {public for key, public in PUBLIC.items() if key in names}
    return [name for name in names if name not in follow and not known(plan.cluster, name)]


def peek(plan: Plan, restored: Mapping[str, str] | None = None) -> dict[str, str]:
    """As `ensure`, without creating or storing any: `ABSENT` stands for those that are to be made."""
    from lab.lifecycle import authority

    where, leaves = folder(plan.cluster), _leaves(plan)
    ca = authority.usable(where, [name for leaf in leaves.values() for name in leaf.names])
    values = {name: known(plan.cluster, name) or ABSENT for name in plan.secrets} | dict(restored or {})
    for key, public in PUBLIC.items():
        if values.get(public) == ABSENT and values.get(key, ABSENT) != ABSENT:
            values[public] = _public_half(where / key, values[key])
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


def _ensure_pair(where: Path, key: str, public: str) -> None:
    """Creates a private key where there is none, and its public half where it is missing or was another's."""
    path = where / key
    whole = private.read(path).strip() if path.is_file() else ""
    if not whole:
        whole = _KEYS[key]()
        private.write(path, whole)
    half = _public_half(path, whole)
    if not (where / public).is_file() or private.read(where / public).strip() != half:
        private.write(where / public, half)


def _public_half(path: Path, key: str) -> str:
    """The public half of a private key.

    Raises:
        HostError: the key, which is stored at `path`, is damaged.
    """
    try:
        return _PUBLIC_HALVES[path.name](key)
    except ValueError:
        raise private.damaged(path) from None


def _host_key() -> str:
    """A new host key of the shell servers."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _host_public(key: str) -> str:
    """Its public half, as OpenSSH writes it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

    public = load_ssh_private_key(f"{key.strip()}\n".encode(), None).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _dkim_key() -> str:
    """A new DKIM key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@lru_cache(maxsize=4)  # an RSA key is checked as it is loaded: 30 ms, and one `up` asks four times
def _dkim_record(key: str) -> str:
    """Its DNS record: strings of at most 255 bytes (RFC 6376, 3.6.2.2)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    whole = load_pem_private_key(f"{key.strip()}\n".encode(), None).public_key()
    public = b64encode(whole.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    record = f"v=DKIM1; k=rsa; p={public}"
    return ",".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))


_KEYS = {HOST_KEY: _host_key, DKIM_KEY: _dkim_key}
_PUBLIC_HALVES: dict[str, Callable[[str], str]] = {HOST_KEY: _host_public, DKIM_KEY: _dkim_record}
