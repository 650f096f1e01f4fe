"""Certificates of every kind for a test: roots, intermediates, leaves, good and expired."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make(
    common_name: str,
    *,
    by: Made | None = None,
    ca: bool = False,
    expired: bool = False,
    key: PrivateKey | None = None,
    names: tuple[x509.GeneralName, ...] = (),
) -> Made:
    """A certificate issued by another, or by itself."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    days = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * days)
        .not_valid_after(now - days if expired else now + 30 * days)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Made(certificate=builder.sign(by.key if by else own, hashes.SHA256()), key=own)


def client_context(folder: Path, server_ca: str, leaf: Made, *sent: Made) -> ssl.SSLContext:
    """TLS settings of a client that sends its certificate and these others."""
    (folder / "leaf.pem").write_bytes(leaf.pem + b"".join(each.pem for each in sent))
    (folder / "leaf.key").write_bytes(leaf.key_pem)
    made = ssl.create_default_context(cafile=server_ca)
    made.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    return made
