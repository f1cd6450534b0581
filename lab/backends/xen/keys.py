"""A cluster's own keys for its domains: made once, kept with its other secrets, valid on its own network alone."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab import paths, private

if TYPE_CHECKING:
    from pathlib import Path

ALIAS = "lab-node"
"""The name under which all domains of a cluster are known hosts: they share one host key."""

_MAKING = threading.Lock()


@dataclass(frozen=True)
class Keys:
    """Where they lie: the lab's own key, what a domain is given, and the known hosts."""

    identity: Path
    authorized: Path
    host: Path
    known_hosts: Path


def keys(cluster: str) -> Keys:
    """The keys of a cluster; those that are missing are made now."""
    with _MAKING:  # nodes are made in parallel, and one set of keys is right
        return _ensured(paths.secrets(cluster, make=True))


def _ensured(folder: Path) -> Keys:
    key_files = Keys(*(folder / f"xen-{name}" for name in ("identity", "authorized", "host", "known-hosts")))
    if not key_files.known_hosts.is_file():
        own, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        private.write(key_files.identity, openssh(own))
        private.write(key_files.authorized, public(own) + b"\n")
        private.write(key_files.host, _dropbear(host))
        private.write(key_files.known_hosts, f"{ALIAS} ".encode() + public(host) + b"\n")
    return key_files


def openssh(key: Ed25519PrivateKey) -> bytes:
    """A private key as OpenSSH keeps it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def public(key: Ed25519PrivateKey) -> bytes:
    """A public key as OpenSSH writes it, on one line."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def _dropbear(key: Ed25519PrivateKey) -> bytes:
    """A host key as dropbear keeps it: the type, then the private and the public half (its signkey.c, ed25519.c)."""
    halves = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    halves += key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kind = b"ssh-ed25519"
    return struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(halves)) + halves
