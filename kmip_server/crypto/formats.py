"""Key formats: what a key's bytes say of it, and the same key in other forms.

Strategy: every DER that a client sends is hostile: whatever the parser makes of it, what leaves here is a value
or InvalidField. KMIP 1.4 section 9.1.3.2.3 names the formats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kmip_server.errors import InvalidField, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import RecommendedCurve as C

EC_ALGORITHMS = frozenset({A.EC, A.ECDSA, A.ECDH, A.ECMQV})

CURVES: dict[C, type[ec.EllipticCurve]] = {
    C.P_224: ec.SECP224R1,
    C.P_256: ec.SECP256R1,
    C.P_384: ec.SECP384R1,
    C.P_521: ec.SECP521R1,
    C.SECP256K1: ec.SECP256K1,
    C.BRAINPOOLP256R1: ec.BrainpoolP256R1,
    C.BRAINPOOLP384R1: ec.BrainpoolP384R1,
    C.BRAINPOOLP512R1: ec.BrainpoolP512R1,
}
_BY_NAME: dict[str, C] = {curve().name: named for named, curve in CURVES.items()}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_PEM_FREE = s.NoEncryption()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """What a key's bytes say. `length` in bits."""

    algorithm: A
    length: int
    curve: C | None = None


# --- reading ------------------------------------------------------------------------------------


