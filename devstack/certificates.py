"""Certificates of the embedded stack: an authority nobody else trusts, and a certificate for this machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LASTS = timedelta(days=90)


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: whom to trust, and what a server shows."""

    authority: Path
    certificate: Path
    key: Path

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return self.authority.is_file() and self.certificate.is_file() and self.key.is_file()


def files_in(folder: Path) -> Certificates:
    """Return where a folder's certificates lie, whether or not they are there."""
    return Certificates(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")


def make(folder: Path, name: str = "localhost") -> Certificates:
    """Return an authority and a certificate for a name, new in a folder; the authority's own key is thrown away."""
    found, now = files_in(folder), datetime.now(UTC)
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tieout embedded stack")])
    authority = (
        _builder(issuer, issuer, root.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(issuer, subject, key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    found.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    found.key.touch(mode=0o600)
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LASTS)
    )
