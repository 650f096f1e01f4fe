"""Signatures by RSA, ECDSA, DSA and EdDSA.

Strategy: KMIP names a padding, a hash, a mask generator's hash, or all at once by a Digital Signature Algorithm;
`_scheme` settles which, once, for the kind of key there is, and the rest follows. Verification answers True or
False for whatever the peer sent. `Signing` and `Verifying` take the data in parts: of these they keep the digest in
the making, or for EdDSA, which reads its data twice (RFC 8032 section 5.1.6), the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, utils

from kmip_server.crypto import formats
from kmip_server.crypto.algorithms import RSA_MINIMUM, require_strong
from kmip_server.crypto.formats import WEAK_CURVES, PrivateKey, PublicKey
from kmip_server.crypto.hashing import BROKEN, hash_of
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidObjectType,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P

TRAILER_FIELD = 1
"""The only trailer of PSS: one byte, 0xBC (RFC 8017 appendix A.2.3)."""

Family = A
"""RSA, DSA, ECDSA, or the EdDSA of one curve."""


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """What a Digital Signature Algorithm names; None where the other parameters say."""

    family: Family
    padding_method: P | None
    hashing_algorithm: H | None


DIGITAL_SIGNATURE_ALGORITHMS: dict[D, SchemeRow] = {
    D.MD5_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.MD5),
    D.SHA_1_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA_1),
    D.SHA_224_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA_224),
    D.SHA_256_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA_256),
    D.SHA_384_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA_384),
    D.SHA_512_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA_512),
    D.SHA3_256_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA3_256),
    D.SHA3_384_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA3_384),
    D.SHA3_512_WITH_RSA_ENCRYPTION: SchemeRow(A.RSA, P.PKCS1_V1_5, H.SHA3_512),
    D.RSASSA_PSS: SchemeRow(A.RSA, P.PSS, None),
    D.DSA_WITH_SHA_1: SchemeRow(A.DSA, None, H.SHA_1),
    D.DSA_WITH_SHA224: SchemeRow(A.DSA, None, H.SHA_224),
    D.DSA_WITH_SHA256: SchemeRow(A.DSA, None, H.SHA_256),
    D.ECDSA_WITH_SHA_1: SchemeRow(A.ECDSA, None, H.SHA_1),
    D.ECDSA_WITH_SHA224: SchemeRow(A.ECDSA, None, H.SHA_224),
    D.ECDSA_WITH_SHA256: SchemeRow(A.ECDSA, None, H.SHA_256),
    D.ECDSA_WITH_SHA384: SchemeRow(A.ECDSA, None, H.SHA_384),
    D.ECDSA_WITH_SHA512: SchemeRow(A.ECDSA, None, H.SHA_512),
}


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What to sign with. `hashing` is None for EdDSA, which has its own; the rest is of RSA."""

    hashing: H | None
    padding_method: P | None = None
    mask_hashing: H | None = None
    salt_length: int | None = None


def sign(
    key: bytes,
    key_format_type: F,
    data: bytes,
    parameters: CryptographicParameters,
    *,
    digested: bool = False,
    weak_allowed: bool = False,
) -> bytes:
    """The signature over `data`, or over the digest that `data` is where `digested`. ECDSA and DSA in DER.

    Raises UnsupportedCryptographicParameters for what is broken or not served, BadCryptographicParameters for what
    does not fit the key, InvalidObjectType for a key that does not sign, CryptographicFailure.
    """
    loaded, scheme = _to_sign(key, key_format_type, parameters, weak_allowed)
    return _made(loaded, scheme, data, digested)


def verify(
    key: bytes,
    key_format_type: F,
    data: bytes,
    signature: bytes,
    parameters: CryptographicParameters,
    *,
    digested: bool = False,
) -> bool:
    """Whether `signature` is one over `data`. Raises BadCryptographicParameters for parameters that fit no key."""
    loaded, scheme = _to_verify(key, key_format_type, parameters)
    return _holds(loaded, scheme, data, digested, signature)


class Signing:
    """A signature in the making: `update` with each part of the data, `finalize` once.

    Raises as `sign`: for the key and the parameters at once, for the rest at the end.
    """

    def __init__(
        self, key: bytes, key_format_type: F, parameters: CryptographicParameters, *, weak_allowed: bool = False
    ) -> None:
        self._key, self._scheme = _to_sign(key, key_format_type, parameters, weak_allowed)
        self._data = _Gathering(self._scheme)
        self.keeps_data = self._data.keeps_data
        self.update = self._data.update

    def finalize(self) -> bytes:
        """The signature."""
        return _made(self._key, self._scheme, *self._data.gathered())