def load_private(key: bytes, key_format_type: F) -> PrivateKey:
    """A private key of PKCS#1, PKCS#8 or ECPrivateKey. Raises InvalidField, KeyFormatTypeNotSupported."""
    if key_format_type not in (F.PKCS_1, F.PKCS_8, F.ECPRIVATEKEY):
        raise KeyFormatTypeNotSupported(f"a private key cannot be used as {key_format_type.title}")
    loaded = _parsed(lambda: s.load_der_private_key(key, password=None), key_format_type)
    expected: Any = {F.PKCS_1: rsa.RSAPrivateKey, F.ECPRIVATEKEY: ec.EllipticCurvePrivateKey}.get(key_format_type)
    if not isinstance(loaded, expected or (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise InvalidField(f"the Key Material is not a private key in {key_format_type.title}")
    private: PrivateKey = loaded
    return private


def load_public(key: bytes, key_format_type: F) -> PublicKey:
    """A public key of PKCS#1 or X.509. Raises InvalidField, KeyFormatTypeNotSupported."""
    if key_format_type not in (F.PKCS_1, F.X_509, F.PKCS_8):
        raise KeyFormatTypeNotSupported(f"a public key cannot be used as {key_format_type.title}")
    loaded = _parsed(lambda: s.load_der_public_key(key), key_format_type)
    expected: Any = {F.PKCS_1: rsa.RSAPublicKey}.get(key_format_type)
    if not isinstance(loaded, expected or (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise InvalidField(f"the Key Material is not a public key in {key_format_type.title}")
    public: PublicKey = loaded
    return public


def _parsed(parse: Callable[[], Any], key_format_type: F) -> Any:
    try:
        return parse()
    except (ValueError, TypeError, UnsupportedAlgorithm, OverflowError) as error:
        raise InvalidField(f"the Key Material is not a key in {key_format_type.title}") from error


def describe_key(key: bytes, key_format_type: F, *, private: bool) -> KeyDescription:
    """What the bytes of an asymmetric key say of it. Raises InvalidField, KeyFormatTypeNotSupported."""
    return describe(load_private(key, key_format_type) if private else load_public(key, key_format_type))


def describe(key: PrivateKey | PublicKey) -> KeyDescription:
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return KeyDescription(algorithm=A.RSA, length=key.key_size)
    return KeyDescription(algorithm=A.EC, length=key.key_size, curve=_BY_NAME.get(key.curve.name))


# --- writing ------------------------------------------------------------------------------------


def convert(key: bytes, present: F, wanted: F, *, private: bool) -> bytes:
    """The same key in another format. Raises KeyFormatTypeNotSupported where it has no such form."""
    if private:
        return private_bytes(load_private(key, present), wanted)
    return public_bytes(load_public(key, present), wanted)


def private_bytes(key: PrivateKey, wanted: F) -> bytes:
    """A private key in PKCS#1 (RSA), PKCS#8 or ECPrivateKey (EC)."""
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    if wanted == F.PKCS_8:
        layout = s.PrivateFormat.PKCS8
    elif wanted == (F.PKCS_1 if is_rsa else F.ECPRIVATEKEY):
        layout = s.PrivateFormat.TraditionalOpenSSL
    else:
        raise KeyFormatTypeNotSupported(f"the private key cannot be had as {wanted.title}")
    return key.private_bytes(s.Encoding.DER, layout, _PEM_FREE)


def public_bytes(key: PublicKey, wanted: F) -> bytes:
    """A public key in PKCS#1 (RSA) or X.509 SubjectPublicKeyInfo."""
    if wanted == F.X_509:
        return key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    if wanted == F.PKCS_1 and isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(s.Encoding.DER, s.PublicFormat.PKCS1)
    raise KeyFormatTypeNotSupported(f"the public key cannot be had as {wanted.title}")


# --- certificates -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDescription:
    """What an X.509 certificate says, in DER and as text (RFC 4514). `length` of its key in bits."""

    algorithm: A | None
    length: int | None
    digital_signature_algorithm: D | None
    subject: str
    issuer: str
    serial_number: str
    subject_der: bytes
    issuer_der: bytes
    serial_number_der: bytes
    subject_alternative_names: tuple[str, ...]
    issuer_alternative_names: tuple[str, ...]
    subject_alternative_names_der: tuple[bytes, ...]
    issuer_alternative_names_der: tuple[bytes, ...]


_SIGNATURES: dict[str, D] = {
    "1.2.840.113549.1.1.2": D.MD2_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.4": D.MD5_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.5": D.SHA_1_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.14": D.SHA_224_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.11": D.SHA_256_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.12": D.SHA_384_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.13": D.SHA_512_WITH_RSA_ENCRYPTION,
    "1.2.840.113549.1.1.10": D.RSASSA_PSS,
    "1.2.840.10040.4.3": D.DSA_WITH_SHA_1,
    "2.16.840.1.101.3.4.3.1": D.DSA_WITH_SHA224,
    "2.16.840.1.101.3.4.3.2": D.DSA_WITH_SHA256,
    "1.2.840.10045.4.1": D.ECDSA_WITH_SHA_1,
    "1.2.840.10045.4.3.1": D.ECDSA_WITH_SHA224,
    "1.2.840.10045.4.3.2": D.ECDSA_WITH_SHA256,
    "1.2.840.10045.4.3.3": D.ECDSA_WITH_SHA384,
    "1.2.840.10045.4.3.4": D.ECDSA_WITH_SHA512,
}


def describe_certificate(der: bytes) -> CertificateDescription:
    """What an X.509 certificate says. Raises InvalidField where it is none."""
    try:
        return _described(x509.load_der_x509_certificate(der))
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, OverflowError) as error:
        raise InvalidField("the Certificate Value is not an X.509 certificate in DER") from error


def _described(certificate: x509.Certificate) -> CertificateDescription:
    subject_names, subject_der = _alternative_names(certificate, x509.SubjectAlternativeName)
    issuer_names, issuer_der = _alternative_names(certificate, x509.IssuerAlternativeName)
    serial = certificate.serial_number
    serial_bytes = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    try:
        key: Any = certificate.public_key()
    except UnsupportedAlgorithm:
        key = None
    read = describe(key) if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else None
    return CertificateDescription(
        algorithm=read.algorithm if read else None,
        length=read.length if read else None,
        digital_signature_algorithm=_SIGNATURES.get(certificate.signature_algorithm_oid.dotted_string),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial_number=f"{serial:X}",
        subject_der=certificate.subject.public_bytes(),
        issuer_der=certificate.issuer.public_bytes(),
        serial_number_der=b"\x02" + bytes([len(serial_bytes)]) + serial_bytes,
        subject_alternative_names=subject_names,
        issuer_alternative_names=issuer_names,
        subject_alternative_names_der=subject_der,
        issuer_alternative_names_der=issuer_der,
    )


def _alternative_names(certificate: x509.Certificate, kind: Any) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """The alternative names as text, and the extension's DER."""
    try:
        extension = certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return (), ()
    names = tuple(str(name.value) for name in extension.value)
    return names, (extension.value.public_bytes(),)
