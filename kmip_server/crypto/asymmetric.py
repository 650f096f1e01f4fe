"""Making key pairs, and encryption by RSA.

Strategy: what is made is one object of the library; `conversion.py` writes it in the Key Format Type wanted. All
that can be wrong with a ciphertext is told in one sentence, so that nobody learns from the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from kmip_server.crypto import formats
from kmip_server.crypto.algorithms import RSA_DEFAULT, RSA_LENGTHS, RSA_MINIMUM, require_strong
from kmip_server.crypto.formats import CURVES, EC_ALGORITHMS, WEAK_CURVES, KeyDescription, PrivateKey, PublicKey
from kmip_server.crypto.hashing import hash_of
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidObjectType,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P
from kmip_server.protocol.enums import RecommendedCurve as C

OAEP_HASHES = frozenset({H.SHA_1, H.SHA_224, H.SHA_256, H.SHA_384, H.SHA_512})
"""What the library has for OAEP, as digest and as mask in every combination."""
_DECRYPT_FAILED = "the data does not decrypt with this key and these parameters"

# The curve of a length, where no curve is named.
_CURVE_OF_LENGTH: dict[int | None, C] = {None: C.P_256, 224: C.P_224, 256: C.P_256, 384: C.P_384, 521: C.P_521}
# Cryptographic Length to Qlength: the pairs of FIPS 186-4 section 4.2 that the library makes.
DSA_LENGTHS = {1024: 160, 2048: 256, 3072: 256}
_DSA_DEFAULT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A new pair, and what it says of itself."""

    private: PrivateKey = field(repr=False)
    public: PublicKey
    description: KeyDescription


def generate(
    algorithm: A, length: int | None, curve: C | None = None, qlength: int | None = None, *, weak_allowed: bool
) -> KeyPair:
    """A new key pair. RSA takes seconds at 4096 bits.

    Raises UnsupportedCryptographicParameters, InvalidAttributeValue for a length that does not fit.
    """
    private: PrivateKey
    row = formats.edwards_of(algorithm, curve)
    if algorithm == A.RSA:
        private = _generate_rsa(length or RSA_DEFAULT, weak_allowed)
    elif algorithm == A.DSA:
        private = _generate_dsa(length or _DSA_DEFAULT, qlength, weak_allowed)
    elif row is not None:
        if curve not in (None, row.description.curve) or length not in (None, row.description.length):
            raise InvalidAttributeValue(f"{algorithm.title} has keys of {row.description.length} bits on one curve")
        private = row.private.generate()
    elif algorithm in EC_ALGORITHMS:
        private = _generate_ec(length, curve, weak_allowed)
    else:
        raise UnsupportedCryptographicParameters(f"key pairs of {algorithm.title} are not served")
    return KeyPair(private=private, public=private.public_key(), description=formats.describe(private))


def _generate_rsa(length: int, weak_allowed: bool) -> rsa.RSAPrivateKey:
    if length not in RSA_LENGTHS:
        raise InvalidAttributeValue(f"RSA keys of {length} bits are not made; {RSA_LENGTHS[1:]} are")
    require_strong(f"RSA with {length} bits", length < RSA_MINIMUM, weak_allowed)
    return rsa.generate_private_key(public_exponent=65537, key_size=length)


def _generate_dsa(length: int, qlength: int | None, weak_allowed: bool) -> dsa.DSAPrivateKey:
    if length not in DSA_LENGTHS or qlength not in (None, DSA_LENGTHS[length]):
        raise InvalidAttributeValue(f"DSA keys have a Cryptographic Length and a Qlength of {DSA_LENGTHS}")
    require_strong("DSA", True, weak_allowed)
    return dsa.generate_private_key(key_size=length)


def _generate_ec(length: int | None, curve: C | None, weak_allowed: bool) -> ec.EllipticCurvePrivateKey:
    named = curve or _CURVE_OF_LENGTH.get(length)
    if named is None or named not in CURVES:
        raise UnsupportedCryptographicParameters("no curve of this name or length is served for this algorithm")
    made = CURVES[named]()
    if length is not None and length != made.key_size:
        raise InvalidAttributeValue(f"{named.title} has {made.key_size} bits, not {length}")
    require_strong(named.title, named in WEAK_CURVES, weak_allowed)
    return ec.generate_private_key(made)


# --- encryption ---------------------------------------------------------------------------------


def encrypt(
    key: bytes, key_format_type: F, data: bytes, parameters: CryptographicParameters, *, weak_allowed: bool = False
) -> bytes:
    """Encrypt with an RSA public key. Raises CryptographicFailure for data that is too long."""
    loaded = formats.load_public(key, key_format_type)
    if not isinstance(loaded, rsa.RSAPublicKey):
        raise InvalidObjectType("the key is not an RSA key")
    require_strong(f"RSA with {loaded.key_size} bits", loaded.key_size < RSA_MINIMUM, weak_allowed)
    scheme = next(_paddings(parameters))
    try:
        return loaded.encrypt(data, scheme)
    except ValueError as error:
        raise CryptographicFailure("the data is too long for this key and padding") from error


def decrypt(key: bytes, key_format_type: F, data: bytes, parameters: CryptographicParameters) -> bytes:
    """Decrypt with an RSA private key. Raises CryptographicFailure, in one sentence, for whatever is wrong."""
    loaded = formats.load_private(key, key_format_type)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise InvalidObjectType("the key is not an RSA key")
    failed: Exception | None = None
    for scheme in _paddings(parameters):
        try:
            return loaded.decrypt(data, scheme)
        except ValueError as error:
            failed = error
    raise CryptographicFailure(_DECRYPT_FAILED) from failed


def _paddings(parameters: CryptographicParameters) -> Iterator[padding.AsymmetricPadding]:
    """The paddings that the parameters mean, the most likely first; data is encrypted with that one.

    OAEP without a Mask Generator Hashing Algorithm masks by its Hashing Algorithm, as most libraries do; the
    standard's default is SHA-1 (KMIP 1.4 §3.6), and what was encrypted so is decrypted too.
    """
    named = parameters.cryptographic_algorithm
    if named not in (None, A.RSA):
        raise BadCryptographicParameters(f"the key is for RSA, not for {named.title}")
    method = parameters.padding_method
    if method is None:
        raise BadCryptographicParameters("a Padding Method must be given, in the request or with the key")
    if method == P.PKCS1_V1_5:
        yield padding.PKCS1v15()
        return
    if method != P.OAEP:
        raise UnsupportedCryptographicParameters(f"the Padding Method {method.title} is not one of RSA encryption")
    hashing = parameters.hashing_algorithm or H.SHA_1
    mask = parameters.mask_generator_hashing_algorithm
    for each in (hashing, mask or hashing):
        if each not in OAEP_HASHES:
            raise UnsupportedCryptographicParameters(f"the Hashing Algorithm {each.title} is not served with OAEP")
    for each in (mask,) if mask is not None else dict.fromkeys((hashing, H.SHA_1)):
        yield padding.OAEP(
            mgf=padding.MGF1(hash_of(each)), algorithm=hash_of(hashing), label=parameters.p_source or None
        )