class Verifying:
    """A verification in the making: `update` with each part of the data, `matches` once. Raises as `verify`."""

    def __init__(self, key: bytes, key_format_type: F, parameters: CryptographicParameters) -> None:
        self._key, self._scheme = _to_verify(key, key_format_type, parameters)
        self._data = _Gathering(self._scheme)
        self.keeps_data = self._data.keeps_data
        self.update = self._data.update

    def matches(self, signature: bytes) -> bool:
        """Whether `signature` is one over all of the data."""
        return _holds(self._key, self._scheme, *self._data.gathered(), signature=signature)


class _Gathering:
    """What is to be signed, as it comes."""

    def __init__(self, scheme: _Scheme) -> None:
        self._digest = hashes.Hash(hash_of(scheme.hashing)) if scheme.hashing is not None else None
        self._kept = bytearray()
        self.keeps_data = self._digest is None

    def update(self, data: bytes) -> None:
        if self._digest is not None:
            self._digest.update(data)
        else:
            self._kept += data

    def gathered(self) -> tuple[bytes, bool]:
        """The digest and True, or the data and False."""
        if self._digest is not None:
            return self._digest.finalize(), True
        return bytes(self._kept), False


# --- once the scheme is settled -----------------------------------------------------------------


def _to_sign(
    key: bytes, key_format_type: F, parameters: CryptographicParameters, weak_allowed: bool
) -> tuple[PrivateKey, _Scheme]:
    loaded = formats.load_private(key, key_format_type)
    scheme = _scheme(_family(loaded), parameters)
    _require_strong(loaded, scheme, weak_allowed)
    if isinstance(loaded, rsa.RSAPrivateKey):
        _require_salt_fits(scheme, loaded.key_size)
    return loaded, scheme


def _to_verify(key: bytes, key_format_type: F, parameters: CryptographicParameters) -> tuple[PublicKey, _Scheme]:
    loaded = formats.load_public(key, key_format_type)
    scheme = _scheme(_family(loaded), parameters)
    if isinstance(loaded, rsa.RSAPublicKey):
        _require_salt_fits(scheme, loaded.key_size)
    return loaded, scheme


def _made(key: PrivateKey, scheme: _Scheme, data: bytes, digested: bool) -> bytes:
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, next(_rsa_paddings(scheme, verifying=False)), _hash(scheme, data, digested))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(_hash(scheme, data, digested)))
        if isinstance(key, dsa.DSAPrivateKey):
            return key.sign(data, _hash(scheme, data, digested))
        assert isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
        _require_whole(digested)
        return key.sign(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CryptographicFailure("the data cannot be signed with this key and these parameters") from error


def _holds(key: PublicKey, scheme: _Scheme, data: bytes, digested: bool, signature: bytes) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        used = _hash(scheme, data, digested)
        return any(
            _rsa_verifies(key, data, signature, each, used) for each in _rsa_paddings(scheme, verifying=True)
        )
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_hash(scheme, data, digested)))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, data, _hash(scheme, data, digested))
        else:
            assert isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
            _require_whole(digested)
            key.verify(signature, data)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _rsa_verifies(
    key: rsa.RSAPublicKey,
    data: bytes,
    signature: bytes,
    scheme: padding.AsymmetricPadding,
    used: hashes.HashAlgorithm | utils.Prehashed,
) -> bool:
    try:
        key.verify(signature, data, scheme, used)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


# --- which scheme -------------------------------------------------------------------------------


def _family(key: PrivateKey | PublicKey) -> Family:
    """What kind of signature the key makes. Raises InvalidObjectType for one that makes none."""
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        return A.ECDSA
    algorithm = formats.describe(key).algorithm
    if algorithm is None or algorithm == A.ECDH:
        raise InvalidObjectType("keys of X25519 and X448 agree upon keys; they do not sign")
    return algorithm


