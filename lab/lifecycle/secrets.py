"""A cluster's secrets: made at its first `up`, kept in one folder (0700, files 0600), the only state on disk."""

from __future__ import annotations

import os
import secrets as random
from base64 import b64encode
from typing import TYPE_CHECKING

from lab import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lab.plan import NodePlan, Plan

HOST_KEY, HOST_PUBLIC = "ssh-host-key", "ssh-host-public"
DKIM_KEY, DKIM_RECORD = "dkim-key", "dkim-record"
MADE_BY_CA = ("ca-certificate", "ca-key", "site-certificate")
NODE = "certificate-"
"""Before a node's name: the certificate by which it is known to other nodes."""


def folder(cluster: str) -> Path:
    """Where they are kept."""
    return paths.secrets(cluster)


def ensure(plan: Plan) -> dict[str, str]:
    """All secrets that the plan's files name; those that are missing are made now."""
    where = folder(plan.cluster)
    _ensure_authority(where)
    _ensure_certificate(where, "site-certificate", _names(plan))
    for node in plan.nodes:
        if f"{NODE}{node.name}" in plan.secrets:
            _ensure_certificate(where, f"{NODE}{node.name}", _node_names(plan, node))
    if {HOST_KEY, HOST_PUBLIC} & set(plan.secrets) and not (where / HOST_KEY).is_file():
        _make_host_key(where)
    if {DKIM_KEY, DKIM_RECORD} & set(plan.secrets) and not (where / DKIM_KEY).is_file():
        _make_dkim_key(where)
    return {name: _ensure(where, name) for name in plan.secrets}


def known(cluster: str, name: str) -> str | None:
    """A secret that exists, or None."""
    path = folder(cluster) / name
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def forget(cluster: str) -> None:
    """Removes all secrets of a cluster."""
    where = folder(cluster)
    for path in where.iterdir():
        path.unlink()
    where.rmdir()


def _ensure(where: Path, name: str) -> str:
    path = where / name
    if not path.is_file():
        _write(path, random.token_urlsafe(18))
    return path.read_text(encoding="utf-8").strip()


def _make_host_key(where: Path) -> None:
    """The key by which clients know the shell servers, and its public half: the secret one last, it marks both."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _write(where / HOST_PUBLIC, public.decode())
    _write(where / HOST_KEY, secret.decode())


def _make_dkim_key(where: Path) -> None:
    """The key that signs the cluster's mail, and its DNS record: strings of at most 255 bytes (RFC 6376, 3.6.2.2)."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    record = f"v=DKIM1; k=rsa; p={public}"
    _write(where / DKIM_RECORD, ",".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200)))
    _write(where / DKIM_KEY, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode())


def _node_names(plan: Plan, node: NodePlan) -> list[str]:
    """What a node's certificate is for: itself, and the names and addresses by which all of its role are known."""
    shared = {"mail": [f"mail.{plan.cluster}.test"], "mysql": []}
    if node.role not in shared:
        return [node.name, node.address]
    return [node.name, node.address, *shared[node.role], *([plan.vip] if plan.vip else []), "localhost"]


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _names(plan: Plan) -> list[str]:
    """What the site's certificate is for."""
    return [f"www.{plan.cluster}.test", "localhost", "127.0.0.1", *([plan.vip] if plan.vip else [plan.entry])]


def _ensure_authority(where: Path) -> None:
    """The CA is made once."""
    if (where / "ca-key").is_file():
        return
    import trustme

    ca = trustme.CA(organization_name="www cluster lab")
    _write(where / "ca-certificate", ca.cert_pem.bytes().decode())
    _write(where / "ca-key", ca.private_key_pem.bytes().decode())


def _ensure_certificate(where: Path, name: str, wanted: Sequence[str]) -> None:
    """A certificate is made again when what it is for has changed: a node's address, the VIP."""
    marker = where / f"names-of-{name}"
    names = "\n".join(wanted)
    if (where / name).is_file() and marker.is_file() and marker.read_text(encoding="utf-8") == names:
        return
    _write(where / name, _issued(where, wanted))
    _write(marker, names)


def _issued(where: Path, names: Iterable[str]) -> str:
    """A key with its certificate for these names, by the cluster's own CA."""
    import trustme

    ca = trustme.CA.from_pem((where / "ca-certificate").read_bytes(), (where / "ca-key").read_bytes())
    return ca.issue_cert(*names).private_key_and_cert_chain_pem.bytes().decode()
