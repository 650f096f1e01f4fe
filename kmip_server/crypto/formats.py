"""Key formats: what a key's bytes say of it, and the same key in other forms.

Strategy: every DER that a client sends is hostile: whatever the parser makes of it, what leaves here is a value
or InvalidField. A private key is validated when it comes (`validate`), once, and not again with every use: to test
the primes of an RSA key takes some thirty times as long as to sign with it. One with numbers larger than
`PRIVATE_MAXIMUM` is kept without being looked into. KMIP 1.4 section 9.1.3.2.3 names the formats.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x448, x25519

from kmip_server.crypto.algorithms import PRIVATE_MAXIMUM
from kmip_server.errors import InvalidField, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import RecommendedCurve as C

EC_ALGORITHMS = frozenset({A.EC, A.ECDSA, A.ECDH, A.ECMQV})

CURVES: dict[C, type[ec.EllipticCurve]] = {
    C.P_192: ec.SECP192R1,
    C.P_224: ec.SECP224R1,
    C.P_256: ec.SECP256R1,
    C.P_384: ec.SECP384R1,
    C.P_521: ec.SECP521R1,
    C.SECP256K1: ec.SECP256K1,
    C.BRAINPOOLP256R1: ec.BrainpoolP256R1,
    C.BRAINPOOLP384R1: ec.BrainpoolP384R1,
    C.BRAINPOOLP512R1: ec.BrainpoolP512R1,
}
"""The curves of Weierstrass form: these sign by ECDSA."""
WEAK_CURVES = frozenset({C.P_192})
"""Less than 112 bits of strength (NIST SP 800-57 part 1, table 2)."""
_BY_NAME: dict[str, C] = {curve().name: named for named, curve in CURVES.items()}

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | x25519.X25519PrivateKey
    | x448.X448PrivateKey
)
PublicKey = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | dsa.DSAPublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | x25519.X25519PublicKey
    | x448.X448PublicKey
)

_PEM_FREE = s.NoEncryption()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """What a key says of itself. `length` and `qlength` in bits."""

    algorithm: A | None
    length: int | None
    curve: C | None = None
    qlength: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdwardsRow:
    """A key of RFC 7748 or RFC 8032: always so many bytes, on a curve that its algorithm implies."""

    private: type[Any]
    public: type[Any]
    description: KeyDescription
    size: int
    """Bytes."""


# KMIP 2.0 has algorithms for Ed25519 and Ed448, and curves for X25519 and X448, which are then keys of ECDH.
EDWARDS: tuple[EdwardsRow, ...] = (
    EdwardsRow(
        private=ed25519.Ed25519PrivateKey,
        public=ed25519.Ed25519PublicKey,
        description=KeyDescription(algorithm=A.ED25519, length=256, curve=C.CURVE25519),
        size=32,
    ),
    EdwardsRow(
        private=ed448.Ed448PrivateKey,
        public=ed448.Ed448PublicKey,
        description=KeyDescription(algorithm=A.ED448, length=456, curve=C.CURVE448),
        size=57,
    ),
    EdwardsRow(
        private=x25519.X25519PrivateKey,
        public=x25519.X25519PublicKey,
        description=KeyDescription(algorithm=A.ECDH, length=256, curve=C.CURVE25519),
        size=32,
    ),
    EdwardsRow(
        private=x448.X448PrivateKey,
        public=x448.X448PublicKey,
        description=KeyDescription(algorithm=A.ECDH, length=448, curve=C.CURVE448),
        size=56,
    ),
)


def edwards_row(key: object) -> EdwardsRow | None:
    """The row of a key, None for RSA, DSA and the curves of `CURVES`."""
    return next((row for row in EDWARDS if isinstance(key, (row.private, row.public))), None)


def edwards_of(algorithm: A | None, curve: C | None) -> EdwardsRow | None:
    """The row that an algorithm and a curve name: Ed25519 needs no curve, EC and ECDH need one."""
    family = A.ECDH if algorithm in (A.EC, A.ECDH) else algorithm
    for row in EDWARDS:
        if row.description.algorithm == family and (curve == row.description.curve or family != A.ECDH):
            return row
    return None


# --- reading ------------------------------------------------------------------------------------

_PRIVATE_FORMATS: dict[F, type[Any] | tuple[type[Any], ...]] = {
    F.PKCS_1: rsa.RSAPrivateKey,
    F.PKCS_8: typing.get_args(PrivateKey),
    F.ECPRIVATEKEY: ec.EllipticCurvePrivateKey,
}
# A few clients call SubjectPublicKeyInfo PKCS#8, as the two came with each other.
_PUBLIC_FORMATS: dict[F, type[Any] | tuple[type[Any], ...]] = {
    F.PKCS_1: rsa.RSAPublicKey,
    F.X_509: typing.get_args(PublicKey),
    F.PKCS_8: typing.get_args(PublicKey),
}


def load_private(key: bytes, key_format_type: F, *, validate: bool = False) -> PrivateKey:
    """A private key of PKCS#1, PKCS#8 or ECPrivateKey. `validate` for one that nobody here has validated yet.

    Raises InvalidField, and KeyFormatTypeNotSupported for one that is kept but not used here.
    """
    expected = _PRIVATE_FORMATS.get(key_format_type)
    if expected is None:
        raise KeyFormatTypeNotSupported(f"a private key cannot be used as {key_format_type.title}")
    if is_encrypted(key, key_format_type):
        raise KeyFormatTypeNotSupported("the private key is encrypted by its owner, and stays as it is")
    if is_too_large(key):
        raise KeyFormatTypeNotSupported(f"private keys of more than {PRIVATE_MAXIMUM} bits are kept, not used here")
    loaded = _parsed(
        lambda: s.load_der_private_key(key, password=None, unsafe_skip_rsa_key_validation=not validate),
        key_format_type,
    )
    if not isinstance(loaded, expected):
        raise InvalidField(f"the Key Material is not a private key in {key_format_type.title}")
    private: PrivateKey = loaded
    return private


def load_public(key: bytes, key_format_type: F) -> PublicKey:
    """A public key of PKCS#1 or X.509. Raises InvalidField, KeyFormatTypeNotSupported."""
    expected = _PUBLIC_FORMATS.get(key_format_type)
    if expected is None:
        raise KeyFormatTypeNotSupported(f"a public key cannot be used as {key_format_type.title}")
    loaded = _parsed(lambda: s.load_der_public_key(key), key_format_type)
    if not isinstance(loaded, expected):
        raise InvalidField(f"the Key Material is not a public key in {key_format_type.title}")
    public: PublicKey = loaded
    return public