def _scheme(family: Family, parameters: CryptographicParameters) -> _Scheme:
    """Settle the parameters. A Digital Signature Algorithm goes before the single ones (KMIP 1.4 §3.6)."""
    named = parameters.cryptographic_algorithm
    if named is not None and named != family and not (family == A.ECDSA and named in formats.EC_ALGORITHMS):
        raise BadCryptographicParameters(f"the key signs by {family.title}, not by {named.title}")
    padding_method, hashing = parameters.padding_method, parameters.hashing_algorithm
    if parameters.digital_signature_algorithm is not None:
        row = DIGITAL_SIGNATURE_ALGORITHMS.get(parameters.digital_signature_algorithm)
        title = parameters.digital_signature_algorithm.title
        if row is None:
            raise UnsupportedCryptographicParameters(f"{title} is not served")
        if row.family != family:
            raise BadCryptographicParameters(f"the key does not sign by {title}")
        padding_method, hashing = row.padding_method or padding_method, row.hashing_algorithm or hashing
    if family in (A.ED25519, A.ED448):
        if hashing is not None:
            raise BadCryptographicParameters(f"{family.title} has a hash of its own; no Hashing Algorithm is given")
        return _Scheme(None)
    if hashing is None:
        raise BadCryptographicParameters("a Hashing Algorithm or a Digital Signature Algorithm must be given")
    if family != A.RSA:
        return _Scheme(hashing)
    if padding_method not in (P.PKCS1_V1_5, P.PSS):
        raise BadCryptographicParameters("an RSA signature needs the Padding Method PKCS1 v1.5 or PSS")
    if parameters.trailer_field not in (None, TRAILER_FIELD):
        raise UnsupportedCryptographicParameters("the Trailer Field is 1, the standard one-byte trailer")
    return _Scheme(hashing, padding_method, parameters.mask_generator_hashing_algorithm, parameters.salt_length)


def _rsa_paddings(scheme: _Scheme, *, verifying: bool) -> Iterator[padding.AsymmetricPadding]:
    """The paddings that the parameters mean, the most likely first; a signature is made with that one.

    What PSS leaves open is the Hashing Algorithm for the mask too and a salt as long as its digest. The standard's
    own defaults are SHA-1 and its length, yet its test case CS-AC-M-2 has a signature with neither said, masked by
    SHA-256 and with the longest salt: so any salt verifies, and SHA-1 masks as well.
    """
    assert scheme.hashing is not None
    if scheme.padding_method == P.PKCS1_V1_5:
        yield padding.PKCS1v15()
        return
    masks = (scheme.mask_hashing,) if scheme.mask_hashing is not None else (scheme.hashing, H.SHA_1)
    for mask in dict.fromkeys(masks):
        made = hash_of(mask)
        if scheme.salt_length is not None:
            yield padding.PSS(mgf=padding.MGF1(made), salt_length=scheme.salt_length)
        elif verifying:
            yield padding.PSS(mgf=padding.MGF1(made), salt_length=padding.PSS.AUTO)
        else:
            yield padding.PSS(mgf=padding.MGF1(made), salt_length=made.digest_size)


def _require_salt_fits(scheme: _Scheme, key_size: int) -> None:
    """RFC 8017 section 9.1.1: the salt and the digest, with two bytes more, fit into the encoded message."""
    if scheme.padding_method != P.PSS or scheme.salt_length is None:
        return
    assert scheme.hashing is not None
    longest = (key_size + 6) // 8 - hash_of(scheme.hashing).digest_size - 2
    if not 0 <= scheme.salt_length <= longest:
        raise BadCryptographicParameters(f"Salt Length is from 0 to {max(longest, 0)} bytes with this key and hash")


def _require_strong(key: PrivateKey, scheme: _Scheme, weak_allowed: bool) -> None:
    """Raise UnsupportedCryptographicParameters for a new signature that would be weak."""
    if scheme.hashing is not None:
        require_strong(f"a signature over {scheme.hashing.title}", scheme.hashing in BROKEN, weak_allowed)
    if isinstance(key, rsa.RSAPrivateKey):
        require_strong(f"RSA with {key.key_size} bits", key.key_size < RSA_MINIMUM, weak_allowed)
    # FIPS 186-5 keeps DSA for verification only.
    require_strong("DSA", isinstance(key, dsa.DSAPrivateKey), weak_allowed)
    curve = formats.describe(key).curve
    require_strong(curve.title if curve else "the curve", curve in WEAK_CURVES, weak_allowed)


def _require_whole(digested: bool) -> None:
    if digested:
        raise UnsupportedCryptographicParameters("Ed25519 and Ed448 sign Data, not Digested Data")


def _hash(scheme: _Scheme, data: bytes, digested: bool) -> hashes.HashAlgorithm | utils.Prehashed:
    assert scheme.hashing is not None
    made = hash_of(scheme.hashing)
    if not digested:
        return made
    if len(data) != made.digest_size:
        raise BadCryptographicParameters(f"a digest of {scheme.hashing.title} has {made.digest_size} bytes")
    return utils.Prehashed(made)
