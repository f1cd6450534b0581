"""The certificates of the CAs that a cluster trusts, as texts of PEM, and by what each is known.

Without the library that issues certificates: who owns a cluster is asked by each verb, and most issue none.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING

from lab import private

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

OWN, NEXT, FORMER = "authority", "authority-next", "authority-former"
"""Key and certificate of the issuing CA and of the next one, and the certificate of the former one."""

EARLIER_KEY, EARLIER_CERTIFICATE = "ca-key", "ca-certificate"
"""File names of versions before 0.2."""


def fingerprints(bundle: str) -> frozenset[str]:
    """The SHA-256 of each certificate in a text of PEM, as hexadecimal digits.

    Raises:
        ValueError: one of them is no PEM.
    """
    certificates = [BEGIN + part.partition(END)[0] + END for part in bundle.split(BEGIN)[1:]]
    return frozenset(hashlib.sha256(ssl.PEM_cert_to_DER_cert(each)).hexdigest() for each in certificates)


def known(where: Path) -> frozenset[str]:
    """The fingerprints of all CAs that are trusted, by a cluster's folder of secrets.

    Raises:
        HostError: a file has no certificate, or a damaged one.
    """
    own = OWN if (where / OWN).is_file() or not (where / EARLIER_CERTIFICATE).is_file() else EARLIER_CERTIFICATE
    prints: frozenset[str] = frozenset()
    for path in (where / name for name in (own, NEXT, FORMER)):
        if path.is_file():
            try:
                each = fingerprints(private.read(path))
            except ValueError:
                raise private.damaged(path) from None
            if not each:
                raise private.damaged(path)
            prints |= each
    return prints