def is_encrypted(key: bytes, key_format_type: F) -> bool:
    """Whether a private key is an EncryptedPrivateKeyInfo (RFC 5958 section 3), which PKCS#8 names as well."""
    if key_format_type != F.PKCS_8 or is_too_large(key):
        return False
    try:
        s.load_der_private_key(key, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        # What the library says where a password would be needed.
        return True
    except (ValueError, UnsupportedAlgorithm, OverflowError):
        return False
    return False


def is_too_large(key: bytes) -> bool:
    """Whether a private key in DER holds a number that would take too long to compute with.

    To read a key of DSA is to compute its public half: so this is asked before the library is. It walks the DER
    from one header to the next, into what may hold an INTEGER. Bytes that are none, as the secret of a curve, may
    look like one; what they pretend ends with the key, and those keys are far shorter than the bound.
    """
    at = 0
    while at + 2 <= len(key):
        tag, size = key[at], key[at + 1]
        at += 2
        if size & 0x80:
            at, size = at + (size & 0x7F), int.from_bytes(key[at : at + (size & 0x7F)], "big")
        if tag == _INTEGER and int.from_bytes(key[at : at + size], "big").bit_length() > PRIVATE_MAXIMUM:
            return True
        if tag not in (_SEQUENCE, _OCTET_STRING):
            at += size
    return False


_INTEGER, _OCTET_STRING, _SEQUENCE = 0x02, 0x04, 0x30


def _parsed(parse: Callable[[], Any], key_format_type: F) -> Any:
    try:
        return parse()
    except (ValueError, TypeError, UnsupportedAlgorithm, OverflowError) as error:
        raise InvalidField(f"the Key Material is not a key in {key_format_type.title}") from error


def point(encoded: bytes, curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    """The public key that is this point of a curve: uncompressed, compressed or hybrid (X9.62 section 4.3.6).

    Raises ValueError where it is none.
    """
    if encoded[:1] in (b"\x06", b"\x07"):
        if encoded[0] & 1 != encoded[-1] & 1:
            raise ValueError("the two forms of a hybrid point differ")
        encoded = b"\x04" + encoded[1:]
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, encoded)


def describe(key: PrivateKey | PublicKey) -> KeyDescription:
    """Algorithm, length and domain parameters of a key."""
    row = edwards_row(key)
    if row is not None:
        return row.description
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return KeyDescription(algorithm=A.RSA, length=key.key_size)
    if isinstance(key, (dsa.DSAPrivateKey, dsa.DSAPublicKey)):
        qlength = key.parameters().parameter_numbers().q.bit_length()
        return KeyDescription(algorithm=A.DSA, length=key.key_size, qlength=qlength)
    assert isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey))
    return KeyDescription(algorithm=A.EC, length=key.key_size, curve=_BY_NAME.get(key.curve.name))


# --- writing ------------------------------------------------------------------------------------


def private_bytes(key: PrivateKey, wanted: F) -> bytes:
    """A private key in PKCS#1 (RSA), PKCS#8, ECPrivateKey (EC) or Raw (all but RSA and DSA).

    Raw is the bytes of RFC 7748 and RFC 8032, or the number of SEC 1 section 2.3.7.
    """
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
    if wanted == F.PKCS_8:
        return key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, _PEM_FREE)
    if (wanted == F.PKCS_1 and isinstance(key, rsa.RSAPrivateKey)) or (wanted == F.ECPRIVATEKEY and is_ec):
        return key.private_bytes(s.Encoding.DER, s.PrivateFormat.TraditionalOpenSSL, _PEM_FREE)
    if wanted == F.RAW and isinstance(key, ec.EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")
    if wanted == F.RAW and edwards_row(key) is not None:
        return key.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, _PEM_FREE)
    raise KeyFormatTypeNotSupported(f"the private key cannot be had as {wanted.title}")


def public_bytes(key: PublicKey, wanted: F) -> bytes:
    """A public key in PKCS#1 (RSA), X.509 SubjectPublicKeyInfo, or Raw (all but RSA and DSA), uncompressed."""
    if wanted == F.X_509:
        return key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    if wanted == F.PKCS_1 and isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(s.Encoding.DER, s.PublicFormat.PKCS1)
    if wanted == F.RAW and isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(s.Encoding.X962, s.PublicFormat.UncompressedPoint)
    if wanted == F.RAW and edwards_row(key) is not None:
        return key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
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
    read = describe(key) if isinstance(key, typing.get_args(PublicKey)) else None
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
    except (x509.ExtensionNotFound, x509.UnsupportedGeneralNameType):
        # A name of a kind that the library does not read, as ediPartyName, hides those beside it.
        return (), ()
    names = tuple(str(name.value) for name in extension.value)
    return names, (extension.value.public_bytes(),)
