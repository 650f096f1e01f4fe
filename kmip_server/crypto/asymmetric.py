"""RSA and elliptic curves: making pairs, encrypting, signing.

Strategy: KMIP names a padding, a hash, a mask generator's hash, or all at once by a Digital Signature Algorithm;
`_Scheme` settles which, once, and the rest follows. Verification answers True or False for whatever the peer sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from kmip_server.crypto import formats
from kmip_server.crypto.algorithms import RSA_DEFAULT, RSA_LENGTHS, RSA_MINIMUM, require_strong
from kmip_server.crypto.hashing import BROKEN, hash_of
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidObjectType,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P
from kmip_server.protocol.enums import RecommendedCurve as C

_DECRYPT_FAILED = "the data does not decrypt with this key and these parameters"

# The curve of a length, where no curve is named.
_CURVE_OF_LENGTH: dict[int | None, C] = {None: C.P_256, 224: C.P_224, 256: C.P_256, 384: C.P_384, 521: C.P_521}
_SIGNATURE_SCHEMES: dict[D, tuple[P | None, H | None]] = {
    D.MD5_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.MD5),
    D.SHA_1_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA_1),
    D.SHA_224_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA_224),
    D.SHA_256_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA_256),
    D.SHA_384_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA_384),
    D.SHA_512_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA_512),
    D.SHA3_256_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA3_256),
    D.SHA3_384_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA3_384),
    D.SHA3_512_WITH_RSA_ENCRYPTION: (P.PKCS1_V1_5, H.SHA3_512),
    D.RSASSA_PSS: (P.PSS, None),
    D.ECDSA_WITH_SHA_1: (None, H.SHA_1),
    D.ECDSA_WITH_SHA224: (None, H.SHA_224),
    D.ECDSA_WITH_SHA256: (None, H.SHA_256),
    D.ECDSA_WITH_SHA384: (None, H.SHA_384),
    D.ECDSA_WITH_SHA512: (None, H.SHA_512),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """RSA in PKCS#1; EC as ECPrivateKey and SubjectPublicKeyInfo. DER. `length` in bits."""

    private: bytes = field(repr=False)
    public: bytes
    length: int


def generate(algorithm: A, length: int | None, curve: C | None, *, weak_allowed: bool) -> KeyPair:
    """A new key pair. RSA takes seconds at 4096 bits.

    Raises UnsupportedCryptographicParameters, InvalidAttributeValue for a length that does not fit.
    """
    if algorithm == A.RSA:
        return _generate_rsa(length or RSA_DEFAULT, weak_allowed)
    if algorithm in formats.EC_ALGORITHMS:
        return _generate_ec(length, curve)
    raise UnsupportedCryptographicParameters(f"key pairs of {algorithm.title} are not served")


def _generate_rsa(length: int, weak_allowed: bool) -> KeyPair:
    if length not in RSA_LENGTHS:
        raise InvalidAttributeValue(f"RSA keys of {length} bits are not made; {RSA_LENGTHS[1:]} are")
    require_strong(f"RSA with {length} bits", length < RSA_MINIMUM, weak_allowed)
    key = rsa.generate_private_key(public_exponent=65537, key_size=length)
    return KeyPair(
        private=formats.private_bytes(key, F.PKCS_1),
        public=formats.public_bytes(key.public_key(), F.PKCS_1),
        length=length,
    )


def _generate_ec(length: int | None, curve: C | None) -> KeyPair:
    named = curve or _CURVE_OF_LENGTH.get(length)
    if named is None or named not in formats.CURVES:
        raise UnsupportedCryptographicParameters("no curve of this name or length is served")
    made = formats.CURVES[named]()
    if length is not None and length != made.key_size:
        raise InvalidAttributeValue(f"{named.title} has {made.key_size} bits, not {length}")
    key = ec.generate_private_key(made)
    return KeyPair(
        private=formats.private_bytes(key, F.ECPRIVATEKEY),
        public=formats.public_bytes(key.public_key(), F.X_509),
        length=made.key_size,
    )


# --- encryption ---------------------------------------------------------------------------------


def encrypt(
    key: bytes,
    key_format_type: F,
    data: bytes,
    *,
    padding_method: P | None,
    hashing_algorithm: H | None,
    mask_generator_hashing_algorithm: H | None,
    label: bytes = b"",
    weak_allowed: bool = False,
) -> bytes:
    """Encrypt with an RSA public key. Raises CryptographicFailure for data that is too long."""
    loaded = formats.load_public(key, key_format_type)
    if not isinstance(loaded, rsa.RSAPublicKey):
        raise InvalidObjectType("the key is not an RSA key")
    require_strong(f"RSA with {loaded.key_size} bits", loaded.key_size < RSA_MINIMUM, weak_allowed)
    scheme = _encryption_padding(padding_method, hashing_algorithm, mask_generator_hashing_algorithm, label)
    try:
        return loaded.encrypt(data, scheme)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CryptographicFailure("the data is too long for this key and padding") from error


def decrypt(
    key: bytes,
    key_format_type: F,
    data: bytes,
    *,
    padding_method: P | None,
    hashing_algorithm: H | None,
    mask_generator_hashing_algorithm: H | None,
    label: bytes = b"",
) -> bytes:
    """Decrypt with an RSA private key. Raises CryptographicFailure, in one sentence, for whatever is wrong."""
    loaded = formats.load_private(key, key_format_type)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise InvalidObjectType("the key is not an RSA key")
    scheme = _encryption_padding(padding_method, hashing_algorithm, mask_generator_hashing_algorithm, label)
    try:
        return loaded.decrypt(data, scheme)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CryptographicFailure(_DECRYPT_FAILED) from error


