"""The cluster's CA and its leaf certificates (RFC 5280); name constraints limit the CA to its cluster.

Lifetimes: a leaf has 365 days. Mozilla's intermediate configuration of TLS allows 366, Apple's systems 825 (support
article 103769). Their key is EC P-256, which HAProxy, Postfix, Dovecot, MariaDB and GlusterFS all support.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.lifecycle.fingerprints import BEGIN, END

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=30)
"""A leaf that ends sooner is issued again by the next `up`."""

EARLIER = timedelta(days=1)
"""A certificate is valid from so long ago: a node's clock may be slow."""

ORGANIZATION = "www cluster lab"
_USES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate and its key, both PEM."""

    certificate: str
    key: str

    @cached_property
    def parsed(self) -> x509.Certificate:
        """Its certificate."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    def whole(self) -> bool:
        """Whether both can be parsed."""
        try:
            load_pem_private_key(self.key.encode(), None)
        except (ValueError, TypeError):
            return False
        return BEGIN in self.certificate and END in self.certificate and self._readable()

    def _readable(self) -> bool:
        try:
            return bool(self.parsed)
        except ValueError:
            return False

    @property
    def worry(self) -> str:
        """Why it should be replaced; empty if it is valid."""
        ends = self.parsed.not_valid_after_utc
        if _constraints(self.parsed) is None:
            return f"was made by an earlier version, and can speak for any name until {ends:%Y}"
        return f"ends on {ends:%Y-%m-%d}" if ends - datetime.now(UTC) < LEAF_LIFE else ""

    def allows(self, names: Sequence[str]) -> bool:
        """Whether its name constraints permit these DNS names and addresses (RFC 5280, 4.2.1.10)."""
        constraints = _constraints(self.parsed)
        if constraints is None:
            return True
        permitted = constraints.permitted_subtrees or []
        domains = [each.value for each in permitted if isinstance(each, x509.DNSName)]
        networks = [IPv4Network(str(each.value)) for each in permitted if isinstance(each, x509.IPAddress)]
        return all(
            any(address in network for network in networks)
            if (address := _address(name))
            else any(name == domain or name.endswith(f".{domain}") for domain in domains)
            for name in names
        )

    def issued(self, names: Sequence[str], common_name: str) -> str:
        """A new key with its certificate, PEM, for DNS names and addresses.

        Args:
            names: the subject alternative names.
            common_name: the subject, by which GlusterFS and Galera identify the peer.
        """
        now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
        signer = load_pem_private_key(self.key.encode(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101  all that were ever made are
        built = (
            _draft(_subject(common_name), self.parsed.subject, key, now, self._until(now))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(leaf=True), critical=True)
            .add_extension(_USES, critical=False)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    self.parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
                ),
                critical=False,
            )
        )
        return _pem(key) + built.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def _until(self, now: datetime) -> datetime:
        return min(now - EARLIER + LEAF_LIFE, self.parsed.not_valid_after_utc)

    def serves(self, leaf: str, names: Sequence[str], common_name: str) -> bool:
        """Whether a leaf is of this CA, for exactly these names, and not about to expire."""
        try:
            held = x509.load_pem_x509_certificate(leaf[leaf.index(BEGIN) :].encode())
            held.verify_directly_issued_by(self.parsed)
            alternative = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:  # noqa: BLE001  a certificate that cannot be verified is not this CA's
            return False
        begins, ends = held.not_valid_before_utc, held.not_valid_after_utc
        enough = ends - datetime.now(UTC) > RENEWED_BEFORE or ends >= self.parsed.not_valid_after_utc
        same = held.subject == _subject(common_name) and list(alternative) == [*map(_general, names)]
        return same and enough and ends - begins <= LEAF_LIFE


def authority(cluster: str, domains: Sequence[str], networks: Sequence[IPv4Network]) -> Authority:
    """A new CA, constrained to these domains with their subdomains, and to these networks.

    IPv6 addresses are in none of them, so they are excluded; usages other than TLS server and client, such as signing
    of mail or code, are excluded by the CA's extended key usage.
    """
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    permitted = [*map(x509.DNSName, domains), *map(x509.IPAddress, networks)]
    # The name has the time of creation: a client that trusts an older CA of this cluster can tell them apart.
    name = _subject(f"{cluster} {now:%Y-%m-%d %H:%M:%S}")
    built = (
        _draft(name, name, key, now, now - EARLIER + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(leaf=False), critical=True)
        .add_extension(_USES, critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return Authority(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(), _pem(key))


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )


def _constraints(certificate: x509.Certificate) -> x509.NameConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _address(name: str) -> IPv4Address | None:
    try:
        return IPv4Address(name)
    except ValueError:
        return None


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.IPAddress(address) if address else x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
