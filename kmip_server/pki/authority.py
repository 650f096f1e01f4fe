"""The development CA: makes the certificates of a new instance, and of clients that are enrolled.

Strategy: P-256 keys, unencrypted PKCS#8 as KMIP clients want them, and certificates that strict verifiers accept
(RFC 5280: basic constraints, key usage, key identifiers, subject alternative names).
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kmip_server.errors import SettingsError

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825
_BACKDATED = datetime.timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its private key, PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)
    fingerprint: str
    """SHA-256 of the DER, lower-case hexadecimal."""
    serial_number: str
    not_after: int
    """Seconds since 1970, UTC."""


def make_authority(common_name: str) -> Issued:
    """A new CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = _builder(name, name, key.public_key(), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(certificates=True), critical=True)
    return _issued(builder.sign(key, hashes.SHA256()), key)


def issue(
    authority_certificate: bytes,
    authority_key: bytes,
    common_name: str,
    *,
    server_names: tuple[str, ...] = (),
    days: int = CERTIFICATE_DAYS,
) -> Issued:
    """A certificate for a server with these names and addresses or, without any, for a client.

    Raises SettingsError where the CA's files do not belong together or the name cannot stand in a certificate.
    """
    try:
        authority = x509.load_pem_x509_certificate(authority_certificate)
        signer = serialization.load_pem_private_key(authority_key, password=None)
    except ValueError as error:
        raise SettingsError("the CA's certificate or key cannot be read") from error
    if not isinstance(signer, ec.EllipticCurvePrivateKey) or signer.public_key() != authority.public_key():
        raise SettingsError("the CA's key is not that of its certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(common_name), authority.subject, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(certificates=False), critical=True)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(issuer_key, critical=False)
    if server_names:
        names = x509.SubjectAlternativeName([_general_name(each) for each in server_names])
        builder = builder.add_extension(names, critical=False)
    return _issued(builder.sign(signer, hashes.SHA256()), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCertificate:
    """What an identity table keeps of a certificate."""

    fingerprint: str
    serial_number: str
    not_after: int
    """Seconds since 1970, UTC."""


def read_certificate(pem: bytes) -> ReadCertificate:
    """Raises SettingsError where this is no certificate."""
    try:
        return _read(x509.load_pem_x509_certificate(pem))
    except ValueError as error:
        raise SettingsError(
            "this is not a certificate in PEM form; it begins with -----BEGIN CERTIFICATE"
        ) from error


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate's DER, lower-case hexadecimal."""
    return sha256(der).hexdigest()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as error:
        raise SettingsError(f"{common_name!r} cannot be a common name: it has 1 to 64 characters") from error


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _read(certificate: x509.Certificate) -> ReadCertificate:
    return ReadCertificate(
        fingerprint=fingerprint(certificate.public_bytes(serialization.Encoding.DER)),
        serial_number=f"{certificate.serial_number:x}",
        not_after=int(certificate.not_valid_after_utc.timestamp()),
    )


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    read = _read(certificate)
    return Issued(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        private_key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        fingerprint=read.fingerprint,
        serial_number=read.serial_number,
        not_after=read.not_after,
    )