def _encryption_padding(
    method: P | None, hashing: H | None, mask_hashing: H | None, label: bytes
) -> padding.AsymmetricPadding:
    """OAEP with SHA-1 for both hashes unless the parameters say otherwise (KMIP 1.4 §3.6)."""
    if method == P.PKCS1_V1_5:
        return padding.PKCS1v15()
    if method == P.OAEP:
        return padding.OAEP(
            mgf=padding.MGF1(hash_of(mask_hashing or hashing or H.SHA_1)),
            algorithm=hash_of(hashing or H.SHA_1),
            label=label or None,
        )
    if method is None:
        raise BadCryptographicParameters("a Padding Method must be given, in the request or with the key")
    raise UnsupportedCryptographicParameters(f"the Padding Method {method.title} is not one of RSA encryption")


# --- signatures ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What to sign with: a hash, and for RSA a padding."""

    hashing: H
    padding_method: P | None
    mask_hashing: H
    salt_length: int | None

    def rsa_padding(self) -> padding.AsymmetricPadding:
        if self.padding_method == P.PKCS1_V1_5:
            return padding.PKCS1v15()
        if self.padding_method == P.PSS:
            length = hash_of(self.hashing).digest_size if self.salt_length is None else self.salt_length
            if length < 0:
                raise BadCryptographicParameters("Salt Length is not negative")
            return padding.PSS(mgf=padding.MGF1(hash_of(self.mask_hashing)), salt_length=length)
        raise BadCryptographicParameters("an RSA signature needs the Padding Method PKCS1 v1.5 or PSS")


def _scheme(
    algorithm: A,
    padding_method: P | None,
    hashing_algorithm: H | None,
    digital_signature_algorithm: D | None,
    mask_generator_hashing_algorithm: H | None,
    salt_length: int | None,
) -> _Scheme:
    """Settle the parameters. A Digital Signature Algorithm goes before the single ones (KMIP 1.4 §3.6)."""
    hashing = hashing_algorithm
    if digital_signature_algorithm is not None:
        named = _SIGNATURE_SCHEMES.get(digital_signature_algorithm)
        is_ecdsa = digital_signature_algorithm.title.startswith("ECDSA")
        if named is None:
            raise UnsupportedCryptographicParameters(f"{digital_signature_algorithm.title} is not served")
        if is_ecdsa != (algorithm in formats.EC_ALGORITHMS):
            raise BadCryptographicParameters(f"the key does not sign by {digital_signature_algorithm.title}")
        padding_method, hashing = named[0] or padding_method, named[1] or hashing
    if hashing is None:
        raise BadCryptographicParameters("a Hashing Algorithm or a Digital Signature Algorithm must be given")
    return _Scheme(hashing, padding_method, mask_generator_hashing_algorithm or hashing, salt_length)


def sign(
    key: bytes,
    key_format_type: F,
    data: bytes,
    *,
    digested: bool,
    algorithm: A,
    padding_method: P | None,
    hashing_algorithm: H | None,
    digital_signature_algorithm: D | None,
    mask_generator_hashing_algorithm: H | None,
    salt_length: int | None,
    weak_allowed: bool = False,
) -> bytes:
    """The signature over `data`, or over the digest that `data` is where `digested`. ECDSA in DER.

    Raises UnsupportedCryptographicParameters for a broken hash, BadCryptographicParameters, CryptographicFailure.
    """
    loaded = formats.load_private(key, key_format_type)
    scheme = _scheme(
        algorithm,
        padding_method,
        hashing_algorithm,
        digital_signature_algorithm,
        mask_generator_hashing_algorithm,
        salt_length,
    )
    require_strong(f"a signature over {scheme.hashing.title}", scheme.hashing in BROKEN, weak_allowed)
    used = _hash(scheme.hashing, data, digested)
    try:
        if isinstance(loaded, rsa.RSAPrivateKey):
            require_strong(f"RSA with {loaded.key_size} bits", loaded.key_size < RSA_MINIMUM, weak_allowed)
            return loaded.sign(data, scheme.rsa_padding(), used)
        return loaded.sign(data, ec.ECDSA(used))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CryptographicFailure("the data cannot be signed with this key and these parameters") from error


def verify(
    key: bytes,
    key_format_type: F,
    data: bytes,
    signature: bytes,
    *,
    digested: bool,
    algorithm: A,
    padding_method: P | None,
    hashing_algorithm: H | None,
    digital_signature_algorithm: D | None,
    mask_generator_hashing_algorithm: H | None,
    salt_length: int | None,
) -> bool:
    """Whether `signature` is one over `data`. Raises BadCryptographicParameters for parameters that fit no key."""
    loaded = formats.load_public(key, key_format_type)
    scheme = _scheme(
        algorithm,
        padding_method,
        hashing_algorithm,
        digital_signature_algorithm,
        mask_generator_hashing_algorithm,
        salt_length,
    )
    used = _hash(scheme.hashing, data, digested)
    try:
        if isinstance(loaded, rsa.RSAPublicKey):
            loaded.verify(signature, data, scheme.rsa_padding(), used)
        else:
            loaded.verify(signature, data, ec.ECDSA(used))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _hash(hashing: H, data: bytes, digested: bool) -> hashes.HashAlgorithm | utils.Prehashed:
    made = hash_of(hashing)
    if not digested:
        return made
    if len(data) != made.digest_size:
        raise BadCryptographicParameters(f"a digest of {hashing.title} has {made.digest_size} bytes")
    return utils.Prehashed(made)
